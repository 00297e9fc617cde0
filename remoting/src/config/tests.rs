use super::*;
use crate::names::BrokerName;

const WHY: &str = "there is no cellar";

crate::config! {
    /// Keys of the shelf.
    struct ShelfConfig {
        /// Boards of the shelf.
        boards: u32 = 3, "shelfBoards", Live, 1..=9;
    }
}

crate::config! {
    /// Keys of the kiosk.
    struct KioskConfig {
        /// Name over the door.
        name: BrokerName = "".into(), "kioskName", Restart;
        /// Time between two deliveries.
        delivery_interval: Millis = Millis(500), "deliveryInterval", Live, 1..=i64::MAX;
        /// Open | shut.
        open: bool = true, "isOpen", Live;
        /// Bottles in the cellar.
        bottles: i32 = -1, "cellarBottles", Inert(WHY);
        /// Locks the cellar.
        lock: bool = false, "cellarLocked", Refused(WHY);
        /// Owner, if known.
        owner: Option<String> = None, "ownerName", Restart;
        sections {
            /// The shelf.
            shelf: ShelfConfig;
        }
    }
}

fn read(text: &str) -> Result<(KioskConfig, Vec<Warning>), ConfigError> {
    KioskConfig::from_properties(&Properties::parse("kiosk.conf", text.as_bytes()).unwrap())
}

