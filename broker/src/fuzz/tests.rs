//! The fuzz targets, for a bounded number of damaged files in every test run, in a process that may not have more than
//! [`MEMORY_KIB`]. At length by hand: see `fuzz/Cargo.toml`, or set `BOOSTERMQ_FUZZ_ROUNDS`.

#[path = "../../../remoting/fuzz/dice.rs"]
mod dice;
#[path = "../../../remoting/fuzz/own_process.rs"]
mod own_process;

use std::path::PathBuf;

use super::*;
use dice::Dice;

/// Damaged files for each target.
const ROUNDS: u64 = 100;
/// Address space of the process.
const MEMORY_KIB: u64 = 1 << 20;

/// A target and a file that a broker wrote.
type Case = (fn(&Path, &[u8]), &'static [u8]);

const TARGETS: [Case; 8] = [
    (topics, include_bytes!("../../tests/golden/metadata/topics.json")),
    (groups, include_bytes!("../../tests/golden/metadata/subscriptionGroup.json")),
    (offsets, include_bytes!("../../tests/golden/metadata/consumerOffset.json")),
    (delay_offsets, include_bytes!("../../tests/golden/metadata/delayOffset.json")),
    (filters, include_bytes!("../../tests/golden/metadata/consumerFilter.json")),
    (
        request_modes,
        br#"{"messageRequestModeMap":{"T1":{"g1":{"consumerGroup":"g1","mode":"POP","popShareQueueNum":0,"topic":"T1"}}}}"#,
    ),
    (transaction_counts, include_bytes!("../../tests/golden/metadata/transactionMetrics")),
    (
        properties,
        b"# A broker.\nbrokerName = b\\u0061\nlistenPort:10911\nbrokerIP1 127.0.0.1\nflushDiskType=SYNC_FLUSH\n\
          messageDelayLevel=1s 5s 1m 2h 3d\nmappedFileSizeCommitLog=1073741824\nfileReservedTime=48\ndeleteWhen=04;16\n\
          storePathRootDir=/store\\\n  /path\nmaxErrorRateOfBloomFilter=20\nmaxMessageSize=4194304\n",
    ),
];

/// In memory where the system has such a place.
fn scratch() -> (tempfile::TempDir, PathBuf) {
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let dir = scratch.path().join("config");
    (scratch, dir)
}

#[test]
fn files_survive_damage() {
    if !own_process::is_own_process("fuzz::tests::files_survive_damage", MEMORY_KIB) {
        return;
    }
    let (_scratch, dir) = scratch();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut dice = Dice(number("BOOSTERMQ_FUZZ_SEED").unwrap_or(Dice::SEED));
    for (target, seed) in TARGETS {
        target(&dir, seed);
        for round in 0..number("BOOSTERMQ_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
            let damaged = if round % 2 == 0 { dice.damage(seed) } else { dice.damage_in_place(seed) };
            target(&dir, &damaged);
        }
    }
}

#[test]
fn deep_and_long_texts_are_refused_or_read() {
    let (_scratch, dir) = scratch();
    let number = [b"{\"offsetTable\":{\"T@g\":{\"0\":".as_slice(), &[b'9'; 100_000], b"}}}"].concat();
    for (target, _) in TARGETS {
        for text in [[b'['; 100_000].as_slice(), &[b'{'; 100_000], &[b'\\'; 99_999], &[b'='; 100_000], &number] {
            target(&dir, text);
        }
        target(&dir, b"{\"a\":".repeat(50_000).as_slice());
    }
}
