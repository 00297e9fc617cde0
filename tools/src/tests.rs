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
