//! What the tests of this crate share, and the tests of the command line as a whole.
//!
//! `tests/golden` holds what RocketMQ 5.5.0's own tool printed, without the command line and the exit status.

use std::io::{self, Write};
use std::path::Path;

use boostermq_remoting::message::Message;
use boostermq_remoting::message::flags::SysFlag;
use boostermq_remoting::message::properties::PropertyMap;
use boostermq_remoting::message::property_name;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::{PhysicalOffset, QueueOffset};

use crate::command::SubCommand;
use crate::{commands, usage};

mod scripted;

/// What upstream's tool printed.
pub(crate) fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `print` writes.
pub(crate) fn printed(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    print(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A message with this unique key and place.
pub(crate) fn message(
    id: &str,
    queue_id: u32,
    queue_offset: i64,
    physical_offset: i64,
    store_timestamp: i64,
) -> Message {
    let mut properties = PropertyMap::new();
    properties.insert(property_name::UNIQ_KEY, id);
    Message {
        topic: "GoldNormal".to_owned(),
        queue_id: QueueId(queue_id),
        queue_offset: QueueOffset(queue_offset),
        physical_offset: PhysicalOffset(physical_offset),
        flag: 0,
        sys_flag: SysFlag::NONE,
        born_timestamp: store_timestamp,
        born_host: "127.0.0.1:44170".parse().unwrap(),
        store_timestamp,
        store_host: "127.0.0.1:10911".parse().unwrap(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body_crc: 0,
        store_size: 0,
        properties,
        body: Vec::new(),
    }
}

/// Runs a command line without any server behind it; gives status, output and complaints.
fn run(line: &[&str]) -> (u8, String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let arguments: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = runtime.block_on(crate::run(&arguments, &crate::Environment::default(), &mut out, &mut err));
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Upstream's usage text; `None` for a command of our own.
fn golden_usage(name: &str) -> Option<String> {
    let all = golden("help-all");
    let head = format!("usage: mqadmin {name} ");
    let from = all.find(&head)?;
    let rest = &all[from..];
    Some(rest[..rest[1..].find("usage: mqadmin ").map_or(rest.len(), |at| at + 1)].to_owned())
}

#[test]
fn usage_texts_are_upstreams() {
    for command in commands::ALL {
        let text = usage::of(*command);
        if let Some(golden) = golden_usage(command.name()) {
            assert_eq!(text, golden, "{}", command.name());
        }
        assert_eq!(run(&["help", command.name()]), (0, text.clone(), String::new()));
        assert_eq!(run(&[command.name(), "-h"]), (0, text, String::new()));
    }
}

#[test]
fn commands_stand_in_upstreams_order_once() {
    let all = golden("help-all");
    let place = |command: &&dyn SubCommand| all.find(&format!("usage: mqadmin {} ", command.name()));
    let places: Vec<usize> = commands::ALL.iter().filter_map(place).collect();
    assert!(places.is_sorted_by(|one, other| one < other), "{places:?}");
}

#[test]
fn every_command_of_upstream_is_there() {
    let all = golden("help-all");
    let names: Vec<&str> = all.split("usage: mqadmin ").skip(1).map(|usage| usage.split_once(' ').unwrap().0).collect();
    let ours: Vec<&str> = commands::ALL.iter().map(|command| command.name()).collect();
    assert_eq!(ours, names);
}

#[test]
fn work_side_by_side_keeps_its_order_and_its_bound() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (running, most) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let work = async |number: usize| {
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        for _ in 0..number % 7 {
            tokio::task::yield_now().await;
        }
        running.set(running.get() - 1);
        number
    };
    let results = runtime.block_on(crate::admin::side_by_side(0..1000, &work));
    assert_eq!(results, (0..1000).collect::<Vec<_>>());
    assert!((2..=64).contains(&most.get()), "{}", most.get());
    assert!(runtime.block_on(crate::admin::side_by_side(0..0, &work)).is_empty());
}

#[test]
fn what_changes_a_cluster_must_be_told_where() {
    for line in [
        &["cleanExpiredCQ"][..],
        &["cleanUnusedTopic"],
        &["deleteExpiredCommitLog"],
        &["deleteSubGroup", "-g", "g"],
        &["updateSubGroup", "-g", "g"],
        &["updateBrokerConfig", "-k", "k", "-v", "v"],
        &["setConsumeMode", "-t", "T", "-g", "g", "-m", "POP"],
        &["resetMasterFlushOffset", "-o", "1"],
        &["exportPopRecord"],
        &["exportMetadata"],
        &["haStatus"],
        &["getColdDataFlowCtrInfo"],
        &["removeColdDataFlowCtrGroupConfig", "-g", "g"],
        &["setCommitLogReadAheadMode", "-m", "1"],
    ] {
        let (status, out, err) = run(line);
        assert_eq!((status, err.as_str()), (1, ""), "{line:?}");
        assert_eq!(Some(out), golden_usage(line[0]), "{line:?}");
    }
}

#[test]
fn what_is_not_built_ends_with_a_status_of_its_own() {
    for line in [
        &["updateStaticTopic", "-b", "b", "-t", "T", "-qn", "1"][..],
        &["remappingStaticTopic", "-b", "b", "-t", "T"],
        &["exportMetadataInRocksDB", "-p", "/x", "-t", "topics"],
        &["rocksDBConfigToJson", "-p", "/x", "-t", "topics"],
    ] {
        let (status, out, err) = run(line);
        assert_eq!((status, out.as_str(), err.lines().count()), (3, "", 1), "{line:?}: {err}");
    }
}

#[test]
fn failures_end_as_upstreams_when_that_is_wanted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let environment = crate::Environment { has_upstream_status: true, ..crate::Environment::default() };
    for (line, status) in [
        (&["topicRoute", "-n", "127.0.0.1:1", "-t", "T"][..], 0),
        (&["updateStaticTopic", "-b", "b", "-t", "T", "-qn", "1"], 0),
        (&["haStatus"], 0),
        (&["nosuch"], 0),
        (&["topicRoute"], 1),
    ] {
        let arguments: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let ended = runtime.block_on(crate::run(&arguments, &environment, &mut Vec::new(), &mut Vec::new()));
        assert_eq!(ended, status, "{line:?}");
    }
}

#[test]
fn the_list_of_commands() {
    let (status, out, err) = run(&[]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.starts_with("The most commonly used mqadmin commands are:\n   updateTopic                         Update or create topic.\n"), "{out}");
    assert!(out.contains("\n\nSee 'mqadmin help <command>' for more information on a specific command.\n"), "{out}");
    assert!(out.contains(crate::UPSTREAM_STATUS), "{out}");
    assert_eq!(run(&["help"]).1, out);
}

#[test]
fn command_lines_are_refused_in_upstreams_words() {
    assert_eq!(run(&["nosuch", "-t", "x"]), (1, "The sub command nosuch not exist.\n".to_owned(), String::new()));
    assert_eq!(run(&["help", "nosuch"]), (1, "The sub command nosuch not exist.\n".to_owned(), String::new()));
    for (line, complaint) in [
        (&["topicRoute"][..], "Missing required option: t"),
        (&["TOPICROUTE"], "Missing required option: t"),
        (&["sendMessage"], "Missing required options: t, p"),
        (&["topicRoute", "-t"], "Missing argument for option: t"),
        (&["topicRoute", "-t", "-l"], "Missing argument for option: t"),
        (&["topicRoute", "-t", "x", "-z"], "Unrecognized option: -z"),
        (&["topicRoute", "-t", "x", "--zoo=1"], "Unrecognized option: --zoo=1"),
        (
            &["updateTopic", "-t", "x"],
            "Missing required option: [-b create topic to which broker, -c create topic to which cluster]",
        ),
        (
            &["updateTopic", "-t", "x", "-b", "a", "-c", "b"],
            "The option 'c' was specified but an option from this group has already been selected: 'b'",
        ),
    ] {
        let (status, out, err) = run(line);
        assert_eq!((status, err), (1, format!("{complaint}\n")), "{line:?}");
        assert!(out.starts_with("usage: mqadmin "), "{out}");
    }
}

#[test]
fn servers_that_are_not_there_are_named() {
    // Port 1 of the loopback address: nobody listens.
    let (status, out, err) = run(&["topicRoute", "-n", "127.0.0.1:1;127.0.0.1:1", "-t", "T"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.starts_with("mqadmin topicRoute: no name server answered: cannot connect to 127.0.0.1:1"), "{err}");
    assert!(err.contains("-n") && err.lines().count() == 1, "{err}");
}

#[test]
fn options_that_exclude_each_other() {
    for (line, text) in [
        (&["sendMessage", "-t", "T", "-p", "x", "-i", "1"][..], "Broker name must be set if the queue is chosen!\n"),
        (&["consumeMessage", "-t", "T", "-i", "1"], "Please set the brokerName before queueId!\n"),
        (&["consumeMessage", "-t", "T", "-o", "1"], "Please set queueId before offset!\n"),
        (&["consumeMessage", "-t", "T", "-c", "0"], "Please input a positive messageNumber!\n"),
        (&["consumeMessage", "-t", "T", "-s", "9999999999999"], "Please set the beginTimestamp before now!\n"),
    ] {
        assert_eq!(run(line), (1, text.to_owned(), String::new()), "{line:?}");
    }
}

#[test]
fn ways_to_print_are_refused_where_they_do_not_apply() {
    for (line, complaint) in [
        (&["deleteTopic", "-t", "T", "-c", "C", "-o", "json"][..], "it prints no table"),
        (&["deleteTopic", "-t", "T", "-c", "C", "--watch", "1"], "it prints no table"),
        (&["sendMessage", "-t", "T", "-p", "x", "--watch", "1"], "again and again"),
        (&["clusterList", "-o", "xml"], "-o must be text, wide, json or yaml"),
        (&["clusterList", "--watch", "0"], "--watch must be between"),
        (&["clusterList", "--watch", "soon"], "--watch must be a number"),
        (&["clusterList", "-o"], "Missing argument for option: o"),
    ] {
        let (status, _, err) = run(line);
        assert_eq!(status, 1, "{line:?}");
        assert!(err.contains(complaint), "{line:?}: {err}");
    }
}

#[test]
fn what_changes_something_is_never_done_again_by_itself() {
    let verbs =
        ["update", "delete", "reset", "skip", "send", "clone", "create", "clean", "add", "remove", "wipe", "set"];
    for command in commands::all() {
        // sendMsgStatus measures.
        let changes = verbs.iter().any(|verb| command.name().starts_with(verb)) && command.name() != "sendMsgStatus";
        assert!(!changes || !command.has_tables() || command.changes(), "{}", command.name());
    }
}

/// Breaks after a number of flushes.
struct Reader(usize, Vec<u8>);

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(())
    }
}

#[test]
fn watching_goes_on_over_failures_until_nobody_reads() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let arguments = ["topicList", "-n", "127.0.0.1:1", "--watch", "0.1"].map(str::to_owned);
    let (mut out, mut err) = (Reader(2, Vec::new()), Vec::new());
    let status = runtime.block_on(crate::run(&arguments, &crate::Environment::default(), &mut out, &mut err));
    let err = String::from_utf8(err).unwrap();
    assert_eq!((status, err.matches("no name server answered").count()), (1, 2), "{err}");
}

#[test]
fn own_commands_show_what_they_take() {
    assert!(run(&["help", "find"]).1.starts_with("usage: mqadmin find KEY [-b <arg>]"));
    let (status, out, _) = run(&["find", "-n", "127.0.0.1:1"]);
    assert_eq!(status, 1);
    assert!(out.starts_with("usage: mqadmin find KEY "), "{out}");
    for command in commands::OWN {
        assert!(run(&[]).1.contains(&format!("   {:<35} {}\n", command.name(), command.description())));
    }
}
