//! Random load on a broker that is killed, stopped, paused and started again, and a verdict by the rules of
//! [`history`](crate::history).
//!
//! ```text
//! generation ── a fresh cluster; ends when its store has grown large or the cycles are done
//!   cycle     ── load for a moment, then the broker ends in one of the ways of `End`, and starts on its store
//! at the end of a generation: one more kill, every queue is drained, the history is judged
//! ```
//!
//! Producers and consumers are threads that speak the wire protocol by hand. All choices come from one seed, which the
//! summary prints; what the threads of the broker do with them is chance.
//!
//! `broken` puts a proxy between producers and broker that breaks one promise: the way to see that the rules notice.

mod broken;
mod consumer;
mod cycle;
mod drain;
mod message;
mod peer;
mod probe;
mod producer;
mod recorder;
mod summary;

pub use broken::Broken;
pub use cycle::{Flush, Options, run};
pub use summary::Summary;
