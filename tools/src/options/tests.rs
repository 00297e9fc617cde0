use super::*;

static OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::flag("l", "list", "as a list"),
    CommandOption::optional("s", "beginTimestamp ", "begin"),
    CommandOption::optional("qn", "totalQueueNum", "queues"),
    CommandOption::optional("", "attributes", "attributes"),
    CommandOption::optional("o", "offset", "offset"),
];

#[test]
fn the_ways_to_write_an_option() {
    for (tokens, key, value) in [
        (&["-t", "T"][..], "t", "T"),
        (&["-tT"], "t", "T"),
        (&["-t=T"], "t", "T"),
        (&["--topic", "T"], "t", "T"),
        (&["--topic=T"], "t", "T"),
        (&["-topic", "T"], "t", "T"),
        (&["-topic=T"], "t", "T"),
        (&["--top", "T"], "t", "T"),
        (&["-lt", "T"], "t", "T"),
        (&["foo", "-t", "T", "bar"], "t", "T"),
        (&["-t", "T", "-t", "U"], "t", "T"),
        (&["-t", " T "], "t", "T"),
        (&["-t", "\"T\""], "t", "T"),
        (&["-t", "\"T\" \"U\""], "t", "\"T\" \"U\""),
        (&["-t", "-1"], "t", "-1"),
        (&["-t", "-x"], "t", "-x"),
        (&["-t", "+a=b,-c"], "t", "+a=b,-c"),
        (&["-t", "T", "--beginTimestamp", "12"], "s", "12"),
        (&["-t", "T", "-qn", "3"], "qn", "3"),
        (&["-t", "T", "--attributes", "x"], "attributes", "x"),
        (&["-t", "T", "--", "-z"], "t", "T"),
    ] {
        let arguments = parse(OPTIONS, tokens).unwrap_or_else(|error| panic!("{tokens:?}: {error}"));
        assert_eq!(arguments.text(key), Some(value), "{tokens:?}");
    }
}

#[test]
fn what_is_refused() {
    for (tokens, text) in [
        (&["-t", "T", "--nosuch"][..], "Unrecognized option: --nosuch"),
        (&["-t", "T", "-l=1"], "Unrecognized option: -l=1"),
        (&["-t", "T", "-lz"], "Unrecognized option: -lz"),
        (&["--t", "T"], "Ambiguous option: '--t'  (could be: 'topic', 'totalQueueNum')"),
        (&["-t", "T", "-o"], "Missing argument for option: o"),
        (&["-l"], "Missing required option: t"),
    ] {
        match parse(OPTIONS, tokens) {
            Ok(arguments) => panic!("{tokens:?}: {arguments:?}"),
            Err(error) => assert_eq!(error.to_string(), text, "{tokens:?}"),
        }
    }
}

#[test]
fn values_are_typed() {
    let arguments = parse(OPTIONS, &["-t", "TRUE", "-o", "12", "-s", "2026-11-22#17:35:12:076"]).unwrap();
    assert_eq!(arguments.number("o").unwrap(), Some(12_i64));
    assert!(arguments.number::<i64>("t").is_err());
    assert!(arguments.truth("t") && !arguments.truth("o") && !arguments.truth("l"));
    let time_ms = arguments.time_ms("s").unwrap().unwrap();
    assert_eq!(crate::print::local_time(time_ms), "2026-11-22 17:35:12,076");
    assert_eq!(arguments.time_ms("o").unwrap(), Some(12));
    assert!(arguments.time_ms("t").is_err());
}

#[test]
fn ways_to_print_stand_behind_a_commands_own_options() {
    static PLAIN: &[CommandOption] = &[CommandOption::optional("t", "topic", "topic")];
    for (options, tokens, output, own) in [
        (PLAIN, &["-o", "json"][..], Some("json"), None),
        (PLAIN, &["-o=json"], Some("json"), None),
        (PLAIN, &["-output", "json"], Some("json"), None),
        (PLAIN, &["--output=json"], Some("json"), None),
        (PLAIN, &["-t", "-o", "json"], None, None),
        (OPTIONS, &["-t", "T", "-o", "7", "--output", "json"], Some("json"), Some("7")),
        (OPTIONS, &["-t", "T", "-o", "7"], None, Some("7")),
        // A beginning of an option of its own is that option.
        (OPTIONS, &["-t", "T", "--o", "7"], None, Some("7")),
    ] {
        match parse(options, tokens) {
            Ok(arguments) => assert_eq!((arguments.output(), arguments.text("o")), (output, own), "{tokens:?}"),
            Err(error) => assert_eq!(error, OptionError::MissingValue("t"), "{tokens:?}"),
        }
    }
    let arguments = parse(OPTIONS, &["-t", "T", "--watch", "2", "KEY", "--", "-x"]).unwrap();
    assert_eq!((arguments.watch(), arguments.words()), (Some("2"), &["KEY".to_owned(), "-x".to_owned()][..]));
}
