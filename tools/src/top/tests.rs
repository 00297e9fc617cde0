use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::draw::draw;
use super::grid::{Cell, View, grid};
use super::screen::{Key, Screen};
use super::snapshot::{BrokerLoad, GroupLoad, Member, QueueLoad, Snapshot, TopicLoad};

const NOW_MS: i64 = 1_795_000_000_000;

fn queue(topic: &str, queue_id: i32, end: i64, committed: i64, age_ms: i64) -> QueueLoad {
    QueueLoad {
        topic: topic.to_owned(),
        broker: "broker-a".to_owned(),
        queue_id,
        end,
        committed,
        last_ms: NOW_MS - age_ms,
    }
}

fn snapshot() -> Snapshot {
    let runtime = [
        ("brokerVersionDesc", "V5_5_0"),
        ("putTps", "12.5 10.0 9.0"),
        ("getTransferredTps", "8.0 8.0 8.0"),
        ("commitLogDiskRatio", "0.31"),
        ("putLatency99", "0.4"),
        ("brokerActive", "true"),
    ];
    let runtime = runtime.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let broker = |name: &str, address: &str, runtime| BrokerLoad {
        cluster: "DefaultCluster".to_owned(),
        name: name.to_owned(),
        id: 0,
        address: address.to_owned(),
        runtime,
    };
    let group = |name: &str, out_tps, queues| GroupLoad { name: name.to_owned(), out_tps, queues };
    Snapshot {
        at_ms: NOW_MS,
        brokers: vec![
            broker("broker-a", "10.0.0.1:10911", runtime),
            broker("broker-b", "10.0.0.2:10911", std::collections::BTreeMap::new()),
        ],
        topics: vec![
            TopicLoad { name: "Orders".to_owned(), in_tps: Some(12.0), end: 5_000 },
            TopicLoad { name: "Payments".to_owned(), in_tps: Some(0.5), end: 70 },
            TopicLoad { name: "Unused".to_owned(), in_tps: None, end: 0 },
        ],
        groups: vec![
            group(
                "billing",
                2.0,
                vec![queue("Orders", 0, 2_500, 1_000, 200_000), queue("Orders", 1, 2_500, 2_400, 5_000)],
            ),
            group("shipping", 6.0, vec![queue("Orders", 0, 2_500, 2_500, 10), queue("Payments", 0, 70, 69, 1_000)]),
        ],
        members: vec![Member {
            client_id: "10.0.0.9@7".to_owned(),
            address: "10.0.0.9:4000".to_owned(),
            language: "JAVA".to_owned(),
        }],
        problems: vec!["broker-b 10.0.0.2:10911: cannot connect".to_owned()],
    }
}

fn screen() -> Screen {
    let mut screen = Screen::new();
    screen.show(snapshot());
    screen
}

fn press(screen: &mut Screen, keys: &[Key]) {
    for key in keys {
        assert!(!screen.press(*key), "{key:?} left the screen");
    }
}

fn names(screen: &Screen) -> Vec<String> {
    screen.grid().lines.into_iter().map(|line| line.key).collect()
}

