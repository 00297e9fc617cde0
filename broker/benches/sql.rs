//! What one question to a SQL92 filter costs, by message: properties as a Java producer and the broker leave them.
#![expect(missing_docs, reason = "the macros of criterion make public functions")]

use std::hint::black_box;

use boostermq_broker::filter::sql::Expression;
use boostermq_remoting::message::properties::{Properties, PropertyMap};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Properties of a message as it is stored, with two of the application's.
fn properties(a: &str, b: &str) -> String {
    let mut properties = PropertyMap::new();
    for (name, value) in [
        ("KEYS", "order-20240131-000017"),
        ("UNIQ_KEY", "0A00000100002A139B2D6D2F4B6C0001"),
        ("CLUSTER", "DefaultCluster"),
        ("MSG_REGION", "DefaultRegion"),
        ("TRACE_ON", "true"),
        ("WAIT", "true"),
        ("TAGS", "paid"),
        ("a", a),
        ("b", b),
    ] {
        properties.insert(name, value);
    }
    properties.encode()
}

fn evaluate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sql");
    group.throughput(Throughput::Elements(1));
    let list: Vec<String> = (0..100).map(|number| format!("'city-{number}'")).collect();
    for (name, text, a, b) in [
        ("a > 5 AND b = 'x', wanted", "a > 5 AND b = 'x'".to_owned(), "17", "x"),
        ("a > 5 AND b = 'x', not wanted", "a > 5 AND b = 'x'".to_owned(), "3", "x"),
        (
            "between, contains, is null",
            "a BETWEEN 1 AND 20 AND b CONTAINS 'it' AND c IS NULL".to_owned(),
            "17",
            "city-50",
        ),
        ("in 100 strings", format!("b IN ({})", list.join(", ")), "17", "city-50"),
    ] {
        let (expression, properties) = (Expression::compile(&text).expect("an expression"), properties(a, b));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(&expression).matches(black_box(Properties(&properties))));
        });
    }
    group.finish();
    criterion.bench_function("sql/compile a > 5 AND b = 'x'", |bencher| {
        bencher.iter(|| Expression::compile(black_box("a > 5 AND b = 'x'")));
    });
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
