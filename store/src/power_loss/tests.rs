//! The runs.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::check::{Ends, Expected, Mutation, check};
use super::disk::{Disk, Image, Lie, read_image, write_image};
use super::history::{Observed, Sent, clock_at};
use super::life::{Kind, Life, live, open};
use super::{Scratch, Seeded, setting};
use crate::io::watch::{Step, Watch};

const SEED: u64 = 0x00B0_0573_ED00_0001;

/// What one life and its crashes are made from.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    mutation: Mutation,
    lie: Lie,
}

/// Lives once, and crashes after each step. Counts crashes in `points`, up to `limit`.
fn crash_everywhere(seed: u64, plan: Plan, points: &AtomicU64, limit: u64) -> Result<(), String> {
    let mut seeded = Seeded::new(seed);
    let kind = Kind::any(&mut seeded);
    let scratch = Scratch::new();
    let root = scratch.path().join("life");
    write_image(&root, &Image::new());
    let mut life = live(kind, &root, Vec::new(), 0, 40, &mut seeded)?;
    if plan.mutation == Mutation::AckBeforeFlush {
        life.sent.iter_mut().for_each(|sent| sent.kept = Some(sent.began + 1));
    }
    let mut disk = Disk::new(&root, &Image::new(), plan.lie);
    for (number, step) in life.steps.iter().enumerate() {
        disk.apply(number, step);
        if points.fetch_add(1, Ordering::Relaxed) >= limit {
            return Ok(());
        }
        let image = disk.crash(&mut seeded);
        let here = format!("seed {seed:#x}, {kind:?}, after step {} of {}", number + 1, life.steps.len());
        let floors = Ends::new();
        let at = Crash { kind, image: &image, life: &life, floors: &floors, steps: number + 1 };
        at.examine(&scratch, plan, points, 1, &mut seeded).map_err(|error| format!("{here}: {error}"))?;
    }
    Ok(())
}

/// A disk after a crash and what was sent before.
struct Crash<'a> {
    kind: Kind,
    image: &'a Image,
    life: &'a Life,
    /// Where queues ended before this life.
    floors: &'a Ends,
    steps: usize,
}

impl Crash<'_> {
    /// Opens and compares; and sometimes lives on from the image, to crash once more, in the recovery or soon after.
    fn examine(
        &self,
        scratch: &Scratch,
        plan: Plan,
        points: &AtomicU64,
        depth: u32,
        seeded: &mut Seeded,
    ) -> Result<(), String> {
        let root = scratch.path().join("image");
        write_image(&root, self.image);
        let expected = Expected::at(&self.life.sent, &self.life.trims, self.floors, self.steps);
        let observed = check(self.kind, &root, &expected, self.life.now_ms, plan.mutation, seeded)?;
        if depth >= 5 || !seeded.happens(15) {
            return Ok(());
        }
        let life = self.live_on(scratch, &observed, seeded)?;
        let floors = observed.ranges.iter().map(|(queue, (_, max))| (queue.clone(), *max)).collect();
        let steps = &life.steps;
        let mut disk = Disk::new(&scratch.path().join("next"), self.image, plan.lie);
        let until = seeded.index(steps.len()) + 1;
        for (number, step) in steps.iter().enumerate().take(until) {
            disk.apply(number, step);
        }
        points.fetch_add(1, Ordering::Relaxed);
        let image = disk.crash(seeded);
        let next = Crash { kind: self.kind, image: &image, life: &life, floors: &floors, steps: until };
        let next = next.examine(scratch, plan, points, depth + 1, seeded);
        next.map_err(|error| format!("again after step {until} of {}: {error}", steps.len()))
    }

    /// Another life on the image. What was found in it is kept from the first step on, the recovery included.
    fn live_on(&self, scratch: &Scratch, observed: &Observed, seeded: &mut Seeded) -> Result<Life, String> {
        let is_found =
            |sent: &&Sent| observed.messages.contains_key(&(sent.topic.to_owned(), sent.queue_id, sent.queue_offset));
        let mut sent: Vec<Sent> = self.life.sent.iter().filter(is_found).cloned().collect();
        sent.iter_mut().for_each(|sent| sent.kept = Some(0));
        let root = scratch.path().join("next");
        write_image(&root, self.image);
        let acts = seeded.index(6);
        live(self.kind, &root, sent, self.life.now_ms, acts, seeded)
    }
}

