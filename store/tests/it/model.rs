//! Random work against a store and against a plain list of what must be in it: append, roll, flush, trim, crash, reopen. A run prints
//! its seeds; `BOOSTERMQ_SEED` sets one instead.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::{Duration, SystemTime};

use boostermq_remoting::offsets::PhysicalOffset;
use boostermq_store::index::{IndexQuery, KeyKind};
use boostermq_store::{AppendBatch, AppendReceipt, RetentionOptions, StoreOptions};

use crate::harness::{Seeded, TestStore, push, record_bytes, settle, small_options};

const TOPICS: [&str; 3] = ["A", "Orders", "%RETRY%group_of_someone"];
/// Queues in which some messages stand, too; not those of the retry topic.
const LIGHT: [&str; 3] = ["%LMQ%a", "%LMQ%b.c", "%LMQ%$p$c"];

struct Kept {
    receipt: AppendReceipt,
    body: Vec<u8>,
    key: String,
}

#[derive(Default)]
struct Model {
    queues: BTreeMap<(&'static str, u32), Vec<Kept>>,
    /// Bodies, in their order, and where their records begin.
    light: BTreeMap<&'static str, Vec<(PhysicalOffset, Vec<u8>)>>,
    end: PhysicalOffset,
    /// What lies before in the log has been deleted.
    begin: PhysicalOffset,
    keys: u64,
}

impl Model {
    fn append(&mut self, test: &TestStore, seeded: &mut Seeded, largest: u64) {
        let mut batch = AppendBatch::new();
        let mut sent = Vec::new();
        for _ in 0..=seeded.below(8) {
            let topic = TOPICS[seeded.below(3) as usize];
            let queue_id = seeded.below(3) as u32;
            let body: Vec<u8> = (0..seeded.below(largest)).map(|_| seeded.next() as u8).collect();
            self.keys += 1;
            let key = format!("key{}", self.keys);
            let names: Vec<_> = LIGHT.into_iter().filter(|_| seeded.below(4) == 0).collect();
            let list = names.join(",");
            let properties = format!("INNER_MULTI_DISPATCH\u{1}{list}\u{2}KEYS\u{1}{key}\u{2}");
            push(&test.store, &mut batch, topic, queue_id, &body, &properties);
            sent.push((topic, queue_id, body, key, names));
        }
        test.clock.advance(seeded.below(20) as i64 - 5);
        let end = test.store.append(&mut batch).unwrap();
        assert_eq!(end, batch.receipts().last().unwrap().end());
        for ((topic, queue_id, body, key, names), receipt) in sent.into_iter().zip(batch.receipts()) {
            assert!(receipt.physical_offset >= self.end, "{receipt:?} before {}", self.end);
            self.end = receipt.end();
            let queue = self.queues.entry((topic, queue_id)).or_default();
            assert_eq!(receipt.queue_offset.0, queue.len() as i64, "offsets are dense");
            for name in names.into_iter().filter(|_| !topic.starts_with("%RETRY%")) {
                self.light.entry(name).or_default().push((receipt.physical_offset, body.clone()));
            }
            queue.push(Kept { receipt: *receipt, body, key });
        }
    }

    fn check(&self, test: &TestStore, seeded: &mut Seeded) {
        settle(&test.store);
        let mut last_timestamp = BTreeMap::new();
        for ((topic, queue_id), kept) in &self.queues {
            let read = test.read_all(topic, *queue_id);
            let kept: Vec<&Kept> = kept.iter().filter(|kept| self.is_there(kept)).collect();
            assert_eq!(read.len(), kept.len(), "{topic}-{queue_id}");
            for ((offset, body), kept) in read.iter().zip(kept) {
                assert_eq!((*offset, body), (kept.receipt.queue_offset.0, &kept.body), "{topic}-{queue_id}");
                last_timestamp.insert(kept.receipt.physical_offset, kept.receipt.store_timestamp);
            }
        }
        for (name, kept) in &self.light {
            let kept: Vec<_> = kept.iter().map(|(at, body)| (*at >= self.begin, body.clone())).collect();
            let numbered = kept.into_iter().enumerate().filter(|(_, (is_there, _))| *is_there);
            let kept: Vec<_> = numbered.map(|(number, (_, body))| (number as i64, body)).collect();
            assert_eq!(test.read_all(name, 0), kept, "{name}");
        }
        let in_order: Vec<i64> = last_timestamp.into_values().collect();
        assert!(in_order.is_sorted(), "store times follow the log");
        self.check_one_by_key(test, seeded);
    }

