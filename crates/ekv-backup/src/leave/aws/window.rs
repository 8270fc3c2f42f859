//! Requests that are under way at once: no more than there are connections, and no more bytes than fit into memory.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ekv_model::{Class, Error, Result};

/// Most bytes of all jobs that are under way.
const BYTES_MAX: u64 = 64 << 20;
/// How often whoever waits for an answer is asked whether to go on.
const POLL: Duration = Duration::from_millis(100);

/// Jobs that go to threads, and what comes back of them, in any order.
pub(crate) struct Window<'w, J, O> {
    jobs: SyncSender<(J, u64)>,
    outcomes: Receiver<(Option<O>, u64)>,
    connections: usize,
    in_flight: usize,
    bytes: u64,
    poll: &'w dyn Fn() -> Result<()>,
}

/// Gives `body` a window of `connections` threads that do jobs by `work`. Whoever waits asks `poll` whether to go on. Jobs that `body` leaves
/// behind are done, and what comes of them is lost: [`Window::settle`] waits for it.
pub(crate) fn with_window<J: Send, O: Send, R>(
    connections: usize,
    poll: &dyn Fn() -> Result<()>,
    work: impl Fn(J) -> O + Sync,
    body: impl FnOnce(&mut Window<'_, J, O>) -> R,
) -> R {
    let connections = connections.max(1);
    let (jobs, taken) = sync_channel(connections);
    let (told, outcomes) = channel();
    let (taken, work) = (Mutex::new(taken), work);
    thread::scope(|scope| {
        for _ in 0..connections {
            let (taken, work, told) = (&taken, &work, told.clone());
            scope.spawn(move || {
                loop {
                    let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((job, len)) = job else { return };
                    let mut telling = Telling { told: told.clone(), len, outcome: None };
                    telling.outcome = Some(work(job));
                }
            });
        }
        drop(told);
        let mut window = Window { jobs, outcomes, connections, in_flight: 0, bytes: 0, poll };
        let done = body(&mut window);
        drop(window);
        done
    })
}

/// Tells what came of a job, also if that is a panic.
struct Telling<O> {
    told: Sender<(Option<O>, u64)>,
    len: u64,
    outcome: Option<O>,
}

impl<O> Drop for Telling<O> {
    fn drop(&mut self) {
        // Nobody listens after an early end.
        let _ = self.told.send((self.outcome.take(), self.len));
    }
}

impl<J, O> Window<'_, J, O> {
    /// Hands a job of `len` bytes to a thread as soon as there is room, and what came of earlier ones to `take`. A job that is larger than all
    /// room goes alone.
    ///
    /// # Errors
    /// Of `take` and of `poll`; the job is not done then.
    pub(crate) fn push(&mut self, job: J, len: u64, take: &mut dyn FnMut(O) -> Result<()>) -> Result<()> {
        self.make_room(len, take)?;
        self.in_flight = self.in_flight.saturating_add(1);
        self.bytes = self.bytes.saturating_add(len);
        // The queue has room for as many as are under way.
        self.jobs.send((job, len)).map_err(|_| defect())?;
        while let Ok(told) = self.outcomes.try_recv() {
            self.took(told, take)?;
        }
        Ok(())
    }

    /// Whether any job is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight > 0
    }

    /// Waits until a job of `len` bytes may go: whoever does so before the bytes are in memory never has more of them there.
    ///
    /// # Errors
    /// As [`Window::push`].
    pub(crate) fn make_room(&mut self, len: u64, take: &mut dyn FnMut(O) -> Result<()>) -> Result<()> {
        while self.in_flight >= self.connections || (self.in_flight > 0 && self.bytes.saturating_add(len) > BYTES_MAX) {
            self.wait_for_one(take)?;
        }
        Ok(())
    }

    /// Waits until one of the jobs that are under way is done; returns at once if there is none.
    ///
    /// # Errors
    /// As [`Window::push`].
    pub(crate) fn wait_for_one(&mut self, take: &mut dyn FnMut(O) -> Result<()>) -> Result<()> {
        while self.in_flight > 0 {
            match self.outcomes.recv_timeout(POLL) {
                Ok(told) => return self.took(told, take),
                Err(RecvTimeoutError::Timeout) => (self.poll)()?,
                Err(RecvTimeoutError::Disconnected) => return Err(defect()),
            }
        }
        Ok(())
    }

    /// Waits for all jobs, and hands all that came of them to `take`, even after an error.
    ///
    /// # Errors
    /// The first one, as of [`Window::push`].
    pub(crate) fn settle(&mut self, take: &mut dyn FnMut(O) -> Result<()>) -> Result<()> {
        let mut settled = Ok(());
        while self.in_flight > 0 {
            let before = self.in_flight;
            match self.wait_for_one(take) {
                Ok(()) => {}
                Err(error) => {
                    let is_lost = self.in_flight == before;
                    settled = settled.and(Err(error));
                    if is_lost {
                        return settled;
                    }
                }
            }
        }
        settled
    }

    /// As [`Window::settle`], but whoever waits is not asked whether to go on: what is under way ends by itself.
    pub(crate) fn wind_up(&mut self, take: &mut dyn FnMut(O) -> Result<()>) {
        while self.in_flight > 0 {
            let Ok(told) = self.outcomes.recv() else { return };
            // The first error is known already.
            let _ = self.took(told, take);
        }
    }

    fn took(&mut self, (outcome, len): (Option<O>, u64), take: &mut dyn FnMut(O) -> Result<()>) -> Result<()> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(len);
        outcome.map_or_else(|| Err(defect()), take)
    }
}

