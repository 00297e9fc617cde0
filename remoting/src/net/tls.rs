//! TLS of connections: which clients a server takes, its certificate, and what it asks of a peer's.
//!
//! ```text
//! first byte of a connection   0x16  TLS: a session is made, the handshake has HANDSHAKE_TIME
//!                              else  frames as they are
//! ```
//!
//! Plain and TLS clients share a port; the mode says who is turned away. In test mode, upstream's default, the certificate is
//! made at the first hello, so that a start costs nothing. Certificates from files are read at start and again when they
//! change. Never here: sockets (but for what a [`session`] writes), frames, settings ([`TlsConfig`]).
//!
//! Upstream: `TlsHelper`, `NettyRemotingServer.TlsModeHandler` (RocketMQ 5.5.0).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig, ServerConnection};

use self::verify::{AnyClient, AnyServer, IssuedServer};
use crate::config::{ClientAuth, TlsConfig, TlsMode};

mod files;
pub(super) mod session;
#[cfg(test)]
mod tests;
mod verify;

pub use files::TlsFileError;

/// The first byte of a TLS connection: a record of type handshake. The first byte of a frame is 0, as frames are shorter
/// than 16 MiB.
pub(super) const FIRST_BYTE: u8 = 0x16;
/// How long a handshake may take from its first byte on.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How often files are looked at for changes.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Names in a certificate that nobody checks.
const TEST_NAME: &str = "localhost";

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing among the settings.
    #[error("tls.test.mode.enable=false needs {key}: name the PEM file there")]
    NoFile {
        /// The key that names it.
        key: &'static str,
    },
    /// Peers are to be checked, and nobody says against what.
    #[error(
        "{key}=true needs {trust}: name a PEM file with the certificates of the issuers (often /etc/ssl/certs/ca-certificates.crt)"
    )]
    NoTrust {
        /// The key that asks for it.
        key: &'static str,
        /// The key that names the file.
        trust: &'static str,
    },
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] TlsFileError),
    /// The library refuses what it was given.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
    /// No certificate could be made for test mode.
    #[error("no certificate can be made for test mode: {0}; set tls.test.mode.enable=false and files")]
    SelfSigned(#[from] rcgen::Error),
}

/// TLS of the servers of one process.
#[derive(Debug)]
pub struct ServerTls {
    settings: TlsConfig,
    handshake_time: Duration,
    /// What sessions are made from; none before the first one in test mode.
    ready: ArcSwapOption<ServerConfig>,
    /// When the files that stand in `ready` were last written; held while they are read.
    read: Mutex<Vec<Option<SystemTime>>>,
}

impl ServerTls {
    /// By these settings; files are read, so that what is wrong with them is said at start.
    ///
    /// # Errors
    /// [`TlsError`] naming the key or file.
    pub fn new(settings: &TlsConfig) -> Result<Arc<Self>, TlsError> {
        Self::with_handshake_time(settings, HANDSHAKE_TIME)
    }

    fn with_handshake_time(settings: &TlsConfig, handshake_time: Duration) -> Result<Arc<Self>, TlsError> {
        let (settings, ready, read) = (settings.clone(), ArcSwapOption::empty(), Mutex::default());
        let tls = Self { settings, handshake_time, ready, read };
        if tls.has_files() {
            *tls.read.lock() = files::written(&tls.watched());
            tls.ready.store(Some(Arc::new(tls.read_files()?)));
        } else if tls.settings.mode() == TlsMode::Enforcing {
            tracing::warn!(
                "tls.server.mode is enforcing with a certificate that is made at start and that no client can check: anybody \
                 between client and server may read along; set tls.test.mode.enable=false, tls.server.keyPath and \
                 tls.server.certPath"
            );
        }
        Ok(Arc::new(tls))
    }

    /// Which clients are taken.
    pub(super) fn mode(&self) -> TlsMode {
        self.settings.mode()
    }

    /// How long a handshake may take from its first byte on.
    pub(super) fn handshake_time(&self) -> Duration {
        self.handshake_time
    }

    /// A session for a client that says hello.
    ///
    /// # Errors
    /// [`TlsError`], in test mode only.
    pub(super) fn session(&self) -> Result<session::TlsSession, TlsError> {
        let config = match self.ready.load_full() {
            Some(config) => config,
            None => self.make_test_config()?,
        };
        Ok(session::TlsSession::new(ServerConnection::new(config)?))
    }

