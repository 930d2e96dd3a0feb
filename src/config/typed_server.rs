//! `teal.toml` as it was typed → [`Server`].

use super::document::{Document, Rules, Section};
use super::error::{ConfigError, shown};
use super::field::Field;
use super::typed_app::{Around, apps};
use super::{Nginx, Proxy, Server, defaults, placement, values};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Keys that the format foresees and this version does not carry out. Taking them silently would feel safe and be unsafe.
const FORESEEN: &[&str] = &[
    "run_as",
    "allow",
    "after",
    "approval",
    "deploy_hours",
    "people",
    "notify",
];

/// Every table with its keys, to tell where a misplaced key belongs.
const PLACES: &[(&str, &[&str])] = &[
    ("at the top, before the first [table]", SERVER.keys),
    ("in [proxy]", PROXY.keys),
    ("in [apps.<app>]", super::typed_app::APP.keys),
    (
        "in [apps.<app>.environments.<environment>]",
        super::typed_environment::ENVIRONMENT.keys,
    ),
];

pub(super) const SERVER: Rules = Rules {
    keys: &[
        "state_dir",
        "apps_dir",
        "listen",
        "public_url",
        "ssh_host",
        "build_slots",
        "reconcile",
        "proxy",
        "apps",
    ],
    refused: foreseen,
    elsewhere: belongs,
};

pub(super) const PROXY: Rules = Rules {
    keys: &["kind", "listen", "conf_dir", "command", "verify"],
    refused: foreseen,
    elsewhere: belongs,
};

/// The message about a key whose capability does not exist yet.
pub(super) fn foreseen(key: &str) -> Option<String> {
    FORESEEN.contains(&key).then(|| {
        format!("`{key}` is not supported by this version of Teal: take it out, it would protect and tell nobody")
    })
}

/// Where a key belongs that is not known where it stands.
pub(super) fn belongs(key: &str) -> Option<String> {
    PLACES
        .iter()
        .find(|(_, keys)| keys.contains(&key))
        .map(|(place, _)| format!("`{key}` belongs {place}"))
}

impl Server {
    /// Reads the text of a `teal.toml`. `file` names it in messages and is what relative paths of secrets start at; `env`
    /// looks environment variables up.
    pub fn parse(
        text: &str,
        file: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Server, ConfigError> {
        let doc = Document { file, text };
        let table = doc.parse()?;
        let top = Section::top(&doc, &table, &SERVER)?;
        let listen = address_or(&top, "listen", defaults::LISTEN)?;
        let reconcile = duration_or(&top, "reconcile", Duration::from_secs(300))?;
        let around = Around {
            base: file.parent().unwrap_or(Path::new("")).to_owned(),
            env,
            apps_dir: path_or(&top, "apps_dir", || PathBuf::from("/srv"))?,
            reconcile,
        };
        let mut server = Server {
            file: file.to_owned(),
            state_dir: path_or(&top, "state_dir", || defaults::state_dir(env))?,
            listen,
            public_url: public_url(&top, listen)?,
            ssh_host: ssh_host(&top)?,
            build_slots: number_or(&top, "build_slots", 1, 64)?,
            reconcile,
            proxy: match top.get("proxy") {
                Some(field) => proxy(&field)?,
                None => embedded(None)?,
            },
            apps: Default::default(),
        };
        listeners_differ(&top, &server)?;
        let mut apps = apps(&top, &around)?;
        placement::settle(&mut apps, &server)?;
        server.apps = apps
            .into_iter()
            .map(|app| app.meant())
            .map(|app| (app.name.clone(), app))
            .collect();
        Ok(server)
    }
}

fn proxy(field: &Field<'_>) -> Result<Proxy, ConfigError> {
    let section = field.table(&PROXY)?;
    let nginx = match section.get("kind") {
        Some(kind) => kind.one_of(&[("embedded", false), ("nginx", true)])?,
        None => false,
    };
    if !nginx {
        let foreign = ["conf_dir", "command", "verify"];
        if let Some(field) = foreign.iter().find_map(|key| section.get(key)) {
            let message = format!(
                "`{}` means something with `kind = \"nginx\"` only",
                field.name
            );
            return Err(field.key_error(message, None));
        }
        return embedded(section.get("listen"));
    }
    Ok(Proxy::Nginx(Nginx {
        conf_dir: path_or(&section, "conf_dir", || PathBuf::from("/etc/nginx/conf.d"))?,
        command: match section.get("command") {
            Some(field) => program(&field)?,
            None => vec!["nginx".to_owned()],
        },
        listen: match section.get("listen") {
            Some(field) => addresses(&field)?,
            None => Vec::new(),
        },
        verify: verify(&section)?,
    }))
}

fn embedded(listen: Option<Field<'_>>) -> Result<Proxy, ConfigError> {
    let listen = match listen {
        Some(field) => {
            let all = addresses(&field)?;
            if all.is_empty() {
                return Err(field.error("`listen` is empty: nobody could reach the apps"));
            }
            all
        }
        None => vec![defaults::PROXY],
    };
    Ok(Proxy::Embedded { listen })
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

fn listeners_differ(top: &Section<'_>, server: &Server) -> Result<(), ConfigError> {
    let mut seen = vec![server.listen];
    for address in server.proxy.addresses() {
        let clash = |other: &SocketAddr| {
            other.port() == address.port()
                && address.port() != 0
                && (other.ip() == address.ip()
                    || other.ip().is_unspecified()
                    || address.ip().is_unspecified())
                && other.is_ipv4() == address.is_ipv4()
        };
        if let Some(other) = seen.iter().find(|other| clash(other)) {
            let message = format!("two listeners want the same address: {other} and {address}");
            return Err(match top.get("proxy") {
                Some(field) => field.key_error(message, None),
                None => top.error(message, "give `listen` another port"),
            });
        }
        seen.push(address);
    }
    Ok(())
}

fn public_url(top: &Section<'_>, listen: SocketAddr) -> Result<String, ConfigError> {
    let Some(field) = top.get("public_url") else {
        return Ok(format!("http://{listen}"));
    };
    let text = field.text()?.trim_end_matches('/');
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let good = rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with([':', '/'])
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c))
    });
    if !good {
        return Err(field.error_help(
            "`public_url` is not a web address",
            "write \"https://deploy.example.com\"",
        ));
    }
    Ok(text.to_owned())
}

