//! What a disk may hold after power failed: everything that was synced, and of the rest anything.
//!
//! ```text
//! file       durable bytes │ changes since: write, write, length, write …
//! page 4096  │ old │ after 1st change │ after 2nd │ …      one of these is found, or a mix of two at a border of 512 bytes
//! length     │ old │ 1st │ 2nd …                           one of these
//! names      made, changed and deleted since the folder's sync: each kept or not; a rename as a whole
//! ```
//!
//! No order holds between two changes unless a sync stands between them. A sync covers what was done before it began, and counts
//! when it has ended. Syncing a file says nothing of its name.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Seeded;
use crate::io::watch::{Change, Step};

const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// What is on a disk: folders (`None`) and files by their path below the root.
pub(crate) type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// How a sync may be broken, to see whether anybody notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lie {
    #[default]
    None,
    /// Syncing a file does nothing.
    Sync,
    /// Syncing a folder does nothing.
    SyncDir,
}

/// A change of a file that is not on disk for sure.
#[derive(Clone, Debug)]
struct Pending {
    step: usize,
    kind: PendingKind,
    /// A sync failed after it: nobody will write it any more, unless its page is changed again.
    is_given_up: bool,
}

#[derive(Clone, Debug)]
enum PendingKind {
    Write { position: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A file or folder.
#[derive(Clone, Debug, Default)]
struct Node {
    is_dir: bool,
    durable: Vec<u8>,
    /// Length as everybody sees it.
    length: usize,
    pending: Vec<Pending>,
}

/// A change of names that is not on disk for sure.
#[derive(Clone, Debug)]
struct PendingName {
    step: usize,
    /// Folders whose sync settles it.
    dirs: Vec<PathBuf>,
    /// Names and what they stand for from then on.
    entries: Vec<(PathBuf, Option<usize>)>,
}

/// The disk below one root, as a row of steps left it.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    lie: Lie,
    nodes: Vec<Node>,
    /// Names as everybody sees them.
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<PendingName>,
}

/// How much of what was not synced an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Luck {
    /// Each page and name for itself.
    Mixed,
    /// Everything got there: the machine was quick, or only the process died.
    Best,
    /// Nothing.
    Worst,
    /// Everything up to a step, nothing after.
    UpTo(usize),
    /// Everything but one page.
    LosesOne(u64),
    /// Nothing but one page.
    KeepsOne(u64),
    /// Contents by chance, all names.
    Names,
    /// Names by chance, all contents.
    Contents,
}

impl Disk {
    /// A disk that holds `image` below `root`, all of it for sure.
    pub(crate) fn new(root: &Path, image: &Image, lie: Lie) -> Self {
        let mut nodes = Vec::new();
        let mut names = BTreeMap::new();
        for (path, content) in image {
            names.insert(path.clone(), nodes.len());
            let durable = content.clone().unwrap_or_default();
            nodes.push(Node { is_dir: content.is_none(), length: durable.len(), durable, pending: Vec::new() });
        }
        Self { root: root.to_owned(), lie, nodes, durable_names: names.clone(), names, pending_names: Vec::new() }
    }

