use super::*;
use crate::config::Outcome;
use crate::config::machine::definitions;

fn resolve(given: &str, options: &str) -> Result<(TlsConfig, Vec<Warning>), ConfigError> {
    let given = Properties::parse("broker.conf", given.as_bytes()).unwrap();
    let (mut config, _) = TlsConfig::from_properties(&given)?;
    let warnings = config.resolve(&given, &definitions([options.to_owned()]))?;
    Ok((config, warnings))
}

#[test]
fn what_is_named_nearest_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls.properties");
    std::fs::write(
        &path,
        "tls.test.mode.enable=false\ntls.server.need.client.auth=REQUIRE\ntls.server.keyPath=/file\n\
         tls.server.keyPassword=file\ntls.server.mode=disabled\ntls.nonsense=1\n",
    )
    .unwrap();
    let options = format!(
        "-Xmx1g -Dtls.config.file={} -Dtls.server.mode=enforcing -Dtls.server.keyPath=/option \
         -Dtls.server.certPath=\"/option\" -Dother=1",
        path.display()
    );
    let (config, warnings) = resolve("tls.server.keyPath=/given", &options).unwrap();
    assert_eq!(config.mode(), TlsMode::Enforcing);
    assert!(!config.is_test_mode() && config.calls_by_tls());
    assert_eq!(config.server_need_client_auth, Some(AtStart(ClientAuth::Require)));
    assert_eq!(config.server_key_path, PathBuf::from("/given"));
    assert_eq!(config.server_cert_path, PathBuf::from("/option"));
    assert_eq!(config.server_key_password.reveal(), "file");
    assert_eq!(config.value_text("tls.server.keyPassword").as_deref(), Some("******"));
    assert!(!format!("{config:?}").contains("\"file\""));
    let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("tls.server.mode does nothing here"), "{texts:?}");
    assert!(texts[1].contains("tls.nonsense is not a known key"), "{texts:?}");

    // Nearer than enforcing, and nearer than the environment.
    let enabled = |given, options| resolve(given, options).unwrap().0.calls_by_tls();
    assert!(!enabled("tls.enable=false", "-Dtls.server.mode=enforcing -Dtls.enable=true"));
    assert!(enabled("", "-Dtls.enable=false -Dtls.enable=true"));
    assert!(!enabled("", "-Dtls.server.mode=permissive"));
}

#[test]
fn words_that_mean_nothing_stop_the_start() {
    for (given, options, expected) in [
        (
            "tls.server.mode=strict",
            "",
            "broker.conf:1: tls.server.mode=strict: expected one of disabled, permissive, enforcing",
        ),
        (
            "",
            "-Dtls.server.mode=Enforcing",
            "JAVA_OPT or JAVA_OPT_EXT: tls.server.mode=Enforcing: expected one of disabled, permissive, enforcing",
        ),
        (
            "",
            "-Dtls.server.need.client.auth=maybe",
            "JAVA_OPT or JAVA_OPT_EXT: tls.server.need.client.auth=maybe: expected one of none, optional, require",
        ),
        ("tls.test.mode.enable=no", "", "broker.conf:1: tls.test.mode.enable=no: expected true or false"),
        (
            "tls.config.file=/does/not/exist",
            "",
            "broker.conf:1: tls.config.file=/does/not/exist: expected a file of keys: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(resolve(given, options).unwrap_err().to_string(), expected);
    }
}

#[test]
fn no_request_changes_a_key_of_tls() {
    for row in TlsConfig::rows() {
        assert_eq!(row.default, None, "{} would be listed though nobody set it", row.key);
        let value = match row.kind.as_str() {
            "true or false" => "true",
            kind if kind.contains("permissive") => "disabled",
            kind if kind.contains("require") => "require",
            _ => "/x",
        };
        assert_eq!(TlsConfig::default().update(row.key, value), Ok(Outcome::AtStartOnly), "{}", row.key);
    }
}
