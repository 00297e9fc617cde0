//! The threads that serve connections: each runs its own, so that a request wakes nobody but the thread that has its
//! connection, and answers from where it is.
//!
//! A pool that moves tasks between threads costs a wake-up of a second thread for most requests of a quiet connection:
//! 80 us instead of 10, and three times the processor time, as measured with one request in flight.
//!
//! Requests that may be slow run on threads beside them, which give way where processors are scarce: what operators ask for must
//! not show in the times of messages.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// How much nicer the threads of slow requests are: each gets a third of what a network thread gets when all want to run. That is
/// enough for answers within their time, and a thread that holds a lock goes on within milliseconds.
const SLOW_NICENESS: i32 = 5;

/// Most threads of slow requests beside one network thread, whatever is asked at once.
const SLOW_THREADS: usize = 32;

/// Threads, each with a runtime of its own. Dropping the last handle ends them.
#[derive(Debug)]
pub struct NetworkThreads {
    handles: Vec<Handle>,
    next: AtomicUsize,
    stop: watch::Sender<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl NetworkThreads {
    /// Starts `count` threads, one at least.
    ///
    /// # Errors
    /// The system has no more threads or descriptors to give.
    pub fn start(count: usize) -> io::Result<Arc<Self>> {
        let (stop, stopped) = watch::channel(false);
        let mut handles = Vec::new();
        let mut threads = Vec::new();
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .thread_name("slow-requests")
                .on_thread_start(give_way)
                .max_blocking_threads(SLOW_THREADS)
                .build()?;
            handles.push(runtime.handle().clone());
            let mut stopped = stopped.clone();
            let run = move || {
                runtime.block_on(async move {
                    // Ends when told, or when whoever could tell is gone.
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                })
            };
            threads.push(std::thread::Builder::new().name(format!("network-{number}")).spawn(run)?);
        }
        Ok(Arc::new(Self { handles, next: AtomicUsize::new(0), stop, threads: Mutex::new(threads) }))
    }

    /// The thread for the next connection.
    pub(crate) fn pick(&self) -> &Handle {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        // `start` makes one at least, and `at` is below their number.
        &self.handles[at]
    }
}

/// Makes the calling thread nicer: Linux keeps that for each thread. The runtimes here start threads for slow requests only.
fn give_way() {
    if let Err(error) = rustix::process::nice(SLOW_NICENESS) {
        tracing::debug!(%error, "a thread of slow requests runs at the priority of all others");
    }
}

impl Drop for NetworkThreads {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for thread in self.threads.lock().drain(..) {
            // A thread cannot wait for itself: the last handle may be dropped on one of them.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_requests_give_way_and_connections_do_not() {
        const NICEST: i32 = 19;
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let threads = NetworkThreads::start(1).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        threads.pick().spawn(async move {
            let slow = tokio::task::spawn_blocking(niceness).await.unwrap();
            sender.send((niceness(), slow)).unwrap();
        });
        let (network, slow) = receiver.recv().unwrap();
        assert_eq!(network, niceness());
        assert_eq!(slow, (network + SLOW_NICENESS).min(NICEST));
    }
}
