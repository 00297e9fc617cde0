//! Keys of TLS, which a broker, a name server and `mqadmin` share, and the three places they come from.
//!
//! Upstream takes them as system properties of the JVM and from a properties file; here a server's own file may hold them as
//! well. What stands nearest to one server wins: its own file, then the file of `tls.config.file`, then the environment.
//! They are never shown to a peer unless they were set, secrets not even then, and no request changes them.
//!
//! Upstream: `TlsSystemConfig`, `TlsHelper`, `TlsMode` (RocketMQ 5.5.0).

use std::io;
use std::path::{Path, PathBuf};

use super::values::{AtStart, Secret, Setting};
use super::{Config, ConfigError, Warning};
use crate::properties_file::Properties;

/// Where RocketMQ 5.5.0 looks for settings of TLS when `tls.config.file` says nothing.
const DEFAULT_FILE: &str = "/etc/rocketmq/tls.properties";
/// Keys that upstream takes from the environment only: a server that read them from the shared file too would turn clients
/// away that a Java server takes.
const NOT_IN_FILE: [&str; 3] = ["tls.server.mode", "tls.config.file", "tls.enable"];

crate::constants! {
    /// Which clients a server takes.
    pub enum TlsMode {
        /// Plain ones only.
        Disabled = "disabled",
        /// Both.
        Permissive = "permissive",
        /// Those by TLS only.
        Enforcing = "enforcing",
    }
}

/// Whether clients must show a certificate. Upstream: Netty's `ClientAuth`, whose words it reads in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    None,
    /// They may.
    Optional,
    /// They must.
    Require,
}

impl ClientAuth {
    const ALL: [Self; 3] = [Self::None, Self::Optional, Self::Require];

    /// The word in a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Optional => "optional",
            Self::Require => "require",
        }
    }
}

impl Setting for ClientAuth {
    fn kind() -> String {
        format!("one of {}", Self::ALL.map(Self::as_str).join(", "))
    }
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| text.eq_ignore_ascii_case(word.as_str()))
    }
    fn text(&self) -> Option<String> {
        Some(self.as_str().to_owned())
    }
}

crate::config! {
    /// Keys of TLS. Beside the server's own file they may stand in that of tls.config.file (but for tls.server.mode,
    /// tls.config.file and tls.enable) and as `-Dkey=value` in the environment variable JAVA_OPT or JAVA_OPT_EXT; what is
    /// named first here wins. None is changed by a request.
    pub struct TlsConfig {
        /// Which clients are taken: `permissive` takes plain ones and those by TLS on the same port, `enforcing` TLS only,
        /// `disabled` plain ones only. Unset it is `permissive`.
        mode: Option<AtStart<TlsMode>> = None, "tls.server.mode", Restart;
        /// File with keys of TLS. Unset it is `/etc/rocketmq/tls.properties` if there is one.
        file: PathBuf = PathBuf::new(), "tls.config.file", Restart;
        /// Connects to other servers by TLS. Unset it is true where tls.server.mode is `enforcing`; useTLS of a broker wins.
        enable: Option<AtStart<bool>> = None, "tls.enable", Restart;
        /// Serves with a certificate that is made at the first TLS connection and that nobody can check, and trusts every
        /// server. Unset it is true.
        test_mode: Option<AtStart<bool>> = None, "tls.test.mode.enable", Restart;
        /// Whether clients show a certificate. Unset it is `none`. Without tls.server.authClient any certificate will do.
        server_need_client_auth: Option<AtStart<ClientAuth>> = None, "tls.server.need.client.auth", Restart;
        /// File with the server's private key in PEM. It and the certificate are read again when they change.
        server_key_path: PathBuf = PathBuf::new(), "tls.server.keyPath", Restart;
        /// Password of that key.
        server_key_password: Secret = Secret::default(), "tls.server.keyPassword", Restart;
        /// File with the server's certificate in PEM, and those of its issuers behind it.
        server_cert_path: PathBuf = PathBuf::new(), "tls.server.certPath", Restart;
        /// Checks certificates of clients against tls.server.trustCertPath. Unset it is false.
        server_auth_client: Option<AtStart<bool>> = None, "tls.server.authClient", Restart;
        /// File with certificates in PEM of those who issue certificates of clients.
        server_trust_cert_path: PathBuf = PathBuf::new(), "tls.server.trustCertPath", Restart;
        /// File with the private key in PEM with which this process calls other servers.
        client_key_path: PathBuf = PathBuf::new(), "tls.client.keyPath", Restart;
        /// Password of that key.
        client_key_password: Secret = Secret::default(), "tls.client.keyPassword", Restart;
        /// File with the certificate in PEM that is shown to other servers.
        client_cert_path: PathBuf = PathBuf::new(), "tls.client.certPath", Restart;
        /// Checks certificates of other servers against tls.client.trustCertPath. Unset it is false.
        client_auth_server: Option<AtStart<bool>> = None, "tls.client.authServer", Restart;
        /// File with certificates in PEM of those who issue certificates of servers.
        client_trust_cert_path: PathBuf = PathBuf::new(), "tls.client.trustCertPath", Restart;
    }
}

