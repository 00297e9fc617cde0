//! The official clients against the target that `BOOSTERMQ_COMPAT_TARGET` names.

mod go;
mod java;
mod restart;
