//! A28 and A29 of the failure matrix: a broker that is stopped in its tracks, and one that is asked to end under load.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use boostermq_compat_tests::harness::{Cluster, Target, slow_cases_wanted};

use super::load::{Load, Sender, make_topic, pull, verify};
use boostermq_compat_tests::harness::wire::Connection;

fn cluster(case: &str) -> Result<Cluster> {
    let cluster = Cluster::builder(case)
        .target(Target::Ours)
        .broker_key("flushDiskType", "SYNC_FLUSH")
        .broker_key("mappedFileSizeCommitLog", "4194304")
        .start()?;
    make_topic(&cluster)?;
    Ok(cluster)
}

#[test]
fn a28_a_paused_broker_goes_on_where_it_was() -> Result<()> {
    let cluster = cluster("a28")?;
    let pause = Duration::from_secs(if slow_cases_wanted() { 30 } else { 3 });
    let load = Load::start(&cluster, 1000, pause + Duration::from_secs(60));
    load.goes_on(50)?;
    cluster.pause_broker();
    std::thread::sleep(pause);
    cluster.resume_broker();
    load.goes_on(50)?;
    let tally = load.finish()?;
    eprintln!("A28: {} acknowledged, refused {:?}, broken {}", tally.acknowledged.len(), tally.refused, tally.broken);
    ensure!(tally.broken == 0, "who waited was not answered: {:?}", tally.refused);
    verify(&cluster, &tally.acknowledged)?;
    cluster.passed()
}

#[test]
fn a29_a_broker_asked_to_end_under_load_ends_soon_and_cleanly() -> Result<()> {
    let mut cluster = cluster("a29")?;
    let load = Load::start(&cluster, 1000, Duration::from_secs(60));
    // A pull that is held: its client must not be left waiting either.
    let mut idle = Connection::open(&cluster.broker(), Duration::from_secs(60))?;
    ensure!(pull(&mut idle, 0, 0)?.code >= 0);
    load.goes_on(100)?;
    let began = Instant::now();
    cluster.stop_broker()?;
    let took = began.elapsed();
    let tally = load.finish()?;
    eprintln!("A29: ended in {took:?} under load, {} acknowledged", tally.acknowledged.len());
    // Well below what a held pull may wait for; a machine that stands still for a while is forgiven.
    ensure!(took < Duration::from_secs(14), "it took {took:?}");
    ensure!(!cluster.store().join("abort").exists(), "a clean stop removes `abort`");
    cluster.start_broker()?;
    verify(&cluster, &tally.acknowledged)?;
    let mut sender = Sender::open(&cluster, 0, Duration::from_secs(60))?;
    ensure!(sender.send(100)? == 0, "it takes messages again");
    cluster.passed()
}
