//! What is fuzzed: one function a decoder, each a claim about any bytes. Shared by the libFuzzer binaries and by the
//! bounded run in `cargo test`.

use boostermq_remoting::frame::{HeaderCodec, Split, split};
use boostermq_remoting::header::{DecodeHeader, HeaderHead, HeaderScratch, decode, write_frame};
use boostermq_remoting::message::batch::BatchEntries;
use boostermq_remoting::message::light::LIGHT_QUEUE;
use boostermq_remoting::message::record::{Record, Records, set_checksum};
use boostermq_remoting::request::pull::PullMessageRequestHeader;
use boostermq_remoting::request::send::SendMessageRequestHeader;

/// A stream is cut into frames that lie inside it, or refused.
pub(crate) fn frame(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Split::Whole(frame, used)) = split(rest) {
        assert_eq!(used, 8 + frame.header.len() + frame.body.len());
        rest = &rest[used..];
    }
}

/// A header is refused, or its fields come back the same through the other codec.
pub(crate) fn header(bytes: &[u8]) {
    for (codec, other) in [(HeaderCodec::Json, HeaderCodec::Binary), (HeaderCodec::Binary, HeaderCodec::Json)] {
        let mut scratch = HeaderScratch::default();
        let Ok(view) = decode(codec, bytes, &mut scratch) else { continue };
        let _ = SendMessageRequestHeader::decode(&view.fields);
        let _ = PullMessageRequestHeader::decode(&view.fields);
        // A text of no bytes is absent in the binary form, and its key has 15 bits for its length.
        let fields: Vec<_> = view
            .fields
            .iter()
            .filter(|(key, value)| !key.is_empty() && key.len() < 1 << 15 && !value.is_empty())
            .collect();
        let head = HeaderHead {
            code: 1,
            language: view.language,
            version: 1,
            opaque: view.opaque,
            flag: view.flag,
            remark: view.remark,
        };
        let mut out = Vec::new();
        write_frame(&mut out, other, &head, |sink| fields.iter().for_each(|(key, value)| sink.text(key, value)), 0);
        let mut again = HeaderScratch::default();
        let back = decode(other, &out[8..], &mut again).expect("what we write can be read");
        assert_eq!(back.fields.iter().collect::<Vec<_>>(), fields);
        assert_eq!((back.opaque, back.flag), (view.opaque, view.flag));
    }
}

/// A record is refused, or its fields make the same record again.
pub(crate) fn record(bytes: &[u8]) {
    for record in Records::new(bytes).flatten() {
        let mut out = Vec::new();
        if record.to_fields().encode(&mut out).is_ok() {
            let again = Record::parse(&out).expect("what we write can be read");
            assert_eq!((again.topic(), again.body()), (record.topic(), record.body()));
        }
        out.clear();
        if record.to_fields().encode_with_checksum(&mut out).is_ok() {
            set_checksum(&mut out);
            let again = Record::parse(&out).expect("what we write can be read");
            assert_eq!(again.check_checksum(), Ok(()));
        }
        for (name, queue_offset) in record.light_places() {
            assert!(record.has_place(name, LIGHT_QUEUE, queue_offset));
        }
        let _ = (record.check_body_crc(), record.check_checksum());
        let _ = record.properties().iter().count();
    }
}

/// A batch body is refused, or its entries make an equal body again.
pub(crate) fn batch(bytes: &[u8]) {
    let Ok(count) = BatchEntries::check(bytes) else { return };
    let mut out = Vec::new();
    for entry in BatchEntries::new(bytes).flatten() {
        entry.encode(&mut out).expect("what was read fits its fields");
    }
    assert_eq!(BatchEntries::check(&out), Ok(count));
}
