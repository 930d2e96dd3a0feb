//! `[proxy]` as it was typed → [`Proxy`].

use super::document::{Field, Section};
use super::error::{ConfigError, shown};
use super::server_keys::{CERTIFICATE, PROXY, TLS};
use super::server_values::{address_or, addresses, path_or};
use super::{Certificate, Embedded, Nginx, Proxy, Tls, defaults, values};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The keys that mean something with one kind only.
const OF_EMBEDDED: [&str; 4] = ["tls", "redirect_http", "trusted", "access_log"];
const OF_NGINX: [&str; 3] = ["conf_dir", "command", "verify"];

/// What moves the traffic when the file does not say.
pub(super) fn unsaid() -> Proxy {
    Proxy::Embedded(Embedded::on(vec![defaults::PROXY]))
}

/// What moves the traffic.
pub(super) fn proxy(field: &Field<'_>) -> Result<Proxy, ConfigError> {
    let section = field.table(&PROXY)?;
    let is_nginx = match section.get("kind") {
        Some(kind) => kind.one_of(&[("embedded", false), ("nginx", true)])?,
        None => false,
    };
    let (foreign, other): (&[&str], _) = match is_nginx {
        true => (&OF_EMBEDDED, "embedded"),
        false => (&OF_NGINX, "nginx"),
    };
    if let Some(field) = foreign.iter().find_map(|key| section.get(key)) {
        let message = format!(
            "`{}` means something with `kind = \"{other}\"` only",
            field.name
        );
        return Err(field.key_error(message, None));
    }
    match is_nginx {
        true => Ok(Proxy::Nginx(nginx(&section)?)),
        false => Ok(Proxy::Embedded(embedded(&section)?)),
    }
}

fn embedded(section: &Section<'_>) -> Result<Embedded, ConfigError> {
    let tls = section.get("tls").map(|field| tls(&field)).transpose()?;
    Ok(Embedded {
        listen: match section.get("listen") {
            Some(field) => some_addresses(&field)?,
            None => vec![defaults::PROXY],
        },
        redirect_http: match section.get("redirect_http") {
            Some(field) => redirect_http(&field, tls.is_some())?,
            None => false,
        },
        tls,
        trusted: match section.get("trusted") {
            Some(field) => field
                .one_or_list()?
                .iter()
                .map(network)
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        },
        access_log: section
            .get("access_log")
            .map(|field| path(&field))
            .transpose()?,
    })
}

fn tls(field: &Field<'_>) -> Result<Tls, ConfigError> {
    let section = field.table(&TLS)?;
    let needs = |key: &str| {
        let message = format!("`{}` needs `{key}`", field.label());
        let help = "write { listen = [\"0.0.0.0:443\"], certificates = [{ cert = \"/…/fullchain.pem\", key = \"/…/privkey.pem\" }] }";
        field.key_error(message, Some(help.to_owned()))
    };
    let listen = section.get("listen").ok_or_else(|| needs("listen"))?;
    let certificates = section.get("certificates");
    let listed = certificates.ok_or_else(|| needs("certificates"))?.list()?;
    if listed.is_empty() {
        return Err(needs("certificates"));
    }
    Ok(Tls {
        listen: some_addresses(&listen)?,
        certificates: listed.iter().map(certificate).collect::<Result<_, _>>()?,
    })
}

fn certificate(field: &Field<'_>) -> Result<Certificate, ConfigError> {
    let section = field.table(&CERTIFICATE)?;
    let file = |key: &str| match section.get(key) {
        Some(field) => path(&field),
        None => Err(field.key_error(
            format!("a certificate needs `{key}`, the path of a PEM file"),
            None,
        )),
    };
    Ok(Certificate {
        cert: file("cert")?,
        key: file("key")?,
    })
}

fn redirect_http(field: &Field<'_>, has_tls: bool) -> Result<bool, ConfigError> {
    let wanted = field.truth()?;
    if wanted && !has_tls {
        let message = "`redirect_http` would send everybody to https, where nobody listens";
        return Err(field.key_error(message, Some("give [proxy] a `tls`".to_owned())));
    }
    Ok(wanted)
}

/// One address, or a network in the notation of CIDR.
fn network(field: &Field<'_>) -> Result<IpNet, ConfigError> {
    let text = field.text()?;
    let address = text
        .parse()
        .map(|address: IpAddr| address.to_canonical().into());
    address.or_else(|_| text.parse()).map_err(|_| {
        let message = format!("\"{}\" is no address and no network", shown(text));
        field.error_help(
            message,
            "write it as \"127.0.0.1\", \"::1\" or \"10.0.0.0/8\"",
        )
    })
}

fn path(field: &Field<'_>) -> Result<PathBuf, ConfigError> {
    values::server_path(field.text()?)
        .map_err(|wrong| field.error(format!("`{}` {wrong}", field.label())))
}

fn some_addresses(field: &Field<'_>) -> Result<Vec<SocketAddr>, ConfigError> {
    let all = addresses(field)?;
    match all.is_empty() {
        true => Err(field.error("`listen` is empty: nobody could reach the apps")),
        false => Ok(all),
    }
}

fn nginx(section: &Section<'_>) -> Result<Nginx, ConfigError> {
    Ok(Nginx {
        conf_dir: path_or(section, "conf_dir", || PathBuf::from("/etc/nginx/conf.d"))?,
        command: match section.get("command") {
            Some(field) => program(&field)?,
            None => vec!["nginx".to_owned()],
        },
        listen: match section.get("listen") {
            Some(field) => addresses(&field)?,
            None => Vec::new(),
        },
        verify: verify(section)?,
    })
}

fn verify(section: &Section<'_>) -> Result<SocketAddr, ConfigError> {
    let verify = address_or(section, "verify", defaults::VERIFY)?;
    match section.get("verify") {
        Some(field) if !verify.ip().is_loopback() => Err(field.error_help(
            "`verify` is for Teal's own questions and may only listen on this machine",
            "write \"127.0.0.1:9079\"",
        )),
        _ => Ok(verify),
    }
}

fn program(field: &Field<'_>) -> Result<Vec<String>, ConfigError> {
    let words: Vec<String> = field
        .list()?
        .iter()
        .map(|word| word.some_text().map(str::to_owned))
        .collect::<Result<_, _>>()?;
    match words.first() {
        Some(name) if !name.starts_with('-') => Ok(words),
        _ => Err(field.error_help("`command` names no program", "write [\"nginx\"]")),
    }
}