fn warnings(text: &str) -> Vec<String> {
    read(text).unwrap().1.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_becomes_a_typed_configuration() {
    let (config, warnings) =
        read("kioskName = Corner \ndeliveryInterval=250\nisOpen=FALSE\nshelfBoards=9\nownerName=\n").unwrap();
    assert_eq!(config.name.as_str(), "Corner");
    assert_eq!(config.delivery_interval.duration(), std::time::Duration::from_millis(250));
    assert!(!config.open);
    assert_eq!(config.shelf.boards, 9);
    assert_eq!(config.owner, None);
    assert_eq!(warnings, []);
    assert_eq!(read("").unwrap().0, KioskConfig::default());
}

#[test]
fn a_wrong_value_says_where_and_what_would_be_right() {
    let table = [
        ("\nisOpen=yes", "kiosk.conf:2: isOpen=yes: expected true or false"),
        ("isOpen=", "kiosk.conf:1: isOpen=: expected true or false"),
        ("shelfBoards=0", "kiosk.conf:1: shelfBoards=0: expected a whole number from 1 to 9"),
        ("shelfBoards=-1", "kiosk.conf:1: shelfBoards=-1: expected a whole number from 1 to 9"),
        ("deliveryInterval=1s", "kiosk.conf:1: deliveryInterval=1s: expected a number of milliseconds, 1 or more"),
        (
            "deliveryInterval=99999999999999999999",
            "kiosk.conf:1: deliveryInterval=99999999999999999999: expected a number of milliseconds, 1 or more",
        ),
        ("kioskName=a\\nisOpen=false", "kiosk.conf:1: kioskName=a\nisOpen=false: expected a name on one line"),
        ("cellarLocked=true", "kiosk.conf:1: cellarLocked=true cannot be kept: there is no cellar; take the key out"),
    ];
    for (text, expected) in table {
        assert_eq!(read(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn what_does_nothing_is_said() {
    assert_eq!(warnings("cellarBottles=7"), ["kiosk.conf:1: cellarBottles does nothing here: there is no cellar"]);
    assert_eq!(warnings("cellarBottles=-1\ncellarLocked=false"), Vec::<String>::new());
    assert_eq!(
        warnings("\nisOpn=true"),
        ["kiosk.conf:2: isOpn is not a known key and does nothing; did you mean isOpen?"]
    );
    assert_eq!(warnings("weather=fine"), ["kiosk.conf:1: weather is not a known key and does nothing"]);
    assert_eq!(
        warnings("isOpen=true\nisOpen=false"),
        ["kiosk.conf:2: isOpen is set more than once; this last value stands"]
    );
}

#[test]
fn a_wrong_value_of_a_key_that_does_nothing_stops_nothing() {
    let (config, _) = read("cellarBottles=many").unwrap();
    assert_eq!(config.bottles, -1);
}

#[test]
fn values_are_listed_in_upstreams_text() {
    let text = KioskConfig::default().to_properties().to_wire_text();
    assert_eq!(text, "cellarBottles=-1\ncellarLocked=false\ndeliveryInterval=500\nisOpen=true\nshelfBoards=3\n");
}

#[test]
fn only_live_keys_change_at_run_time() {
    let mut config = KioskConfig::default();
    assert_eq!(config.update("shelfBoards", " 4 "), Ok(Outcome::Applied));
    assert_eq!(config.shelf.boards, 4);
    assert_eq!(config.update("kioskName", "Corner"), Ok(Outcome::AtStartOnly));
    assert_eq!(config.name.as_str(), "");
    assert_eq!(config.update("cellarBottles", "4"), Ok(Outcome::NoEffect(WHY)));
    assert_eq!(config.update("weather", "fine"), Ok(Outcome::UnknownKey));
    assert_eq!(
        config.update("shelfBoards", "10").unwrap_err().to_string(),
        "shelfBoards=10: expected a whole number from 1 to 9"
    );
    assert!(matches!(config.update("cellarLocked", "true"), Err(ConfigError::Refused { .. })));
    assert_eq!(config.shelf.boards, 4);
}

#[test]
fn two_configurations_read_one_file() {
    crate::config! {
        /// Keys of the till.
        struct TillConfig {
            /// Coins in it.
            coins: u64 = 10, "tillCoins", Live;
        }
    }
    let file = Properties::parse("kiosk.conf", b"tillCoins=5\nisOpen=false\ntilCoins=6").unwrap();
    let ((kiosk, till), warnings) = <(KioskConfig, TillConfig)>::from_properties(&file).unwrap();
    assert_eq!((kiosk.open, till.coins), (false, 5));
    let expected = "kiosk.conf:3: tilCoins is not a known key and does nothing; did you mean tillCoins?";
    assert_eq!(warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn document_has_a_line_for_each_key() {
    let text = markdown("# Kiosk", &KioskConfig::rows());
    for line in [
        "# Kiosk\n",
        "\n## KioskConfig\n",
        "\n## ShelfConfig\n",
        "| `kioskName` |  | at start | Name over the door. Takes a name. |\n",
        "| `isOpen` | `true` | at once | Open \\| shut. Takes true or false. |\n",
        "| `cellarBottles` | `-1` | never: there is no cellar | Bottles in the cellar. Takes a whole number. |\n",
        "| `shelfBoards` | `3` | at once | Boards of the shelf. Takes a whole number from 1 to 9. |\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn doubles_look_as_java_prints_them() {
    for (value, text) in
        [(0.8, "0.8"), (8000.0, "8000.0"), (200_000.0, "200000.0"), (1e7, "1.0E7"), (2.5e-4, "2.5E-4"), (0.0, "0.0")]
    {
        assert_eq!(value.text().as_deref(), Some(text));
        assert_eq!(f64::parse(text), Some(value));
    }
    assert_eq!(f64::parse("NaN"), None);
}

#[test]
fn secrets_do_not_show() {
    let secret = Secret::parse("{\"password\":\"12345678\"}").unwrap();
    assert_eq!(secret.reveal(), "{\"password\":\"12345678\"}");
    assert_eq!(format!("{secret:?} {:?}", secret.text()), "Secret(hidden) Some(\"******\")");
}

#[test]
fn units_are_what_they_say() {
    assert_eq!(Hours(72).duration(), Days(3).duration());
    assert_eq!(Minutes(1).duration(), Seconds(60).duration());
    assert_eq!(Seconds(1).duration(), Millis(1000).duration());
    assert_eq!(Days(u64::MAX).duration(), Millis(u64::MAX).duration());
    assert_eq!(ByteSize::gib(1), ByteSize::mib(1024));
    assert_eq!(ByteSize::mib(1), ByteSize(1 << 20));
    assert_eq!(ByteSize::kib(64).to_usize(), 65_536);
}

#[test]
fn a_reader_keeps_its_snapshot() {
    let live = Live::new(ShelfConfig::default());
    let (before, shared) = (live.snapshot(), live.clone());
    shared.replace(ShelfConfig { boards: 5 });
    assert_eq!((before.boards, live.read().boards), (3, 5));
}

#[test]
fn the_machine_has_an_address_and_a_home() {
    let machine = Machine::this();
    assert!(machine.cpus > 0 && !machine.home.as_os_str().is_empty());
}