    /// Does what step number `number` did.
    pub(crate) fn apply(&mut self, number: usize, step: &Step) {
        let path = step.path.strip_prefix(&self.root).unwrap().to_owned();
        match &step.change {
            Change::Create => self.link(number, path, false),
            Change::CreateDir => self.link(number, path, true),
            Change::Rename { to } => {
                let to = to.strip_prefix(&self.root).unwrap().to_owned();
                let node = self.names.remove(&path);
                self.names.extend(node.map(|node| (to.clone(), node)));
                let dirs = [parent(&path), parent(&to)].into_iter().collect::<BTreeSet<_>>();
                self.pending_names.push(PendingName {
                    step: number,
                    dirs: dirs.into_iter().collect(),
                    entries: vec![(path, None), (to, node)],
                });
            }
            Change::Remove => {
                self.names.remove(&path);
                let dirs = vec![parent(&path)];
                self.pending_names.push(PendingName { step: number, dirs, entries: vec![(path, None)] });
            }
            Change::SyncDir if self.lie != Lie::SyncDir => self.sync_dir(&path, step.began),
            Change::Write { position, bytes } => {
                let position = usize::try_from(*position).unwrap();
                self.with_node(&path, |node| node.write(number, position, bytes));
            }
            Change::SetLength(length) => {
                let length = usize::try_from(*length).unwrap();
                self.with_node(&path, |node| node.set_length(number, length));
            }
            Change::Allocate { to } => {
                let to = usize::try_from(*to).unwrap();
                self.with_node(&path, |node| node.set_length(number, node.length.max(to)));
            }
            Change::Sync if self.lie != Lie::Sync => self.with_node(&path, |node| node.sync(step.began)),
            Change::FailedSync => self.with_node(&path, |node| {
                node.pending.iter_mut().for_each(|pending| pending.is_given_up |= pending.written().is_some());
            }),
            Change::Sync | Change::SyncDir => {}
        }
    }

    fn with_node(&mut self, path: &Path, work: impl FnOnce(&mut Node)) {
        // A file that was deleted while it was open is of no interest any more.
        if let Some(node) = self.names.get(path) {
            work(&mut self.nodes[*node]);
        }
    }

    fn link(&mut self, step: usize, path: PathBuf, is_dir: bool) {
        let node = self.nodes.len();
        self.nodes.push(Node { is_dir, ..Node::default() });
        self.names.insert(path.clone(), node);
        self.pending_names.push(PendingName { step, dirs: vec![parent(&path)], entries: vec![(path, Some(node))] });
    }

    fn sync_dir(&mut self, dir: &Path, began: usize) {
        let durable = &mut self.durable_names;
        self.pending_names.retain(|pending| {
            if pending.step >= began || !pending.dirs.iter().any(|held| held == dir) {
                return true;
            }
            set_names(durable, &pending.entries);
            false
        });
    }

    /// What may be found after power failed now.
    pub(crate) fn crash(&self, seeded: &mut Seeded) -> Image {
        self.image(self.luck(seeded), seeded)
    }

    fn image(&self, luck: Luck, seeded: &mut Seeded) -> Image {
        let mut names = self.durable_names.clone();
        for pending in &self.pending_names {
            let is_kept = match luck {
                Luck::Best | Luck::Names | Luck::LosesOne(_) => true,
                Luck::Worst | Luck::KeepsOne(_) => false,
                Luck::UpTo(step) => pending.step < step,
                Luck::Mixed | Luck::Contents => seeded.happens(50),
            };
            if is_kept {
                set_names(&mut names, &pending.entries);
            }
        }
        let mut image = Image::new();
        for (path, node) in names {
            let above = parent(&path);
            // A name in a folder that did not get there is lost with it.
            if above == Path::new("") || image.get(&above).is_some_and(Option::is_none) {
                let node = &self.nodes[node];
                let content = (!node.is_dir).then(|| node.crash(luck, seeded));
                image.insert(path, content);
            }
        }
        image
    }

    /// Only what is there for sure.
    pub(crate) fn durable(&self) -> Image {
        self.image(Luck::Worst, &mut Seeded::new(0))
    }

    /// Kinds of luck, so that the near misses come as often as the chaos.
    fn luck(&self, seeded: &mut Seeded) -> Luck {
        let steps = || self.nodes.iter().flat_map(|node| &node.pending).map(|pending| pending.step);
        let first = steps().chain(self.pending_names.iter().map(|name| name.step)).min().unwrap_or(0);
        let last = steps().chain(self.pending_names.iter().map(|name| name.step)).max().unwrap_or(0);
        match seeded.below(16) {
            0 => Luck::Best,
            1 | 2 => Luck::Worst,
            3..6 => Luck::UpTo(first + seeded.index(last - first + 2)),
            6 => Luck::LosesOne(seeded.next()),
            7 => Luck::KeepsOne(seeded.next()),
            8..11 => Luck::Names,
            11 => Luck::Contents,
            _ => Luck::Mixed,
        }
    }

