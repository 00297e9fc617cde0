//! The official clients against the target that `BOOSTERMQ_COMPAT_TARGET` names, and the documents against the source.

mod faults;
mod go;
mod golden;
mod golden_store;
mod interop;
mod java;
mod restart;
mod soak;
mod takeover;
mod truth;
