//! What the system lets this process have: file descriptors and memory. Servers cut their own limits to it, so that they
//! refuse a connection before the system refuses a file of the store, or ends the process.

use std::path::Path;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::Budget;

/// Descriptors where the system sets no limit.
const DESCRIPTORS_UNLIMITED: u64 = 1 << 20;
/// Limits of this many bytes and more mean none: control groups write 2^63 rounded down to pages.
const MEMORY_UNLIMITED: u64 = 1 << 60;

/// Descriptors kept for the files of the process, where there are enough: half of them where there are few.
const RESERVED_FOR_FILES: u64 = 4096;
/// Share of the memory that buffers of connections may take.
const MEMORY_SHARE: u64 = 4;

/// How many connections may be open at once: `most`, or fewer where descriptors are scarce, so that the process can always
/// open the files it needs.
#[must_use]
pub fn connections(most: usize) -> Budget {
    let descriptors = descriptors();
    let left = descriptors - RESERVED_FOR_FILES.min(descriptors / 2);
    Budget::new(most.min(usize::try_from(left).unwrap_or(most)))
}

/// How many bytes the buffers of all connections may take: `most`, or a quarter of the memory there is when that is less.
#[must_use]
pub fn buffers(most: usize) -> Budget {
    let share = memory().and_then(|bytes| usize::try_from(bytes / MEMORY_SHARE).ok());
    Budget::new(share.map_or(most, |share| share.min(most)))
}

/// How many descriptors the process may have open, after its soft limit was raised to the hard one as far as that is
/// allowed (a JVM does the same).
#[must_use]
pub fn descriptors() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(DESCRIPTORS_UNLIMITED).min(DESCRIPTORS_UNLIMITED);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // What may not be raised stays as it is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS_UNLIMITED)
}

/// How many bytes of memory the process may use: what the machine has, or less where a control group says so; `None` when
/// neither can be read.
#[must_use]
pub fn memory() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = group_limit(&groups, Path::new("/sys/fs/cgroup"));
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    limit.into_iter().chain(total).min()
}

/// `MemTotal` of `/proc/meminfo`.
fn total(text: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The least limit of the control groups in `groups` (`/proc/self/cgroup`) and of those they are in.
fn group_limit(groups: &str, root: &Path) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (base, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        // Inside a container the group's own folder may be the root, whatever its path says.
        let folder = base.join(group.trim_start_matches('/'));
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&base)) {
            let limit = std::fs::read_to_string(folder.join(file)).ok().and_then(|text| text.trim().parse().ok());
            let limit = limit.filter(|limit| *limit < MEMORY_UNLIMITED);
            least = least.into_iter().chain(limit).min();
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_found_in_both_versions_of_groups() {
        let root = std::env::temp_dir().join(format!("boostermq-allowance-{}", std::process::id()));
        for (path, text) in [
            ("memory/a/b/memory.limit_in_bytes", "1000\n"),
            ("memory/a/memory.limit_in_bytes", "500\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("c/memory.max", "max\n"),
            ("c/d/memory.max", "700\n"),
        ] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (groups, expected) in [
            ("4:memory:/a/b\n3:cpu:/a\n", Some(500)),
            ("4:cpu,memory:/a/b/gone\n", Some(500)),
            ("4:memory:/\n", None),
            ("0::/c/d\n", Some(700)),
            ("0::/c\n", None),
            ("0::/c/d\n4:memory:/a\n", Some(500)),
            ("0::/../../elsewhere\n", None),
            ("nonsense\n", None),
            ("", None),
        ] {
            assert_eq!(group_limit(groups, &root), expected, "{groups:?}");
        }
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn the_machine_has_memory_and_descriptors() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       24 kB\n"), Some(24 * 1024));
        assert_eq!(total("MemTotal: many\n"), None);
        assert!(memory().is_some_and(|bytes| bytes > 1 << 20));
        assert!(descriptors() > 10);
        assert_eq!((connections(3).limit(), buffers(5).limit()), (3, 5));
        assert!((connections(usize::MAX).limit() as u64) < descriptors());
        assert!(buffers(usize::MAX).limit() < usize::MAX);
    }
}
