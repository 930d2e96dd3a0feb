//! The certificates that the proxy shows: read from files, chosen by the name that the client asks for, and read again
//! when the files change.

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use webpki::EndEntityCert;

/// Why certificates cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key that is no secret.
    #[error("{} can be read by everybody; `chmod 600` makes it a secret again, and a new one is better", .0.display())]
    Exposed(PathBuf),
    /// A file is not what it should be.
    #[error("{} holds no {what} in PEM form: {why}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What was found instead.
        why: String,
    },
    /// The key does not fit the certificate, or is of a kind that is not known.
    #[error("{} and {} cannot be used together: {source}", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Where one certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those that vouch for it, in PEM form.
    pub cert: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
}

/// All certificates, in the form that connections are accepted with.
pub struct Certificates {
    files: Vec<CertificateFiles>,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Reads the files. The first certificate is shown to clients that ask for a name that none has.
    pub fn read(files: Vec<CertificateFiles>) -> Result<Certificates, TlsError> {
        let shown = Arc::new(Shown(ArcSwap::from_pointee(Loaded::read(&files)?)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new()?;
        Ok(Certificates {
            files,
            shown,
            config: Arc::new(config),
        })
    }

    /// Reads the files again if one has changed since they were read; whether one had. When they cannot be used, those
    /// that were read before stay in use.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        if stamps(&self.files)? == self.shown.0.load().stamps {
            return Ok(false);
        }
        self.shown.0.store(Arc::new(Loaded::read(&self.files)?));
        Ok(true)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.files).finish()
    }
}

/// What accepts TLS connections with these certificates.
pub fn acceptor(certificates: &Certificates) -> TlsAcceptor {
    TlsAcceptor::from(certificates.config.clone())
}

/// The certificates in use.
#[derive(Debug)]
struct Shown(ArcSwap<Loaded>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().choose(hello.server_name())
    }
}

#[derive(Debug)]
struct Loaded {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    first: Option<Arc<CertifiedKey>>,
    stamps: Vec<Stamp>,
}

impl Loaded {
    fn read(files: &[CertificateFiles]) -> Result<Loaded, TlsError> {
        // Looked at before reading: what changes meanwhile is read again.
        let stamps = stamps(files)?;
        let mut by_name = HashMap::new();
        let mut first = None;
        for pair in files {
            let key = Arc::new(pair.read()?);
            for name in pair.names(&key)? {
                // Of two certificates for a name the earlier one is shown.
                by_name.entry(name).or_insert_with(|| key.clone());
            }
            first.get_or_insert(key);
        }
        Ok(Loaded {
            by_name,
            first,
            stamps,
        })
    }

    /// The certificate for this name: its own, one with a `*` for its first label, or else the first one.
    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let wildcard = || {
            let (_, rest) = name.split_once('.')?;
            self.by_name.get(&format!("*.{rest}"))
        };
        let found = self.by_name.get(&name).or_else(wildcard);
        found.or(self.first.as_ref()).cloned()
    }
}

impl CertificateFiles {
    pub(super) fn read(&self) -> Result<CertifiedKey, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.cert)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.content(&self.cert, "certificate", error))?;
        if chain.is_empty() {
            return Err(self.content(&self.cert, "certificate", "there is none"));
        }
        let mode = metadata(&self.key)?.mode();
        if mode & 0o007 != 0 {
            return Err(TlsError::Exposed(self.key.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|error| self.content(&self.key, "private key", error))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsError::Pair {
            cert: self.cert.clone(),
            key: self.key.clone(),
            source,
        })
    }

    /// The names that the certificate is for.
    fn names(&self, key: &CertifiedKey) -> Result<Vec<String>, TlsError> {
        let unreadable = |error| self.content(&self.cert, "certificate", error);
        let der = key.end_entity_cert()?;
        let cert = EndEntityCert::try_from(der).map_err(unreadable)?;
        Ok(cert
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect())
    }

    fn content(&self, path: &Path, what: &'static str, why: impl fmt::Display) -> TlsError {
        TlsError::Content {
            path: path.to_owned(),
            what,
            why: why.to_string(),
        }
    }
}

/// What changes when a file does: device, inode, size, and when it was written.
type Stamp = (u64, u64, u64, i64, i64);

fn stamps(files: &[CertificateFiles]) -> Result<Vec<Stamp>, TlsError> {
    files
        .iter()
        .flat_map(|pair| [&pair.cert, &pair.key])
        .map(|path| {
            let of = metadata(path)?;
            Ok((of.dev(), of.ino(), of.size(), of.mtime(), of.mtime_nsec()))
        })
        .collect()
}

fn metadata(path: &Path) -> Result<Metadata, TlsError> {
    std::fs::metadata(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
