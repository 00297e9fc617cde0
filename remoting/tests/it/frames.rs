//! Frames of RocketMQ 5.5.0 and of official Java and Go clients, back to back as a socket delivers them.

use boostermq_remoting::code::RequestCode;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::fastjson;
use boostermq_remoting::frame::{HeaderCodec, Split, split};
use boostermq_remoting::header::HeaderScratch;
use proptest::prelude::*;

const STREAM: &[u8] = include_bytes!("../golden/frames.bin");

/// Every whole command at the front of `bytes`, and what is left over.
fn commands(mut bytes: &[u8]) -> (Vec<RemotingCommand>, &[u8]) {
    let mut scratch = HeaderScratch::default();
    let mut commands = Vec::new();
    while let Ok(Split::Whole(frame, used)) = split(bytes) {
        match RemotingCommand::from_frame(&frame, &mut scratch) {
            Ok(command) => commands.push(command),
            Err(error) => panic!("after {} commands: {error}", commands.len()),
        }
        bytes = bytes.get(used..).unwrap_or_default();
    }
    (commands, bytes)
}

#[test]
fn recorded_frames_are_read_to_the_last_byte() {
    let (commands, rest) = commands(STREAM);
    assert_eq!((commands.len(), rest.len()), (216, 0));
    for command in commands.iter().filter(|command| !command.is_response()) {
        assert!(RequestCode(command.code).name().is_some(), "{} is not declared", command.code);
    }
}

#[test]
fn recorded_commands_survive_both_codecs() {
    for command in commands(STREAM).0 {
        for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
            let mut written = command.clone();
            written.codec = codec;
            let mut bytes = Vec::new();
            written.write(&mut bytes);
            let (mut back, rest) = commands(&bytes);
            assert_eq!((back.len(), rest.len()), (1, 0));
            if codec == HeaderCodec::Binary {
                // A text of no bytes is absent there.
                written.fields.retain(|(_, value)| !value.is_empty());
                written.remark = written.remark.filter(|remark| !remark.is_empty());
            }
            assert_eq!(back.remove(0), written);
        }
    }
}

#[test]
fn recorded_json_bodies_are_read() {
    let (commands, _) = commands(STREAM);
    let bodies: Vec<_> = commands.iter().filter(|command| matches!(command.body.first(), Some(b'{' | b'['))).collect();
    assert_eq!(bodies.len(), 47);
    for command in bodies {
        if let Err(error) = fastjson::parse(&command.body) {
            panic!("{}: {error}: {}", command.code, String::from_utf8_lossy(&command.body));
        }
    }
}

proptest! {
    #[test]
    fn a_cut_stream_gives_the_frames_before_the_cut(cut in 0..STREAM.len()) {
        let (head, rest) = commands(STREAM.get(..cut).unwrap_or_default());
        let (tail, end) = commands(STREAM.get(cut - rest.len()..).unwrap_or_default());
        prop_assert_eq!((head.len() + tail.len(), end.len()), (216, 0));
    }

    #[test]
    fn flipped_bytes_bring_nothing_down(at in 0..STREAM.len(), byte: u8) {
        let mut bytes = STREAM.to_vec();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let mut scratch = HeaderScratch::default();
        let mut rest = bytes.as_slice();
        while let Ok(Split::Whole(frame, used)) = split(rest) {
            if let Ok(command) = RemotingCommand::from_frame(&frame, &mut scratch) {
                let _ = fastjson::parse(&command.body);
            }
            rest = rest.get(used..).unwrap_or_default();
        }
    }
}
