//! The official clients against the target that `BOOSTERMQ_COMPAT_TARGET` names, and the documents against the source.

mod cases;
mod desk;
mod faults;
mod go;
mod golden;
mod golden_admin;
mod golden_store;
mod interop;
mod java;
mod metrics;
mod mqadmin;
mod restart;
mod soak;
mod takeover;
mod transaction_speed;
mod truth;

/// Questions about open transactions come soon enough for a test, and not before an end that comes in time.
const QUESTIONS_SOON: [(&str, &str); 3] =
    [("transactionCheckInterval", "2000"), ("transactionTimeOut", "3000"), ("transactionOpBatchInterval", "200")];
