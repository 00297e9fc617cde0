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
        let mut options = Options {
            cycles: 1,
            producers: 2,
            topics: 1,
            queues: 1,
            only_single: true,
            only_kills: true,
            broken: Some(broken),
            ..short(Flush::Sync)
        };
        let mut summary = run(&options, &mut |_| {})?;
        // On a machine that stands still nothing may be under way when the broker is killed.
        while summary.fired == 0 || rules.iter().any(|rule| summary.count(*rule) == 0) {
            ensure!(
                options.seed < 5,
                "{broken:?}: fired {}, not noticed by all of {rules:?}: {summary}",
                summary.fired
            );
            options.seed += 1;
            summary = run(&options, &mut |_| {})?;
        }
    }
    Ok(())
}