    fn is_there(&self, kept: &Kept) -> bool {
        kept.receipt.physical_offset >= self.begin
    }

    /// Lets some of the oldest files of the log expire.
    fn trim(&mut self, test: &TestStore, seeded: &mut Seeded) {
        settle(&test.store);
        test.store.flush().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(test.dir.path().join("commitlog")).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().file_name());
        for file in files.into_iter().take(1 + seeded.below(3) as usize) {
            let file = File::options().write(true).open(file.unwrap().path()).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        test.store.delete_expired_files();
        test.store.look_for_room();
        let begin = test.store.min_physical_offset();
        assert!(self.begin <= begin && begin <= self.end);
        self.begin = begin;
    }

    fn check_one_by_key(&self, test: &TestStore, seeded: &mut Seeded) {
        let all: Vec<(&str, &Kept)> =
            self.queues.iter().flat_map(|((topic, _), kept)| kept.iter().map(|kept| (*topic, kept))).collect();
        let all: Vec<_> = all.into_iter().filter(|(_, kept)| self.is_there(kept)).collect();
        if all.is_empty() {
            return;
        }
        let (topic, kept) = all[seeded.below(all.len() as u64) as usize];
        let query = IndexQuery {
            topic,
            key: &kept.key,
            kind: KeyKind::Key,
            max_messages: 32,
            begin_timestamp: 0,
            end_timestamp: i64::MAX,
        };
        let found = test.store.query(&query);
        let expected = record_bytes(&test.store, kept.receipt.physical_offset).unwrap();
        assert_eq!(found.records, [expected], "{topic} {}", kept.key);
    }
}

fn run(seed: u64, file_size: u64, largest: u64, steps: u32) {
    let mut seeded = Seeded(seed);
    let mut model = Model::default();
    let retention = RetentionOptions {
        may_force: false,
        log_pause: Duration::ZERO,
        queue_pause: Duration::ZERO,
        ..RetentionOptions::default()
    };
    let mut test = TestStore::with(|root| StoreOptions {
        retention,
        light_queues: true,
        checksum_appended: true,
        checksum_verified: true,
        ..small_options(root, file_size)
    });
    for _ in 0..steps {
        match seeded.below(40) {
            0 | 1 => test = test.reopen_after_crash(),
            2 => test = test.reopen_after_close(),
            3 => test.store.flush().unwrap(),
            4 => model.check(&test, &mut seeded),
            5 => model.trim(&test, &mut seeded),
            6..9 => test.store.dispatch_now(),
            _ => model.append(&test, &mut seeded, largest),
        }
        assert_eq!(test.store.max_physical_offset(), model.end);
    }
    model.check(&test, &mut seeded);
    let test = test.reopen_after_close();
    model.check(&test, &mut seeded);
    assert!(model.begin > PhysicalOffset::ZERO || file_size > 8192, "nothing was trimmed");
}

#[test]
fn a_store_keeps_what_a_list_keeps() {
    let chosen = std::env::var("BOOSTERMQ_SEED").ok().map(|seed| seed.parse().unwrap());
    for (seed, file_size, largest) in [
        (0x9E37_79B9_7F4A_7C15, 4096, 700),
        (0xD1B5_4A32_D192_ED03, 8192, 3000),
        (0x2545_F491_4F6C_DD1D, 65536, 3000),
        (0x1234_5678_9ABC_DEF1, 65536, 200),
    ] {
        let seed = chosen.unwrap_or(seed);
        println!("model: seed {seed}, files of {file_size} bytes");
        run(seed, file_size, largest, 300);
    }
}