    /// Everything as a reader sees it: what a crash of the process alone leaves.
    pub(crate) fn present(&self) -> Image {
        self.names
            .iter()
            .map(|(path, node)| {
                let node = &self.nodes[*node];
                let all = node.pending.len();
                (path.clone(), (!node.is_dir).then(|| node.content(node.length, |_| (all, all, 0))))
            })
            .collect()
    }
}

impl Node {
    fn write(&mut self, step: usize, position: usize, bytes: &[u8]) {
        let end = position + bytes.len();
        // Changing a page has all of it written again.
        for pending in &mut self.pending {
            if let PendingKind::Write { position: held, bytes: held_bytes } = &pending.kind
                && held / PAGE <= end.saturating_sub(1) / PAGE
                && (held + held_bytes.len()).saturating_sub(1) / PAGE >= position / PAGE
            {
                pending.is_given_up = false;
            }
        }
        let kind = PendingKind::Write { position, bytes: bytes.to_vec() };
        self.pending.push(Pending { step, kind, is_given_up: false });
        if end > self.length {
            self.set_length(step, end);
        }
    }

    fn set_length(&mut self, step: usize, length: usize) {
        if length < self.length {
            // What is cut off comes back as zeros if the file grows again.
            let zeros = vec![0; self.length - length];
            let kind = PendingKind::Write { position: length, bytes: zeros };
            self.pending.push(Pending { step, kind, is_given_up: false });
        }
        if length != self.length {
            self.length = length;
            self.pending.push(Pending { step, kind: PendingKind::Length(length), is_given_up: false });
        }
    }

    fn sync(&mut self, began: usize) {
        let settled = |pending: &Pending| pending.step < began && !pending.is_given_up;
        for pending in self.pending.iter().filter(|pending| settled(pending)) {
            match &pending.kind {
                PendingKind::Write { position, bytes } => put(&mut self.durable, *position, bytes),
                PendingKind::Length(length) => self.durable.resize(*length, 0),
            }
        }
        self.pending.retain(|pending| !settled(pending));
    }

    /// What is found of this file.
    fn crash(&self, luck: Luck, seeded: &mut Seeded) -> Vec<u8> {
        let all = self.pending.len();
        let lengths: Vec<usize> = self.lengths();
        let length = match luck {
            Luck::Best | Luck::Contents | Luck::LosesOne(_) => self.length,
            Luck::Worst | Luck::KeepsOne(_) => self.durable.len(),
            Luck::UpTo(step) => {
                let kept = self.pending.iter().filter(|pending| pending.step < step);
                kept.filter_map(Pending::length).next_back().unwrap_or(self.durable.len())
            }
            Luck::Mixed | Luck::Names => lengths[seeded.index(lengths.len())],
        };
        let up_to = |step| self.pending.iter().filter(|pending| pending.step < step).count();
        let pages = (self.length.max(length).div_ceil(PAGE) as u64).max(1);
        self.content(length, |page| match luck {
            Luck::Best | Luck::Contents => (all, all, 0),
            Luck::Worst => (0, 0, 0),
            Luck::UpTo(step) => (up_to(step), up_to(step), 0),
            Luck::LosesOne(number) => {
                if number % pages == page as u64 {
                    (0, 0, 0)
                } else {
                    (all, all, 0)
                }
            }
            Luck::KeepsOne(number) => {
                if number % pages == page as u64 {
                    (all, all, 0)
                } else {
                    (0, 0, 0)
                }
            }
            Luck::Mixed | Luck::Names => match seeded.below(10) {
                0..4 => (all, all, 0),
                4..7 => (0, 0, 0),
                _ => {
                    let early = seeded.index(all + 1);
                    let border = 1 + seeded.index(PAGE / SECTOR - 1);
                    (early, early + seeded.index(all - early + 1), border)
                }
            },
        })
    }

