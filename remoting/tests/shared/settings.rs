//! What the settings of every crate are tested for: they are those of RocketMQ 5.5.0, and `CONFIG.md` says them as they are.
//!
//! Taken in by `#[path]` where a crate declares settings; no test of its own.

use boostermq_remoting::config::{Config, ConfigRow, Machine, markdown};
use boostermq_remoting::properties_file::Properties;

/// A machine of which tests know everything.
pub(crate) fn machine() -> Machine {
    Machine {
        host_name: Some("vm".into()),
        address: [192, 0, 2, 2].into(),
        home: "/home/mq".into(),
        cpus: 2,
        namesrv_addr: None,
        rocketmq_home: None,
        system_properties: Properties::new(),
    }
}

/// Compares keys and defaults of `config` with `golden`: lines of section, key and, where upstream has one, default.
pub(crate) fn assert_upstreams<C: Config>(config: &C, golden: &str) {
    // Keys of TLS are system properties there.
    let is_upstreams = |row: &&ConfigRow| row.section != "TlsConfig";
    let rows = C::rows();
    let ours: Vec<_> =
        rows.iter().filter(is_upstreams).map(|row| (row.section, row.key, config.value_text(row.key))).collect();
    let mut count = 0;
    for line in golden.lines() {
        let mut columns = line.split('\t');
        let row = (columns.next().unwrap(), columns.next().unwrap(), columns.next().map(str::to_owned));
        assert!(ours.contains(&row), "{row:?} is not among ours");
        count += 1;
    }
    assert_eq!(ours.len(), count);
}

/// Compares `CONFIG.md` in a crate's folder with what the declarations say, or writes it when `BOOSTERMQ_WRITE_DOCS` is set.
pub(crate) fn assert_document_is_fresh<C: Config>(crate_folder: &str, introduction: &str) {
    let text = markdown(introduction, &C::rows());
    let path = format!("{crate_folder}/CONFIG.md");
    if std::env::var_os("BOOSTERMQ_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == text,
        "{path} is stale: set BOOSTERMQ_WRITE_DOCS=1 and test again"
    );
}