/// Runs lives until there were `limit` crashes. The first complaint, if there is any.
fn run(seed: u64, plan: Plan, limit: u64) -> Result<u64, String> {
    let (points, lives) = (AtomicU64::new(0), AtomicU64::new(0));
    let complaint = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get().min(4));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while points.load(Ordering::Relaxed) < limit && complaint.lock().unwrap().is_none() {
                    let seed = seed.wrapping_add(lives.fetch_add(1, Ordering::Relaxed));
                    if let Err(error) = crash_everywhere(seed, plan, &points, limit) {
                        complaint.lock().unwrap().get_or_insert(error);
                    }
                }
            });
        }
    });
    match complaint.into_inner().unwrap() {
        Some(error) => Err(error),
        None => Ok(points.into_inner()),
    }
}

#[test]
fn power_fails_at_every_step() {
    let seed = setting("BOOSTERMQ_SEED").unwrap_or(SEED);
    let limit = setting("BOOSTERMQ_POINTS").unwrap_or(20_000);
    let begun = Instant::now();
    let result = run(seed, Plan::default(), limit);
    println!("power loss: seed {seed} ({seed:#x}), {limit} points, {:?}", begun.elapsed());
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A check that is never red proves nothing.
#[test]
fn broken_promises_are_noticed() {
    let broken = [
        Plan { mutation: Mutation::AckBeforeFlush, ..Plan::default() },
        Plan { mutation: Mutation::Drop, ..Plan::default() },
        Plan { mutation: Mutation::Swap, ..Plan::default() },
        Plan { lie: Lie::Sync, ..Plan::default() },
        Plan { lie: Lie::SyncDir, ..Plan::default() },
    ];
    for plan in broken {
        let complaint = run(SEED, plan, 5000).expect_err(&format!("{plan:?}"));
        println!("{plan:?}: {complaint}");
    }
}

/// What the watch has seen is all that happened.
#[test]
fn the_row_of_changes_makes_the_folder() {
    for seed in 0..40 {
        let mut seeded = Seeded::new(seed);
        let kind = Kind::any(&mut seeded);
        let scratch = Scratch::new();
        let root = scratch.path().join("life");
        write_image(&root, &Image::new());
        let life = live(kind, &root, Vec::new(), 0, 40, &mut seeded).unwrap();
        let mut disk = Disk::new(&root, &Image::new(), Lie::None);
        for (number, step) in life.steps.iter().enumerate() {
            disk.apply(number, step);
        }
        let (told, found) = (disk.present(), read_image(&root));
        assert_eq!(told.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "seed {seed}");
        let other = told.iter().find(|(path, content)| found[*path] != **content);
        assert!(other.is_none(), "seed {seed}: {:?} holds something else", other.map(|(path, _)| path));
    }
}

/// A06: power fails in recovery, up to five times in a row, and what is found in the end is what would have been found at once.
#[test]
fn a06_recovery_that_crashes_finds_the_same() {
    let seed = setting("BOOSTERMQ_SEED").unwrap_or(SEED);
    println!("crashes in recovery: seed {seed}");
    let mut crashes = 0;
    for seed in seed..seed + 8 {
        let mut seeded = Seeded::new(seed);
        let kind = Kind::any(&mut seeded);
        let scratch = Scratch::new();
        let root = scratch.path().join("life");
        write_image(&root, &Image::new());
        let life = live(kind, &root, Vec::new(), 0, 40, &mut seeded).unwrap();
        let mut disk = Disk::new(&root, &Image::new(), Lie::None);
        let root = scratch.path().join("image");
        for (number, step) in life.steps.iter().enumerate() {
            disk.apply(number, step);
            if !number.is_multiple_of(5) {
                continue;
            }
            let mut image = disk.crash(&mut seeded);
            let wanted = recovered(kind, &root, &image, life.now_ms).0;
            for depth in 1..=5 {
                let steps = recovered(kind, &root, &image, life.now_ms).1;
                let mut disk = Disk::new(&root, &image, Lie::None);
                let until = seeded.index(steps.len() + 1);
                steps.iter().take(until).enumerate().for_each(|(number, step)| disk.apply(number, step));
                image = disk.crash(&mut seeded);
                crashes += 1;
                let found = recovered(kind, &root, &image, life.now_ms).0;
                let until = format!("after step {until} of {}", steps.len());
                assert_eq!(found, wanted, "seed {seed}, step {number}, depth {depth}, {kind:?}, {until}");
            }
        }
    }
    println!("{crashes} crashes in recovery");
}

/// What a recovery of `image` finds, and the changes it makes.
fn recovered(kind: Kind, root: &Path, image: &Image, now_ms: i64) -> (Observed, Vec<Step>) {
    write_image(root, image);
    let watch = Watch::new(root);
    let store = open(kind, root, &clock_at(now_ms)).unwrap();
    let mut observed = Observed::of(&store).unwrap();
    // Whether there is a queue without messages is nobody's business.
    observed.ranges.retain(|_, range| *range != (0, 0));
    drop(store);
    (observed, watch.steps())
}
