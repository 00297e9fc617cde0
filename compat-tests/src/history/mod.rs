//! What clients did and saw, line by line, and whether a broker that keeps its word can have been behind it.
//!
//! ```text
//! {"ns":5120431,"process":"p1/3","op":"send","phase":"invoke","topic":"Soak0","queue":2,"producer":1,"sequence":17,"hash":3735928559}
//! {"ns":6010022,"process":"p1/3","op":"send","phase":"ok",…,"offset":204}
//! ```
//!
//! Owns the form of a line and the rules C1 to C8, C10 and C12 ([`Rule`]). Pure: no clock, no socket, no file; the same
//! lines bring the same verdict. It believes clients only: nothing here knows what a broker is.
//!
//! What is not judged: transactions (C9) and POP (C11), which no client of the soak uses.

mod checker;
mod commits;
mod line;
mod messages;
mod queues;

pub use checker::{Counts, Rule, Rules, Verdict, Violation, check};
pub use line::{Line, MessageKey, Op, Phase, Server};

#[cfg(test)]
mod tests;
