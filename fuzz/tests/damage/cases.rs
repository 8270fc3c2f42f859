//! Cases by number, on all cores.

use std::panic::resume_unwind;
use std::thread;

/// Which of the cases are tried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cases {
    /// Each.
    All,
    /// So many, spread evenly.
    Sample(usize),
}

impl Cases {
    /// Calls `check` with the numbers of the chosen cases below `count`; says on standard output how many there were.
    pub(crate) fn run(self, what: &str, count: usize, check: impl Fn(usize) + Sync) {
        let step = match self {
            Cases::All => 1,
            Cases::Sample(wanted) => count.div_ceil(wanted).max(1),
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let tried: usize = thread::scope(|scope| {
            let check = &check;
            let workers: Vec<_> = (0..threads)
                .map(|first| scope.spawn(move || (first * step..count).step_by(step * threads).map(check).count()))
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).sum()
        });
        println!("{what}: {tried} of {count} cases");
    }
}
