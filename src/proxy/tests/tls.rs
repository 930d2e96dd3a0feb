//! TLS from clients: which certificate is shown, what is spoken, what services are told, and who is sent there.

use super::world::{World, soon};
use crate::proxy::{CertificateFiles, Certificates, Settings, TlsError, certificate};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A folder with certificates that sign themselves.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Shelf {
        Shelf(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a new certificate for these names under this one.
    fn make(&self, file: &str, names: &[&str]) -> (CertificateFiles, CertificateDer<'static>) {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let files = CertificateFiles {
            cert: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
        };
        fs::write(&files.cert, cert.pem()).unwrap();
        fs::write(&files.key, signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
        (files, cert.der().clone())
    }
}

async fn world(files: Vec<CertificateFiles>) -> (World, Arc<Certificates>) {
    let certificates = Arc::new(Certificates::read(files).unwrap());
    let settings = Settings {
        workers: 2,
        tls: Some(certificates.clone()),
        ..Settings::default()
    };
    (World::with(settings).await, certificates)
}

/// A client that trusts these certificates and no others.
async fn connect(
    world: &World,
    name: &str,
    trusted: &[&CertificateDer<'static>],
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !protocol.is_empty() {
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    }
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    soon(connector.connect(name, world.connect().await)).await
}

async fn ask(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: arq.test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The proxy may end the connection without a goodbye of TLS's own.
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_shown_to_visitors_can_be_looked_at_without_being_believed() {
    let shelf = Shelf::new();
    let (files, _) = shelf.make("arq", &["arq.test", "*.arq.test"]);
    let kept = certificate::read(&files.cert, &files.key).unwrap();
    let (world, _) = world(vec![files]).await;
    let stream = world.connect().await;
    let shown = soon(certificate::shown(stream, "arq.test")).await.unwrap();
    assert_eq!(shown, kept);
    assert_eq!(shown.names, ["arq.test", "*.arq.test"]);
    assert!(shown.not_after_ms > 4_000_000_000_000, "{shown:?}");
}

#[tokio::test]
async fn each_name_gets_its_certificate_and_services_are_told_that_it_was_https() {
    let shelf = Shelf::new();
    let (first, arq) = shelf.make("arq", &["arq.test"]);
    let (second, wild) = shelf.make("wild", &["*.shop.test", "shop.test"]);
    let (world, _) = world(vec![first, second]).await;
    for (name, certificate) in [
        ("arq.test", &arq),
        ("a.shop.test", &wild),
        ("shop.test", &wild),
    ] {
        let stream = connect(&world, name, &[certificate], "http/1.1").await;
        assert!(stream.is_ok(), "{name}: {stream:?}");
    }
    // Whoever asks for another name gets the first one, which is not for it.
    for (name, certificate) in [("else.test", &arq), ("a.b.shop.test", &wild)] {
        assert!(connect(&world, name, &[certificate], "").await.is_err());
    }
    for protocol in ["http/1.1", ""] {
        let mut stream = connect(&world, "arq.test", &[&arq], protocol)
            .await
            .unwrap();
        let seen = ask(&mut stream, "/headers").await;
        assert!(seen.contains("\"x-forwarded-proto\": \"https\""), "{seen}");
    }
}

#[tokio::test]
async fn http2_is_agreed_on_and_spoken() {
    let shelf = Shelf::new();
    let (files, certificate) = shelf.make("arq", &["arq.test"]);
    let (world, _) = world(vec![files]).await;
    let stream = connect(&world, "arq.test", &[&certificate], "h2")
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(stream);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = super::world::request("GET", "https://arq.test/headers", "");
    let answer = soon(client.send_request(request)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = super::world::text(answer).await;
    assert!(seen.contains("\"x-forwarded-proto\": \"https\""), "{seen}");
}

#[tokio::test]
async fn changed_files_are_shown_to_new_connections_and_broken_ones_never() {
    let shelf = Shelf::new();
    let (files, old) = shelf.make("arq", &["arq.test"]);
    let (world, certificates) = world(vec![files.clone()]).await;
    assert!(!certificates.refresh().unwrap(), "nothing has changed");
    assert!(connect(&world, "arq.test", &[&old], "").await.is_ok());
    let (_, new) = shelf.make("arq", &["arq.test"]);
    assert!(certificates.refresh().unwrap());
    assert!(connect(&world, "arq.test", &[&new], "").await.is_ok());
    assert!(connect(&world, "arq.test", &[&old], "").await.is_err());
    // Half renewed: the certificate is there, its key is not yet.
    let (other, _) = shelf.make("other", &["arq.test"]);
    fs::rename(&other.cert, &files.cert).unwrap();
    assert!(matches!(certificates.refresh(), Err(TlsError::Pair { .. })));
    assert!(connect(&world, "arq.test", &[&new], "").await.is_ok());
    fs::rename(&other.key, &files.key).unwrap();
    assert!(certificates.refresh().unwrap());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let shelf = Shelf::new();
    let (files, _) = shelf.make("arq", &["arq.test"]);
    let refused = |files: &CertificateFiles| {
        let error = Certificates::read(vec![files.clone()]).unwrap_err();
        error
            .to_string()
            .replace(&shelf.0.path().display().to_string(), "…")
    };
    fs::set_permissions(&files.key, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        refused(&files),
        "…/arq.key can be read by everybody; `chmod 600` makes it a secret again, and a new one is better"
    );
    fs::set_permissions(&files.key, Permissions::from_mode(0o600)).unwrap();
    fs::write(&files.cert, "nothing").unwrap();
    assert_eq!(
        refused(&files),
        "…/arq.pem holds no certificate in PEM form: there is none"
    );
    fs::remove_file(&files.cert).unwrap();
    assert_eq!(
        refused(&files),
        "cannot read …/arq.pem: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn visitors_without_tls_are_sent_there_if_that_is_wanted() {
    for (port, shown) in [
        (443, "https://arq.test/x?y"),
        (8443, "https://arq.test:8443/x?y"),
    ] {
        let settings = Settings {
            https_port: Some(port),
            ..Settings::default()
        };
        let world = World::with(settings).await;
        let answer = world.get("/x?y").await;
        assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
        assert!(
            answer.contains(&format!("location: {shown}\r\n")),
            "{answer}"
        );
        let stranger = "GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n";
        assert!(world.raw(stranger).await.starts_with("HTTP/1.1 404"));
    }
    let behind = Settings {
        https_port: Some(443),
        trusted: vec!["127.0.0.0/8".parse().unwrap()],
        ..Settings::default()
    };
    let world = World::with(behind).await;
    let request = "GET /headers HTTP/1.1\r\nHost: arq.test\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";
    let answer = world.raw(request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
