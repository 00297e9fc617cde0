use super::*;
use crate::tests::printed;

static BROKERS: Style = Style {
    name: "brokers",
    head: "%-8s %6s%n",
    row: "%-8.8s %6s|%n",
    columns: &[
        Column::new("name", "#Name"),
        Column::text("#Load"),
        Column::value("load"),
        Column::value("isBusy"),
        Column::wide("address", "#Address"),
    ],
};

fn document() -> Document {
    let mut table = Table::new(&BROKERS);
    table.row(["broker-long".into(), Cell::shown("0.5w", ()), 5000.into(), false.into(), "10.0.0.1:1".into()]);
    table.row(["b".into(), Cell::from(7), 7.into(), true.into(), Cell::from(Value::Null)]);
    let mut document = Document::of(table);
    document.line("").field("total", 0.25, "Total: 0.25").hidden("groups", vec!["a", "yes", "1 2"]);
    document
}

#[test]
fn one_document_in_every_format() {
    BROKERS.check();
    for (format, text) in [
        (Format::Text, "#Name     #Load\nbroker-l   0.5w|\nb             7|\n\nTotal: 0.25\n"),
        (Format::Wide, "#Name        #Load  #Address\nbroker-long  0.5w   10.0.0.1:1\nb            7\n\nTotal: 0.25\n"),
        (
            Format::Yaml,
            "---\nbrokers:\n  - name: broker-long\n    load: 5000\n    isBusy: false\n    address: \"10.0.0.1:1\"\n  \
             - name: b\n    load: 7\n    isBusy: true\n    address: null\ntotal: 0.25\ngroups:\n  - a\n  - \"yes\"\n  \
             - \"1 2\"\n",
        ),
    ] {
        assert_eq!(printed(|out| document().write(format, out)), text, "{format:?}");
    }
    let json = printed(|out| document().write(Format::Json, out));
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["brokers"][0]["load"], 5000);
    assert_eq!(read["total"], 0.25);
    // Members stand in the order of the columns.
    assert!(json.find("\"name\"").unwrap() < json.find("\"load\"").unwrap(), "{json}");
}

#[test]
fn tables_of_one_name_are_one_list() {
    let mut document = document();
    let mut more = Table::new(&BROKERS).without_head();
    more.row(["c".into(), "".into(), 1.into(), true.into(), "".into()]);
    document.table(more);
    let json = printed(|out| document.write(Format::Json, out));
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["brokers"].as_array().unwrap().len(), 3);
}

#[test]
fn numbers_stand_right_in_a_wide_table() {
    let mut table = Table::new(&BROKERS);
    table.row(["a".into(), 5.into(), 5.into(), true.into(), "".into()]);
    table.row(["b".into(), 12_345_678.into(), 5.into(), true.into(), "".into()]);
    let text = printed(|out| Document::of(table).write(Format::Wide, out));
    assert_eq!(text, "#Name     #Load  #Address\na             5\nb      12345678\n");
}

#[test]
fn numbers_that_are_none_are_null() {
    let mut document = Document::new();
    document.hidden("rate", f64::NAN).hidden("empty", Vec::<i64>::new());
    assert_eq!(printed(|out| document.write(Format::Yaml, out)), "---\nrate: null\nempty: []\n");
    assert_eq!(printed(|out| document.write(Format::Json, out)), "{\n  \"rate\": null,\n  \"empty\": []\n}\n");
}

#[test]
fn formats_have_names() {
    assert_eq!("json".parse::<Format>().unwrap(), Format::Json);
    assert!("xml".parse::<Format>().unwrap_err().to_string().contains("wide"));
}