impl TlsConfig {
    /// What holds for a process that has no configuration file.
    ///
    /// # Errors
    /// As [`TlsConfig::resolve`].
    pub fn of_environment(environment: &Properties) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        config.resolve(&Properties::new(), environment)?;
        Ok(config)
    }

    /// Takes what `given` leaves open from the file of `tls.config.file` and from the environment, that is
    /// [`Machine::system_properties`](super::Machine::system_properties).
    ///
    /// # Errors
    /// [`ConfigError`] for a value that cannot be understood, and for a named file that cannot be read: a server that then
    /// went on with a certificate nobody can check would not be the one its operator meant.
    pub fn resolve(&mut self, given: &Properties, environment: &Properties) -> Result<Vec<Warning>, ConfigError> {
        if self.file.as_os_str().is_empty() {
            self.file = environment.get("tls.config.file").unwrap_or_default().into();
        }
        let mut warnings = Vec::new();
        let file = self.read_file(given, &mut warnings)?;
        for place in file.iter().chain([environment]) {
            // Read whole first: a wrong value is reported with its place, though another one may stand.
            let mut known = Properties::named(place.source());
            for row in Self::rows() {
                if let Some(value) = place.get(row.key) {
                    known.insert(row.key, value);
                }
            }
            let (values, _) = Self::from_properties(&known)?;
            self.fill_from(&values, &known);
        }
        Ok(warnings)
    }

    fn read_file(&self, given: &Properties, warnings: &mut Vec<Warning>) -> Result<Option<Properties>, ConfigError> {
        let is_named = !self.file.as_os_str().is_empty();
        let path = if is_named { &self.file } else { Path::new(DEFAULT_FILE) };
        let unfit = |reason: String| {
            ConfigError::unfit(
                given,
                "tls.config.file",
                path.display().to_string(),
                format!("a file of keys: {reason}"),
            )
        };
        let bytes = match std::fs::read(path) {
            Err(error) if !is_named && error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| unfit(error.to_string()))?,
        };
        let mut file =
            Properties::parse(&path.display().to_string(), &bytes).map_err(|error| unfit(error.to_string()))?;
        for key in NOT_IN_FILE {
            if file.remove(key).is_some() {
                warnings.push(Warning::NoEffect {
                    file: file.source().to_owned(),
                    line: None,
                    key: key.to_owned(),
                    why: "it is read from the server's own file, or as -D from JAVA_OPT",
                });
            }
        }
        let (_, found) = Self::from_properties(&file)?;
        warnings.extend(found);
        Ok(Some(file))
    }

    /// Takes over what `known` sets and this leaves at its default.
    fn fill_from(&mut self, values: &Self, known: &Properties) {
        let defaults = Self::default();
        macro_rules! fill {
            ($($field:ident)*) => { $(
                if self.$field == defaults.$field {
                    self.$field = values.$field.clone();
                }
            )* };
        }
        if !known.is_empty() {
            fill!(
                mode file enable test_mode server_need_client_auth server_key_path server_key_password server_cert_path
                server_auth_client server_trust_cert_path client_key_path client_key_password client_cert_path
                client_auth_server client_trust_cert_path
            );
        }
    }

    /// Which clients are taken.
    #[must_use]
    pub fn mode(&self) -> TlsMode {
        self.mode.map_or(TlsMode::Permissive, |mode| mode.0)
    }

    /// True when a process that has no configuration file calls servers by TLS. Unlike [`TlsConfig::of_environment`] this
    /// reads no file, which may be one that not everybody may read.
    #[must_use]
    pub fn environment_calls_by_tls(environment: &Properties) -> bool {
        match environment.get("tls.enable") {
            Some(enable) => enable.eq_ignore_ascii_case("true"),
            None => environment.get("tls.server.mode") == Some(TlsMode::Enforcing.as_str()),
        }
    }

    /// True when other servers are called by TLS.
    #[must_use]
    pub fn calls_by_tls(&self) -> bool {
        self.enable.map_or(self.mode() == TlsMode::Enforcing, |enable| enable.0)
    }

    /// True when certificates prove nothing.
    #[must_use]
    pub fn is_test_mode(&self) -> bool {
        self.test_mode.is_none_or(|test_mode| test_mode.0)
    }
}

#[cfg(test)]
mod tests;
