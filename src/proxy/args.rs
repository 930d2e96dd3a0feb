//! What `teal proxy` is started with.

use super::access_log::AccessLog;
use super::error::ProxyError;
use super::settings::Settings;
use super::tls::{CertificateFiles, Certificates};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// What `teal proxy` is started with.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "teal proxy", about = "The data plane; `teal serve` starts it.")]
pub struct Args {
    /// The file with the routes.
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,
    /// Where the control socket is made.
    #[arg(long, value_name = "SOCKET")]
    pub socket: PathBuf,
    /// The addresses to serve on.
    #[arg(long, value_name = "ADDRESS", required = true, num_args = 1..)]
    pub listen: Vec<SocketAddr>,
    /// The networks whose peers are believed when they say for whom they speak.
    #[arg(long, value_name = "NETWORK", num_args = 1..)]
    pub trusted: Vec<IpNet>,
    /// The addresses to serve on with TLS.
    #[arg(long, value_name = "ADDRESS", num_args = 1.., requires = "certificate")]
    pub tls_listen: Vec<SocketAddr>,
    /// A certificate and its key, in PEM files; the first one is for every name that the others are not for.
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    pub certificate: Vec<PathBuf>,
    /// Send clients that come without TLS to `https`.
    #[arg(long, requires = "tls_listen")]
    pub redirect_http: bool,
    /// Write a line of JSON per answered request to this file.
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
}

impl Args {
    /// Every address, in order, and whether TLS is spoken there.
    pub fn addresses(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        let plain = self.listen.iter().map(|address| (*address, false));
        plain.chain(self.tls_listen.iter().map(|address| (*address, true)))
    }

    /// The limits and files that they name.
    pub fn settings(&self) -> Result<Settings, ProxyError> {
        let https = self.tls_listen.first().map(SocketAddr::port);
        let log = self.access_log.as_ref().map(|path| {
            AccessLog::open(path).map_err(|source| ProxyError::AccessLog {
                path: path.clone(),
                source,
            })
        });
        Ok(Settings {
            trusted: believed(
                &self
                    .addresses()
                    .map(|(address, _)| address)
                    .collect::<Vec<_>>(),
                &self.trusted,
            ),
            tls: self.certificates()?,
            https_port: https.filter(|_| self.redirect_http),
            access_log: log.transpose()?,
            ..Settings::default()
        })
    }

    fn certificates(&self) -> Result<Option<Arc<Certificates>>, ProxyError> {
        if self.tls_listen.is_empty() {
            return Ok(None);
        }
        let pairs = self.certificate.chunks_exact(2);
        let files = pairs.map(|pair| CertificateFiles {
            cert: pair[0].clone(),
            key: pair[1].clone(),
        });
        Ok(Some(Arc::new(Certificates::read(files.collect())?)))
    }
}

/// Who is believed when it says for whom it speaks: those that are named, and, where only this machine can connect, what
/// connects from here, because then it is a proxy in front that brings the visitors (and their `https`).
fn believed(listen: &[SocketAddr], named: &[IpNet]) -> Vec<IpNet> {
    let is_behind = listen.iter().all(|address| address.ip().is_loopback());
    let here = [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ];
    let here = here.map(IpNet::from).into_iter().filter(|_| is_behind);
    named.iter().copied().chain(here).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_in_front_is_believed_where_nobody_else_can_connect() {
        let heard = |listen: &[&str]| {
            let listen: Vec<SocketAddr> = listen.iter().map(|at| at.parse().unwrap()).collect();
            let believed = believed(&listen, &["10.0.0.0/8".parse().unwrap()]);
            move |address: &str| {
                let address: IpAddr = address.parse().unwrap();
                believed.iter().any(|network| network.contains(&address))
            }
        };
        assert!(heard(&["127.0.0.1:8080", "[::1]:8080"])("127.0.0.1"));
        assert!(!heard(&["127.0.0.1:8080", "0.0.0.0:80"])("127.0.0.1"));
        assert!(heard(&["0.0.0.0:80"])("10.7.0.1"));
        assert!(!heard(&["0.0.0.0:80"])("11.0.0.1"));
    }
}
