//! Free ports. Below the range that the kernel hands to outgoing connections, so that a client's socket cannot take the
//! port of a broker that is being restarted.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use anyhow::{Result, bail};

const FIRST: u16 = 12_000;
const LAST: u16 = 31_000;

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port for a broker: the one below by two (fast port) and the one above (replication) are free as well.
pub(super) fn broker_port() -> Result<u16> {
    free_block(&[-2, 0, 1])
}

/// A single free port.
pub(super) fn single_port() -> Result<u16> {
    free_block(&[0])
}

fn free_block(offsets: &[i32]) -> Result<u16> {
    let mut taken = TAKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Test binaries that run side by side start their search at different places.
    let span = u32::from(LAST - FIRST);
    let start = std::process::id().wrapping_mul(7919) % span;
    for step in 0..span / 4 {
        let port = FIRST + u16::try_from((start + step * 4) % span)?;
        let block: Vec<u16> = offsets.iter().filter_map(|offset| port.checked_add_signed(*offset as i16)).collect();
        if block.iter().all(|port| !taken.contains(port) && is_free(*port)) {
            taken.extend(&block);
            return Ok(port);
        }
    }
    bail!("no free port between {FIRST} and {LAST}");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