fn typed(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

fn drawn(screen: &Screen) -> String {
    let mut terminal = Terminal::new(TestBackend::new(110, 12)).unwrap();
    terminal.draw(|frame| draw(frame, screen)).unwrap();
    let buffer = terminal.backend().buffer();
    let area = buffer.area;
    let line = |y: u16| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..area.height).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn numbers_of_groups() {
    let grid = grid(&snapshot(), &View::Groups);
    let cells: Vec<String> = grid.lines[0].cells.iter().map(Cell::text).collect();
    assert_eq!(cells, ["billing", "2.0", "1", "2", "1,600", "3 min 20 s"]);
    // Nothing waits in Orders; one second behind in Payments.
    let cells: Vec<String> = grid.lines[1].cells.iter().map(Cell::text).collect();
    assert_eq!(cells, ["shipping", "6.0", "2", "2", "1", "1.0 s"]);
}

#[test]
fn lag_of_topics_is_that_of_all_groups() {
    let grid = grid(&snapshot(), &View::Topics);
    let cells = |at: usize| grid.lines[at].cells.iter().map(Cell::text).collect::<Vec<_>>();
    assert_eq!(cells(0), ["Orders", "12.0", "5,000", "2", "1,600"]);
    assert_eq!(cells(2), ["Unused", "-", "0", "0", "0"]);
}

#[test]
fn every_view_has_a_cell_for_each_head() {
    for view in [
        View::Brokers,
        View::Topics,
        View::Groups,
        View::Broker("10.0.0.1:10911".to_owned()),
        View::Topic("Orders".to_owned()),
        View::Group("billing".to_owned()),
        View::Group("gone".to_owned()),
    ] {
        let grid = grid(&snapshot(), &view);
        assert!(grid.lines.iter().all(|line| line.cells.len() == grid.heads.len()), "{view:?}");
    }
}

#[test]
fn tables_sort_filter_and_lead_on() {
    let mut screen = screen();
    // The group with the largest lag first.
    assert_eq!(names(&screen), ["billing", "shipping"]);
    press(&mut screen, &[Key::Char('r')]);
    assert_eq!(names(&screen), ["shipping", "billing"]);
    press(&mut screen, &[Key::Char('2')]);
    assert_eq!(names(&screen), ["Orders", "Payments", "Unused"]);
    // By messages, by groups, by lag, by name.
    press(&mut screen, &[Key::Char('s'), Key::Char('s'), Key::Char('s'), Key::Char('s')]);
    assert_eq!(screen.place().sort, 0);
    press(&mut screen, &[Key::Char('S')]);
    assert_eq!((screen.place().sort, screen.place().is_descending), (4, true));
    press(&mut screen, &[Key::Char('/')]);
    press(&mut screen, &typed("PAYx"));
    press(&mut screen, &[Key::Backspace, Key::Enter]);
    assert_eq!(names(&screen), ["Payments"]);
    press(&mut screen, &[Key::Enter]);
    assert_eq!(screen.place().view, View::Topic("Payments".to_owned()));
    assert_eq!(names(&screen), ["shipping"]);
    press(&mut screen, &[Key::Enter]);
    assert_eq!(screen.focus().as_deref(), Some("shipping"));
    assert_eq!(names(&screen)[0], "Payments@broker-a:0");
    // A queue leads nowhere.
    press(&mut screen, &[Key::Enter, Key::Escape, Key::Escape]);
    assert_eq!(screen.place().view, View::Topics);
    assert_eq!(screen.place().filter, "PAY");
    press(&mut screen, &[Key::Escape]);
    assert_eq!(names(&screen).len(), 3);
    // There is nothing before the first table.
    press(&mut screen, &[Key::Escape]);
    assert_eq!(screen.place().view, View::Topics);
}

#[test]
fn letters_of_a_filter_are_no_commands() {
    let mut screen = screen();
    press(&mut screen, &[Key::Char('/')]);
    press(&mut screen, &typed("q1"));
    assert_eq!(screen.place().filter, "q1");
    press(&mut screen, &[Key::Escape]);
    assert_eq!((screen.place().filter.as_str(), screen.is_typing), ("", false));
    assert!(screen.press(Key::Char('q')));
    press(&mut screen, &[Key::Char('/')]);
    assert!(screen.press(Key::Interrupt));
}

#[test]
fn the_choice_stays_with_its_row() {
    let mut screen = screen();
    press(&mut screen, &[Key::Down]);
    assert_eq!(screen.chosen(&screen.grid()), Some(1));
    // Now the other group is further behind.
    let mut later = snapshot();
    later.groups[1].queues[0].end += 10_000;
    screen.show(later);
    assert_eq!(names(&screen), ["shipping", "billing"]);
    assert_eq!(screen.chosen(&screen.grid()), Some(0));
    // It is gone: the row at its place.
    let mut later = snapshot();
    later.groups.remove(1);
    screen.show(later);
    assert_eq!(screen.chosen(&screen.grid()), Some(0));
    screen.show(Snapshot::default());
    assert_eq!(screen.chosen(&screen.grid()), None);
    press(&mut screen, &[Key::Up, Key::PageDown, Key::End, Key::Enter]);
    assert_eq!(screen.place().view, View::Groups);
}

#[test]
fn ends_of_lists_hold() {
    let mut screen = screen();
    for (key, chosen) in
        [(Key::End, 1), (Key::Down, 1), (Key::Home, 0), (Key::Up, 0), (Key::PageDown, 1), (Key::PageUp, 0)]
    {
        press(&mut screen, &[key]);
        assert_eq!(screen.chosen(&screen.grid()), Some(chosen), "{key:?}");
    }
}

#[test]
fn the_screen_is_drawn() {
    let mut screen = Screen::new();
    assert!(drawn(&screen).contains("asking the cluster"));
    screen.show(snapshot());
    let text = drawn(&screen);
    for wanted in [
        "brokers 2  in 12.5/s  out 8.0/s  waiting 1,601",
        "[1] Brokers  [2] Topics  [3] Groups",
        " Groups (2) ",
        "Group     Out/s  Topics  Queues   Lag▼      Behind",
        "billing     2.0       1       2  1,600  3 min 20 s",
        "broker-b 10.0.0.2:10911: cannot connect",
        "q quit",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    press(&mut screen, &[Key::Enter]);
    let text = drawn(&screen);
    assert!(text.contains("Group billing: 10.0.0.9@7 10.0.0.9:4000 JAVA"), "{text}");
    assert!(text.contains("1,500") && text.contains("3 min 20 s"), "{text}");
    press(&mut screen, &[Key::Char('1')]);
    let text = drawn(&screen);
    assert!(text.contains("no answer") && text.contains("31%"), "{text}");
    press(&mut screen, &[Key::Char('/'), Key::Char('b')]);
    assert!(drawn(&screen).contains("/b▏"), "{}", drawn(&screen));
}

#[test]
fn a_tiny_window_is_no_trouble() {
    for (width, height) in [(1, 1), (5, 3), (20, 5)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &screen())).unwrap();
    }
}
