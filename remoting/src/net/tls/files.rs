//! Certificates and keys from PEM files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pkcs8::der::pem::PemLabel;
use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::config::Secret;

/// How an encrypted key is made one that can be read.
const DECRYPT: &str =
    "decrypt it with `openssl pkcs8 -in FILE -out PLAIN`, or encrypt it anew with `openssl pkcs8 -topk8 -v2 aes256`";

/// What is wrong with a file of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}; check its place and who may read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no certificate.
    #[error("{path} holds no certificate that can be read ({why}); it must be PEM, with BEGIN CERTIFICATE")]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// It holds no private key.
    #[error("{path} holds no private key that can be read ({why}); it must be PEM, with BEGIN PRIVATE KEY")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// The password does not open it, or the way it is encrypted is not known.
    #[error("{path} cannot be decrypted ({why}): check its keyPassword; {DECRYPT}")]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Key and certificate are not of one pair.
    #[error("the key of {key} does not belong to the certificate of {certificate}")]
    Strangers {
        /// File of the key.
        key: PathBuf,
        /// File of the certificate.
        certificate: PathBuf,
    },
}

/// When each file was last written; none for one that cannot be looked at.
pub(super) fn written(paths: &[PathBuf]) -> Vec<Option<SystemTime>> {
    paths.iter().map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok()).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    std::fs::read(path).map_err(|source| TlsFileError::Read { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let none = |why: String| TlsFileError::NoCertificate { path: path.to_owned(), why };
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| none(error.to_string()))?;
    if found.is_empty() { Err(none("there is none".into())) } else { Ok(found) }
}

/// Those whose certificates are believed.
pub(super) fn issuers(path: &Path) -> Result<RootCertStore, TlsFileError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store
            .add(certificate)
            .map_err(|error| TlsFileError::NoCertificate { path: path.to_owned(), why: error.to_string() })?;
    }
    Ok(store)
}

/// A certificate with its key.
pub(super) fn certified(certificate: &Path, key: &Path, password: &Secret) -> Result<CertifiedKey, TlsFileError> {
    let chain = certificates(certificate)?;
    let signing = super::provider()
        .key_provider
        .load_private_key(private_key(key, password)?)
        .map_err(|error| TlsFileError::NoKey { path: key.to_owned(), why: error.to_string() })?;
    let certified = CertifiedKey::new(chain, signing);
    // Certificates of the first version of X.509, which `openssl x509 -req` long made, cannot be compared: they are served
    // all the same.
    match certified.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(TlsFileError::Strangers { key: key.to_owned(), certificate: certificate.to_owned() })
        }
        _ => Ok(certified),
    }
}

fn private_key(path: &Path, password: &Secret) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let text = read(path)?;
    let none = |why: String| TlsFileError::NoKey { path: path.to_owned(), why };
    let locked = |why: String| TlsFileError::Encrypted { path: path.to_owned(), why };
    let text = str::from_utf8(&text).map_err(|error| none(error.to_string()))?;
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(locked("it is encrypted as OpenSSL once did, outside PKCS#8".into()));
    }
    if !text.contains(&format!("BEGIN {}", EncryptedPrivateKeyInfo::PEM_LABEL)) {
        return PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| none(error.to_string()));
    }
    if password.reveal().is_empty() {
        return Err(locked("no password is set".into()));
    }
    // Tools write attributes before the key.
    let begin = text.find("-----BEGIN ENCRYPTED").unwrap_or(0);
    let (_, document) =
        SecretDocument::from_pem(text.get(begin..).unwrap_or_default()).map_err(|error| none(error.to_string()))?;
    let encrypted =
        EncryptedPrivateKeyInfo::try_from(document.as_bytes()).map_err(|error| locked(error.to_string()))?;
    let key = encrypted.decrypt(password.reveal()).map_err(|error| locked(error.to_string()))?;
    Ok(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec())))
}