    /// All lengths that the file may be found with.
    fn lengths(&self) -> Vec<usize> {
        std::iter::once(self.durable.len()).chain(self.pending.iter().filter_map(Pending::length)).collect()
    }

    /// The file with `length` bytes; `choose` says for each page how many of the changes it has: two numbers, and the sector from
    /// which on the second holds.
    fn content(&self, length: usize, mut choose: impl FnMut(usize) -> (usize, usize, usize)) -> Vec<u8> {
        let mut content = self.durable.clone();
        let written = self.pending.iter().filter_map(Pending::written);
        content.resize(written.clone().map(|bytes| bytes.end).fold(length.max(content.len()), usize::max), 0);
        let pages = content.len().div_ceil(PAGE);
        let mut touched = vec![false; pages];
        for bytes in written {
            touched[bytes.start / PAGE..bytes.end.div_ceil(PAGE)].fill(true);
        }
        for page in (0..pages).filter(|page| touched[*page]) {
            let (first, second, border) = choose(page);
            let start = page * PAGE;
            let end = (start + PAGE).min(content.len());
            let torn_at = (start + border * SECTOR).min(end);
            let early = self.page(start, end, first);
            let late = self.page(start, end, second);
            content[start..torn_at].copy_from_slice(&early[..torn_at - start]);
            content[torn_at..end].copy_from_slice(&late[torn_at - start..]);
        }
        content.truncate(length);
        content.resize(length, 0);
        content
    }

    /// The bytes of one page after the first `count` changes.
    fn page(&self, start: usize, end: usize, count: usize) -> Vec<u8> {
        let mut page = vec![0; end - start];
        if let Some(durable) = self.durable.get(start..end.min(self.durable.len()).max(start)) {
            page[..durable.len()].copy_from_slice(durable);
        }
        for pending in &self.pending[..count] {
            if let PendingKind::Write { position, bytes } = &pending.kind {
                let (from, to) = ((*position).max(start), (position + bytes.len()).min(end));
                if from < to {
                    page[from - start..to - start].copy_from_slice(&bytes[from - position..to - position]);
                }
            }
        }
        page
    }
}

impl Pending {
    /// The bytes that are written.
    fn written(&self) -> Option<Range<usize>> {
        match &self.kind {
            PendingKind::Write { position, bytes } => Some(*position..position + bytes.len()),
            PendingKind::Length(_) => None,
        }
    }

    fn length(&self) -> Option<usize> {
        match self.kind {
            PendingKind::Length(length) => Some(length),
            PendingKind::Write { .. } => None,
        }
    }
}

fn put(content: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    let end = position + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[position..end].copy_from_slice(bytes);
}

