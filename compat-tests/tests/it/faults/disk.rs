//! A20 of the failure matrix: a disk that fills up under load, and has room again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use boostermq_compat_tests::harness::wire::Connection;
use boostermq_compat_tests::harness::{Cluster, Target, slow_cases_wanted};

use super::load::{Load, Sender, make_topic, pull, verify};
use super::{left_out, run};

const MIB: u64 = 1 << 20;
/// Share of the disk that something else takes, to be given back.
const BALLAST: u64 = 2;
/// How long sends may be refused after there is room: the broker looks every ten seconds.
const RESUME: Duration = Duration::from_secs(80);
const SYSTEM_ERROR: i64 = 1;
const SYSTEM_BUSY: i64 = 2;
const SERVICE_NOT_AVAILABLE: i64 = 14;

/// A small file system; unmounted when dropped.
struct SmallDisk {
    folder: PathBuf,
    /// File behind the loop device, if it is one.
    image: Option<PathBuf>,
}

impl SmallDisk {
    /// Memory pretending to be a disk.
    fn in_memory(folder: &Path, bytes: u64) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "boostermq"]).arg(folder))?;
        Ok(Self { folder: folder.to_owned(), image: None })
    }

    /// An ext4 file system in a file.
    fn on_loop(folder: &Path, bytes: u64) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let image = folder.with_extension("img");
        std::fs::File::create(&image)?.set_len(bytes)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(folder))?;
        Ok(Self { folder: folder.to_owned(), image: Some(image) })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the broker may still hold files when a test fails.
        let _ = run(Command::new("umount").arg("-l").arg(&self.folder));
        let _ = std::fs::remove_dir(&self.folder);
        if let Some(image) = &self.image {
            let _ = std::fs::remove_file(image);
        }
    }
}

#[test]
fn a20_a_full_disk_refuses_sends_and_takes_them_again() -> Result<()> {
    let place = tempfile::tempdir()?;
    let folder = place.path().join("disk");
    let (disk, size) = if slow_cases_wanted() {
        (SmallDisk::on_loop(&folder, 512 * MIB), 512 * MIB)
    } else {
        (SmallDisk::in_memory(&folder, 96 * MIB), 96 * MIB)
    };
    let disk = match disk {
        Ok(disk) => disk,
        Err(error) => return left_out("A20", &format!("{error:#}")),
    };
    let ballast = disk.folder.join("ballast");
    std::fs::write(&ballast, vec![1; usize::try_from(size / BALLAST)?])?;
    let result = fill_and_free(&disk, &ballast);
    drop(disk);
    result
}

fn fill_and_free(disk: &SmallDisk, ballast: &Path) -> Result<()> {
    let store = disk.folder.join("store");
    let mut cluster = Cluster::builder("a20")
        .target(Target::Ours)
        .broker_key("flushDiskType", "SYNC_FLUSH")
        .broker_key("mappedFileSizeCommitLog", "4194304")
        .broker_key("mappedFileSizeConsumeQueue", "20000")
        .broker_key("maxHashSlotNum", "5000")
        .broker_key("maxIndexNum", "20000")
        // Deletion of what was acknowledged would be loss by policy: not what is asked here.
        .broker_key("cleanFileForciblyEnable", "false")
        .broker_key("storePathRootDir", &store.display().to_string())
        .broker_key("storePathCommitLog", &store.join("commitlog").display().to_string())
        .start()?;
    make_topic(&cluster)?;
    let load = Load::start(&cluster, 60 * 1024, Duration::from_secs(60));
    // Full is when nobody gets a message in any more.
    let mut probe = Sender::open(&cluster, 0, Duration::from_secs(60))?;
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut refusals = 0;
    while refusals < 40 {
        ensure!(Instant::now() < deadline, "the disk does not fill up");
        refusals = if probe.send(60 * 1024)? == 0 { 0 } else { refusals + 1 };
        std::thread::sleep(Duration::from_millis(20));
    }
    let full = load.finish()?;
    let mut acknowledged = full.acknowledged.clone();
    eprintln!("A20: full after {} x 60 KiB; refused {:?}, broken {}", acknowledged.len(), full.refused, full.broken);
    ensure!(full.broken == 0, "connections broke on a full disk");
    for (code, (_, remark)) in full.refused.iter().chain(&probe.tally.refused) {
        ensure!([SYSTEM_ERROR, SYSTEM_BUSY, SERVICE_NOT_AVAILABLE].contains(code), "code {code}: {remark}");
        ensure!(!remark.is_empty(), "code {code} without a remark");
    }
    cluster.check_broker_alive().context("it did not survive a full disk")?;
    let mut reader = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    ensure!(pull(&mut reader, 0, 0)?.code == 0, "reads go on");
    acknowledged.append(&mut probe.tally.acknowledged);
    verify(&cluster, &acknowledged)?;
    std::fs::remove_file(ballast)?;
    let began = Instant::now();
    while probe.send(60 * 1024)? != 0 {
        if began.elapsed() > RESUME {
            bail!("sends do not resume by themselves: {:?}", probe.tally.refused);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    eprintln!("A20: sends again {:?} after there was room", began.elapsed());
    for _ in 0..100 {
        probe.send(60 * 1024)?;
    }
    acknowledged.append(&mut probe.tally.acknowledged);
    verify(&cluster, &acknowledged)?;
    cluster.kill_broker()?;
    cluster.start_broker()?;
    verify(&cluster, &acknowledged)?;
    cluster.passed()
}
