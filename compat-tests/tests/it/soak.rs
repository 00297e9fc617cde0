//! A short soak, and the proof that it would notice: a broker with one broken promise is found out.

use anyhow::{Result, ensure};
use boostermq_compat_tests::history::Rule;
use boostermq_compat_tests::soak::{Broken, Flush, Options, run};

fn short(flush: Flush) -> Options {
    Options { cycles: 3, flush, producers: 4, load_ms: 200..=600, ..Options::default() }
}

#[test]
fn kills_lose_nothing() -> Result<()> {
    for flush in [Flush::Sync, Flush::Async] {
        let summary = run(&short(flush), &mut |_| {})?;
        eprintln!("{flush:?}: {summary}");
        ensure!(summary.is_clean(), "{flush:?}: {summary}");
        ensure!(summary.counts.ok > 20 && summary.counts.reads > 0, "too little happened: {summary}");
    }
    Ok(())
}

/// One queue and single messages: what the proxy before the broker can tell apart.
#[test]
fn broken_promises_are_noticed() -> Result<()> {
    for (broken, rules) in [
        (Broken::AckBeforeFlush, &[Rule::Lost][..]),
        (Broken::DropOne, &[Rule::Lost]),
        (Broken::SwapOffsets, &[Rule::Reordered, Rule::OffsetReused]),
    ] {
        let options = Options {
            cycles: 1,
            producers: 2,
            topics: 1,
            queues: 1,
            only_single: true,
            only_kills: true,
            broken: Some(broken),
            ..short(Flush::Sync)
        };
        let summary = run(&options, &mut |_| {})?;
        ensure!(summary.fired > 0, "{broken:?}: the proxy did nothing: {summary}");
        for rule in rules {
            ensure!(summary.count(*rule) > 0, "{broken:?} was not noticed by {}: {summary}", rule.id());
        }
    }
    Ok(())
}