fn defect() -> Error {
    Error::new(Class::WriteIo, "a request ended in a way that nobody foresaw: please report this as a defect")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const GO_ON: &dyn Fn() -> Result<()> = &|| Ok(());

    #[test]
    fn all_jobs_are_done_and_never_more_at_once_than_there_are_connections() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |job: u64| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            job
        };
        let mut sum = 0;
        with_window(3, GO_ON, work, |window| {
            let mut take = |job| {
                sum += job;
                Ok(())
            };
            (1..=100).for_each(|job| window.push(job, 1, &mut take).unwrap());
            window.settle(&mut take).unwrap();
        });
        assert_eq!(sum, 5050);
        assert!((1..=3).contains(&most.into_inner()));
    }

    #[test]
    fn bytes_under_way_are_bounded_and_a_larger_job_goes_alone() {
        let bytes = Mutex::new((0, 0));
        let work = |len: u64| {
            bytes.lock().unwrap().0 += len;
            thread::yield_now();
            let mut bytes = bytes.lock().unwrap();
            bytes.1 = bytes.1.max(bytes.0);
            bytes.0 -= len;
        };
        with_window(8, GO_ON, work, |window| {
            let mut take = |()| Ok(());
            (0..40).for_each(|_| window.push(BYTES_MAX / 2, BYTES_MAX / 2, &mut take).unwrap());
            window.push(BYTES_MAX + 1, BYTES_MAX + 1, &mut take).unwrap();
            window.settle(&mut take).unwrap();
        });
        assert!(bytes.into_inner().unwrap().1 <= BYTES_MAX + 1);
    }

    #[test]
    fn an_error_of_one_outcome_does_not_hide_the_others() {
        let mut taken = 0;
        let settled = with_window(
            2,
            GO_ON,
            |job: u64| job,
            |window| {
                let mut take = |job| {
                    taken += 1;
                    if job == 0 { Err(Error::new(Class::Data, "nought")) } else { Ok(()) }
                };
                let pushed = (0..2).try_for_each(|job| window.push(job, 1, &mut take));
                pushed.and(window.settle(&mut take))
            },
        );
        assert_eq!(settled.unwrap_err().to_string(), "nought");
        assert_eq!(taken, 2);
    }
}
