//! The wire as others speak it, through the crate's public face only.

mod frames;
mod fuzz;
