use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What moves the traffic.
#[derive(Debug, Clone)]
pub enum Proxy {
    /// Teal's own data plane.
    Embedded(Embedded),
    /// An nginx of the user's.
    Nginx(Nginx),
}

impl Proxy {
    /// Where people reach this host: over `https` where TLS is spoken.
    pub fn url(&self, host: &str) -> String {
        let (listen, tls) = match self {
            Proxy::Embedded(embedded) => (&embedded.listen, embedded.tls.as_ref()),
            Proxy::Nginx(nginx) => (&nginx.listen, None),
        };
        let port = |listen: &[SocketAddr], usual| listen.first().map_or(usual, SocketAddr::port);
        match (tls, port(listen, 80)) {
            (Some(tls), _) => match port(&tls.listen, 443) {
                443 => format!("https://{host}"),
                port => format!("https://{host}:{port}"),
            },
            (None, 80) => format!("http://{host}"),
            // Somebody else speaks TLS there.
            (None, 443) => format!("https://{host}"),
            (None, port) => format!("http://{host}:{port}"),
        }
    }

    /// Every address it listens on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Proxy::Embedded(embedded) => {
                let tls = embedded.tls.iter().flat_map(|tls| &tls.listen);
                embedded.listen.iter().chain(tls).copied().collect()
            }
            Proxy::Nginx(nginx) => {
                let mut all = nginx.listen.clone();
                all.push(nginx.verify);
                all
            }
        }
    }
}

/// How Teal's own data plane serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The addresses it listens on.
    pub listen: Vec<SocketAddr>,
    /// Where and with what it speaks TLS.
    pub tls: Option<Tls>,
    /// Whether clients that come without TLS are sent to `https`.
    pub redirect_http: bool,
    /// The networks whose peers are believed when they say for whom they speak.
    pub trusted: Vec<IpNet>,
    /// Where answered requests are written down; absent: nowhere.
    pub access_log: Option<PathBuf>,
}

impl Embedded {
    /// It listens there, and everything else is as usual.
    pub fn on(listen: Vec<SocketAddr>) -> Embedded {
        Embedded {
            listen,
            tls: None,
            redirect_http: false,
            trusted: Vec::new(),
            access_log: None,
        }
    }
}

/// TLS with clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The addresses it listens on.
    pub listen: Vec<SocketAddr>,
    /// What it shows; the first one for every name that the others are not for.
    pub certificates: Vec<Certificate>,
}

/// The files of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate and those that vouch for it, in PEM form.
    pub cert: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
}

/// How to speak to the user's nginx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nginx {
    /// Where the upstream files go; a folder that nginx includes inside `http { }`.
    pub conf_dir: PathBuf,
    /// The nginx program with its standing arguments; `-t` and `-s reload` are added.
    pub command: Vec<String>,
    /// The addresses of server blocks that Teal writes for environments with a domain; empty: upstreams only.
    pub listen: Vec<SocketAddr>,
    /// Where Teal's own loopback server block listens, to see which color answers.
    pub verify: SocketAddr,
}