    fn make_test_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        // One at a time: clients that come at once get the same certificate.
        let _reading = self.read.lock();
        if let Some(config) = self.ready.load_full() {
            return Ok(config);
        }
        let made = rcgen::generate_simple_self_signed([TEST_NAME.to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let key = provider().key_provider.load_private_key(key)?;
        let certified = CertifiedKey::new(vec![made.cert.der().clone()], key);
        let config = Arc::new(server_config(ClientAuth::None, None, certified)?);
        self.ready.store(Some(config.clone()));
        tracing::info!("a client connects by TLS: a certificate for test mode was made");
        Ok(config)
    }

    /// The files whose change is noticed.
    fn watched(&self) -> Vec<PathBuf> {
        let settings = &self.settings;
        let all = [&settings.server_key_path, &settings.server_cert_path, &settings.server_trust_cert_path];
        all.into_iter().filter(|path| !path.as_os_str().is_empty()).cloned().collect()
    }

    /// True when there are files to look at from time to time.
    pub(super) fn has_files(&self) -> bool {
        self.settings.mode() != TlsMode::Disabled && !self.settings.is_test_mode()
    }

    /// Reads the files anew if one was written since; connections that are open keep what they have. A file that cannot be
    /// used changes nothing. Waits for the disk.
    pub(super) fn read_changes(&self) {
        let mut read = self.read.lock();
        let written = files::written(&self.watched());
        if written == *read {
            return;
        }
        match self.read_files() {
            Ok(config) => {
                self.ready.store(Some(Arc::new(config)));
                tracing::info!("the files of TLS changed: new connections use them");
            }
            Err(error) => tracing::error!(%error, "the files of TLS changed and cannot be used: the former ones stay"),
        }
        // Of a bad file, too: it is complained of once, until it changes again.
        *read = written;
    }

    fn read_files(&self) -> Result<ServerConfig, TlsError> {
        let settings = &self.settings;
        let needed =
            [(&settings.server_key_path, "tls.server.keyPath"), (&settings.server_cert_path, "tls.server.certPath")];
        if let Some((_, key)) = needed.into_iter().find(|(path, _)| path.as_os_str().is_empty()) {
            return Err(TlsError::NoFile { key });
        }
        let certified =
            files::certified(&settings.server_cert_path, &settings.server_key_path, &settings.server_key_password)?;
        let auth = settings.server_need_client_auth.map_or(ClientAuth::None, |auth| auth.0);
        let checks = settings.server_auth_client.is_some_and(|checks| checks.0) && auth != ClientAuth::None;
        let issuers = match (checks, &settings.server_trust_cert_path) {
            (false, _) => None,
            (true, path) if path.as_os_str().is_empty() => {
                return Err(TlsError::NoTrust { key: "tls.server.authClient", trust: "tls.server.trustCertPath" });
            }
            (true, path) => Some(files::issuers(path)?),
        };
        server_config(auth, issuers, certified)
    }
}

/// `issuers` are those whose certificates are believed; none: any certificate will do.
fn server_config(
    auth: ClientAuth,
    issuers: Option<rustls::RootCertStore>,
    certified: CertifiedKey,
) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match (auth, issuers) {
        (ClientAuth::None, _) => builder.with_no_client_auth(),
        (auth, None) => {
            let is_required = auth == ClientAuth::Require;
            builder.with_client_cert_verifier(Arc::new(AnyClient { provider, is_required }))
        }
        (auth, Some(issuers)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), provider);
            let verifier = if auth == ClientAuth::Optional { verifier.allow_unauthenticated() } else { verifier };
            let verifier = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    // Connections last for days: what a resumption would save is not worth the memory of their secrets.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// TLS of connections to other servers.
#[derive(Clone, Debug)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// By these settings. In test mode, and without tls.client.authServer, any server is trusted; with it the server's
    /// certificate must come from one of the issuers, for whatever name it was issued, as upstream has it.
    ///
    /// # Errors
    /// [`TlsError`] naming the key or file.
    pub fn new(settings: &TlsConfig) -> Result<Self, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let is_test = settings.is_test_mode();
        let builder = builder.dangerous();
        let checks = !is_test && settings.client_auth_server.is_some_and(|checks| checks.0);
        let builder = match (checks, &settings.client_trust_cert_path) {
            (false, _) => builder.with_custom_certificate_verifier(Arc::new(AnyServer { provider })),
            (true, path) if path.as_os_str().is_empty() => {
                return Err(TlsError::NoTrust { key: "tls.client.authServer", trust: "tls.client.trustCertPath" });
            }
            (true, path) => {
                let verifier = IssuedServer::new(files::issuers(path)?, provider)?;
                builder.with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let (key, cert) = (&settings.client_key_path, &settings.client_cert_path);
        let has_own = !is_test && !key.as_os_str().is_empty() && !cert.as_os_str().is_empty();
        Ok(Self(Arc::new(if has_own {
            let certified = files::certified(cert, key, &settings.client_key_password)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        } else {
            builder.with_no_client_auth()
        })))
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.0.clone()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
