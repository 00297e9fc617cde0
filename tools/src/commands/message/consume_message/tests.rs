use boostermq_remoting::message::Message;

use super::*;
use crate::options::parse;
use crate::tests::{golden, message, printed};

/// The first message that upstream's tool printed.
fn first() -> Message {
    let mut first = message("", 1, 0, 2_262_029_050, 1_795_368_912_113);
    first.born_timestamp = 1_795_368_912_111;
    first.store_size = 280;
    first.body_crc = 507_216_438;
    first.body = "héllo".as_bytes().to_vec();
    first.properties.remove("UNIQ_KEY");
    for (name, value) in [
        ("MSG_REGION", "DefaultRegion"),
        ("UNIQ_KEY", "FD00000000000000000000000000000220D51DBD16A66FEB9CEF0001"),
        ("CLUSTER", "DefaultCluster"),
        ("TAGS", "TagB"),
        ("KEYS", "k2 k3"),
        ("WAIT", "true"),
        ("TRACE_ON", "true"),
        ("color", "red"),
        ("n", "7"),
        ("MIN_OFFSET", "0"),
        ("MAX_OFFSET", "75"),
    ] {
        first.properties.insert(name, value);
    }
    first
}

#[test]
fn a_message_is_printed_as_upstream_does() {
    let text = printed(|out| show::print_pulled(out, &[first()], "broker-a"));
    let golden = golden("consumeMessage");
    assert_eq!(text.trim_end(), golden.lines().nth(2).unwrap());
}

#[test]
fn the_labelled_block_is_printed_as_upstream_does() {
    let golden = golden("queryMsgByUniqueKey");
    let mut shown =
        message("FD00000000000000000000000000000234511DBD16A66FEE151F0000", 2, 1, 2_286_776_641, 1_795_369_073_972);
    shown.born_timestamp = 1_795_369_073_951;
    shown.born_host = "127.0.0.1:44602".parse().unwrap();
    for (name, value) in [
        ("MSG_REGION", "DefaultRegion"),
        ("CLUSTER", "DefaultCluster"),
        ("TAGS", "TagA"),
        ("KEYS", "livekey"),
        ("WAIT", "true"),
        ("TRACE_ON", "true"),
    ] {
        shown.properties.insert(name, value);
    }
    let path = std::path::Path::new("/tmp/rocketmq/msgbodys/FD00000000000000000000000000000234511DBD16A66FEE151F0000");
    let text = printed(|out| show::print_labelled(out, &shown, false, path));
    // The times are local ones: where this runs may be elsewhere.
    let without_times = |text: &str| -> Vec<String> {
        text.lines().take(14).filter(|line| !line.contains("Timestamp:")).map(str::to_owned).collect()
    };
    assert_eq!(without_times(&text), without_times(&golden));
    assert_eq!(without_times(&text).len(), 12);
}

#[test]
fn options_say_what_is_wanted() {
    let parsed = parse(OPTIONS, &["-t", "T", "-b", "broker-a", "-i", "1", "-o", "5"]).unwrap();
    assert_eq!(parsed.number("i").unwrap(), Some(1_u32));
    assert!(parsed.has("o"));
}
