//! What a certificate says of itself, for people who look after it.

use super::tls::{CertificateFiles, TlsError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use webpki::{EndEntityCert, Error, KeyUsage};

/// A certificate's own facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The names that it is for.
    pub names: Vec<String>,
    /// Until when it is good, in milliseconds since the epoch.
    pub not_after_ms: i64,
}

impl Facts {
    /// Whether it is for this name: by itself, or by a `*` for the first label.
    pub fn fits(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let rest = name.split_once('.').map(|(_, rest)| rest);
        self.names
            .iter()
            .any(|own| *own == name || own.strip_prefix("*.").is_some_and(|own| Some(own) == rest))
    }
}

/// Reads the first certificate of a file, after the checks that it has to pass before it is shown.
pub fn read(cert: &Path, key: &Path) -> Result<Facts, TlsError> {
    let files = CertificateFiles {
        cert: cert.to_owned(),
        key: key.to_owned(),
    };
    let own = files.read()?;
    facts(own.end_entity_cert()?).ok_or_else(|| TlsError::Content {
        path: cert.to_owned(),
        what: "certificate",
        why: "it does not say for whom and until when it is good".to_owned(),
    })
}

/// What somebody shows to those who ask for this name. The certificate is looked at and not believed: nothing is said over the
/// connection.
pub async fn shown(stream: TcpStream, name: &str) -> io::Result<Facts> {
    let provider = Arc::new(ring::default_provider());
    let witness = Arc::new(Witness {
        provider: provider.clone(),
        seen: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config))
        .connect(server, stream)
        .await?;
    let seen = witness
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    seen.ok_or_else(|| io::Error::other("its certificate does not say until when it is good"))
}

/// Remembers the certificate that it is asked about, whatever it is worth.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Facts>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = facts(end_entity);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn facts(der: &CertificateDer<'_>) -> Option<Facts> {
    let cert = EndEntityCert::try_from(der).ok()?;
    let seconds = i64::try_from(not_after(&cert)?.as_secs()).ok()?;
    Some(Facts {
        names: cert
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect(),
        not_after_ms: seconds.saturating_mul(1000),
    })
}

/// The library tells the end of a certificate to those alone who find it expired: so it is asked about a time at which every
/// certificate is.
fn not_after(cert: &EndEntityCert<'_>) -> Option<UnixTime> {
    const YEAR_9999: Duration = Duration::from_secs(253_402_300_800);
    let end_of_days = UnixTime::since_unix_epoch(YEAR_9999);
    let usage = KeyUsage::server_auth();
    match cert.verify_for_usage(&[], &[], &[], end_of_days, usage, None, None) {
        Err(Error::CertExpired { not_after, .. }) => Some(not_after),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        let facts = Facts {
            names: vec!["example.com".to_owned(), "*.example.com".to_owned()],
            not_after_ms: 0,
        };
        assert!(facts.fits("example.com") && facts.fits("Shop.example.com"));
        assert!(!facts.fits("a.b.example.com") && !facts.fits("example.org"));
    }
}