fn set_names(names: &mut BTreeMap<PathBuf, usize>, entries: &[(PathBuf, Option<usize>)]) {
    for (path, node) in entries {
        match node {
            Some(node) => names.insert(path.clone(), *node),
            None => {
                // With a folder goes what was in it, whether or not that was settled.
                names.retain(|name, _| !name.starts_with(path));
                None
            }
        };
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// Makes a folder hold `image` and nothing else.
pub(crate) fn write_image(root: &Path, image: &Image) {
    let _ = std::fs::remove_dir_all(root);
    std::fs::create_dir_all(root).unwrap();
    for (path, content) in image {
        let path = root.join(path);
        match content {
            None => std::fs::create_dir(path).unwrap(),
            Some(bytes) => std::fs::write(path, bytes).unwrap(),
        }
    }
}

/// What a folder holds.
pub(crate) fn read_image(root: &Path) -> Image {
    let mut image = Image::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if path.is_dir() {
                image.insert(name, None);
                folders.push(path);
            } else {
                image.insert(name, Some(std::fs::read(&path).unwrap()));
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(path: &str, change: Change, began: usize) -> Step {
        Step { path: Path::new("/disk").join(path), change, began }
    }

    fn write(path: &str, position: u64, byte: u8, count: usize) -> Step {
        step(path, Change::Write { position, bytes: vec![byte; count] }, 0)
    }

    /// All images that many crashes find after these steps.
    fn images(steps: &[Step]) -> BTreeSet<Image> {
        let mut disk = Disk::new(Path::new("/disk"), &Image::new(), Lie::None);
        steps.iter().enumerate().for_each(|(number, step)| disk.apply(number, step));
        let mut seeded = Seeded::new(7);
        (0..2000).map(|_| disk.crash(&mut seeded)).collect()
    }

    fn file(images: &BTreeSet<Image>, name: &str) -> BTreeSet<Option<Vec<u8>>> {
        images.iter().map(|image| image.get(Path::new(name)).cloned().flatten()).collect()
    }

    #[test]
    fn what_was_synced_is_there_and_the_rest_may_be() {
        let row = [
            step("a", Change::Create, 0),
            step("", Change::SyncDir, 1),
            write("a", 0, 1, 8192),
            step("a", Change::Sync, 3),
            write("a", 0, 2, 8192),
            // Began before the second write was done: covers the first only.
            step("a", Change::Sync, 4),
        ];
        let found = file(&images(&row[..4]), "a");
        assert_eq!(found, BTreeSet::from([Some(vec![1; 8192])]));
        let found = file(&images(&row), "a");
        let is_mixed = |sector: &[u8]| sector == [1; 512] || sector == [2; 512];
        for content in &found {
            let content = content.as_ref().unwrap();
            assert_eq!(content.len(), 8192);
            assert!(content.chunks(512).all(is_mixed), "torn at sectors only");
        }
        let of = |first: u8, second: u8| Some([vec![first; 4096], vec![second; 4096]].concat());
        for wanted in [of(1, 1), of(2, 2), of(1, 2), of(2, 1)] {
            assert!(found.contains(&wanted));
        }
        assert!(found.len() > 10, "{} images", found.len());
    }

    #[test]
    fn names_need_their_folder_synced_and_a_rename_is_whole() {
        let row = [
            step("a", Change::Create, 0),
            write("a", 0, 1, 10),
            step("a", Change::Sync, 2),
            step("b", Change::Create, 3),
            step("", Change::SyncDir, 4),
            step("a", Change::Rename { to: "/disk/b".into() }, 5),
        ];
        let without = file(&images(&row[..3]), "a");
        assert_eq!(without, BTreeSet::from([None, Some(vec![1; 10])]), "synced, but its name is not");
        let pairs: BTreeSet<_> = images(&row)
            .iter()
            .map(|image| ["a", "b"].map(|name| image.get(Path::new(name)).cloned().flatten()))
            .collect();
        assert_eq!(pairs, BTreeSet::from([[Some(vec![1; 10]), Some(vec![])], [None, Some(vec![1; 10])]]));
    }

    #[test]
    fn a_second_sync_does_not_bring_back_what_the_failed_one_lost() {
        let row = [
            step("a", Change::Create, 0),
            step("", Change::SyncDir, 1),
            write("a", 0, 1, 10),
            step("a", Change::FailedSync, 3),
            step("a", Change::Sync, 4),
        ];
        assert!(file(&images(&row), "a").len() > 1);
        let again = [&row[..4], &[write("a", 0, 2, 1), step("a", Change::Sync, 5)]].concat();
        let sound = [vec![2], vec![1; 9]].concat();
        assert_eq!(file(&images(&again), "a"), BTreeSet::from([Some(sound)]), "its page was changed again");
    }
}
