//! A test in a process of its own, with a limit to its memory. Shared by the tests of all crates.

use std::process::Command;

/// Set in a process that [`is_own_process`] started.
const OWN_PROCESS: &str = "BOOSTERMQ_TEST_OWN_PROCESS";

/// True in a process that runs the test `name` and nothing else, and has no more than `memory_kib` of address space. Anywhere else
/// starts that process and fails if it fails.
pub(crate) fn is_own_process(name: &str, memory_kib: u64) -> bool {
    if std::env::var_os(OWN_PROCESS).is_some() {
        return true;
    }
    let ended = Command::new("sh")
        .args(["-c", &format!("ulimit -v {memory_kib}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(OWN_PROCESS, "1")
        // Otherwise the C library reserves 64 MiB for each thread that asks for memory.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .expect("a shell");
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ended.status.success() && said.contains("1 passed"), "{}: {said}", ended.status);
    false
}
