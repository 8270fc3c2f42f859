//! Scratch files that are counted.

use std::fs::File;
use std::sync::Mutex;

use ekv_spill::{Result, Scratch, SystemScratch};

/// Scratch files of the system, with the sum of what was ever written to them: at least what they took at any time.
#[derive(Default)]
pub struct CountedScratch {
    system: SystemScratch,
    /// Each file once more, so that its length is known when its owner is done with it.
    files: Mutex<Vec<File>>,
}

impl CountedScratch {
    /// Nothing was written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of all files that were ever made, also of those that are gone.
    pub fn bytes(&self) -> u64 {
        self.files.lock().unwrap().iter().map(|file| file.metadata().unwrap().len()).sum()
    }
}

impl Scratch for CountedScratch {
    fn create(&self) -> Result<File> {
        let file = self.system.create()?;
        self.files.lock().unwrap().push(file.try_clone().unwrap());
        Ok(file)
    }

    fn place(&self) -> String {
        self.system.place()
    }
}