fn ssh_host(top: &Section<'_>) -> Result<Option<String>, ConfigError> {
    let Some(field) = top.get("ssh_host") else {
        return Ok(None);
    };
    let name = values::host_name(field.text()?)
        .map_err(|wrong| field.error(format!("`ssh_host` {wrong}")))?;
    Ok(Some(name))
}

fn addresses(field: &Field<'_>) -> Result<Vec<SocketAddr>, ConfigError> {
    field.one_or_list()?.iter().map(address).collect()
}

fn address(field: &Field<'_>) -> Result<SocketAddr, ConfigError> {
    let text = field.text()?;
    text.parse().map_err(|_| {
        let message = format!("\"{}\" is not an address and a port", shown(text));
        field.error_help(message, "write it as \"127.0.0.1:9000\" or \"[::1]:9000\"")
    })
}

fn address_or(
    section: &Section<'_>,
    key: &str,
    default: SocketAddr,
) -> Result<SocketAddr, ConfigError> {
    section
        .get(key)
        .map_or(Ok(default), |field| address(&field))
}

/// The duration of a key, or the default.
pub(super) fn duration_or(
    section: &Section<'_>,
    key: &str,
    default: Duration,
) -> Result<Duration, ConfigError> {
    section
        .get(key)
        .map_or(Ok(default), |field| field.duration())
}

/// The number of a key, from 1 to `most`, or the default.
pub(super) fn number_or(
    section: &Section<'_>,
    key: &str,
    default: usize,
    most: u64,
) -> Result<usize, ConfigError> {
    section.get(key).map_or(Ok(default), |field| {
        field.number(1..=most).map(|number| number as usize)
    })
}

/// The absolute path of a key, or the default.
pub(super) fn path_or(
    section: &Section<'_>,
    key: &str,
    default: impl FnOnce() -> PathBuf,
) -> Result<PathBuf, ConfigError> {
    match section.get(key) {
        Some(field) => values::server_path(field.text()?)
            .map_err(|wrong| field.error(format!("`{key}` {wrong}"))),
        None => Ok(default()),
    }
}
