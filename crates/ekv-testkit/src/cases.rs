//! Cases by number, on all cores.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Which of the cases of a test are tried. Source: `docs/testing.md`.
#[derive(Clone, Copy, Debug)]
pub enum Cases {
    /// Each: the long form of a test.
    All,
    /// About so many, spread evenly: the short form.
    Sample(usize),
}

impl Cases {
    /// Calls `check` with the numbers of the chosen cases below `count`; says on standard output how many there were.
    pub fn run(self, what: &str, count: usize, check: impl Fn(usize) + Sync) {
        let step = match self {
            Cases::All => 1,
            // Odd steps do not keep time with pairs of calls such as open and close.
            Cases::Sample(wanted) => (count / wanted.max(1)).max(1) | 1,
        };
        let next = AtomicUsize::new(0);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let tried: usize = thread::scope(|scope| {
            let work = || {
                let mut tried = 0;
                loop {
                    let number = next.fetch_add(step, Ordering::Relaxed);
                    if number >= count {
                        return tried;
                    }
                    check(number);
                    tried += 1;
                }
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).sum()
        });
        println!("{what}: {tried} of {count} cases");
    }
}
