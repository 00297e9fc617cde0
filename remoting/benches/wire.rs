//! What the wire costs: frames, headers of both codecs, records, answers.
#![expect(missing_docs, reason = "the macros of criterion make public functions")]

use std::hint::black_box;
use std::net::SocketAddr;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::frame::{HeaderCodec, Split, split};
use boostermq_remoting::header::{DecodeHeader, HeaderHead, HeaderScratch, decode, write_frame};
use boostermq_remoting::message::record::{Record, RecordFields};
use boostermq_remoting::names::QueueId;
use boostermq_remoting::request::send::SendMessageRequestHeader;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SEND: &str = r#"{"code":310,"extFields":{"a":"producers","b":"TopicTest","c":"TBW102","d":"4","e":"3","f":"0","g":"1795368912076","h":"0","i":"KEYS\u0001key1\u0002UNIQ_KEY\u0001FD00000000000000000000000000000220D51DBD16A66FEB9CC70000\u0002WAIT\u0001true\u0002TAGS\u0001TagA\u0002","j":"0","k":"false","m":"false","n":"broker-a"},"flag":0,"language":"JAVA","opaque":3,"serializeTypeCurrentRPC":"JSON","version":513}"#;

fn send_frame(codec: HeaderCodec, body: &[u8]) -> Vec<u8> {
    let mut scratch = HeaderScratch::default();
    let view = decode(HeaderCodec::Json, SEND.as_bytes(), &mut scratch).expect("a good header");
    let head = HeaderHead {
        code: view.code,
        language: view.language,
        version: view.version,
        opaque: view.opaque,
        flag: view.flag,
        remark: None,
    };
    let mut out = Vec::new();
    let fields: Vec<_> = view.fields.iter().collect();
    write_frame(
        &mut out,
        codec,
        &head,
        |sink| fields.iter().for_each(|(name, value)| sink.text(name, value)),
        body.len(),
    );
    out.extend_from_slice(body);
    out
}

fn wire(criterion: &mut Criterion) {
    let body = vec![b'x'; 1024];
    let mut group = criterion.benchmark_group("wire");
    group.throughput(Throughput::Elements(1));
    for (name, codec) in [("json", HeaderCodec::Json), ("binary", HeaderCodec::Binary)] {
        let bytes = send_frame(codec, &body);
        group.bench_function(format!("frame decode, {name}"), |bencher| {
            bencher.iter(|| black_box(split(black_box(&bytes)).is_ok()));
        });
        group.bench_function(format!("send header decode, {name}"), |bencher| {
            let mut scratch = HeaderScratch::default();
            let Ok(Split::Whole(frame, _)) = split(&bytes) else { panic!("a good frame") };
            bencher.iter(|| {
                let view = decode(frame.codec, black_box(frame.header), &mut scratch).expect("a good header");
                black_box(SendMessageRequestHeader::decode(&view.fields).expect("a good header").queue_id)
            });
        });
        group.bench_function(format!("send answer, {name}"), |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                let head = HeaderHead::answer(ResponseCode::SUCCESS, 7);
                write_frame(
                    &mut out,
                    codec,
                    &head,
                    |sink| {
                        sink.integer("queueId", 3);
                        sink.text("transactionId", "FD00000000000000000000000000000220D51DBD16A66FEB9CC70000");
                        sink.text("msgId", "7F00000100002A9F0000000086D3D1F2");
                        sink.text("TRACE_ON", "true");
                        sink.text("MSG_REGION", "DefaultRegion");
                        sink.integer("queueOffset", 123_456);
                    },
                    0,
                );
                black_box(out.len())
            });
        });
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 10911));
    let fields = RecordFields {
        born_timestamp: 1_795_368_912_076,
        properties:
            b"KEYS\x01key1\x02UNIQ_KEY\x01FD00000000000000000000000000000220D51DBD16A66FEB9CC70000\x02TAGS\x01TagA\x02",
        ..RecordFields::plain("TopicTest", QueueId(3), address, &body)
    };
    group.bench_function("record encode, 1 KiB", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            out.clear();
            black_box(&fields).encode(&mut out).expect("a good record");
            black_box(out.len())
        });
    });
    let mut record = Vec::new();
    fields.encode(&mut record).expect("a good record");
    group.bench_function("record parse, 1 KiB", |bencher| {
        bencher.iter(|| black_box(Record::parse(black_box(&record)).expect("a good record").queue_id()));
    });
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
