//! `teal.toml` as it was typed → [`Server`].

use super::around::Around;
use super::document::{Document, Field, Section};
use super::error::ConfigError;
use super::server_keys::{SERVER, TRACES};
use super::server_values::{address_or, duration_or, number_or, path_or};
use super::typed_app::apps;
use super::typed_environment::Inherited;
use super::typed_notify::notify;
use super::typed_people::people;
use super::{LogFormat, Server, Traces, defaults, placement, secret, typed_proxy, values};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
            inherited: Inherited {
                apps_dir: path_or(&top, "apps_dir", || PathBuf::from("/srv"))?,
                reconcile,
                people: people(&top)?,
            },
        };
        let mut server = Server {
            file: file.to_owned(),
            state_dir: path_or(&top, "state_dir", || defaults::state_dir(env))?,
            listen,
            public_url: public_url(&top, listen)?,
            public_page: match top.get("public_page") {
                Some(field) => field.truth()?,
                None => false,
            },
            ssh_host: ssh_host(&top)?,
            build_slots: number_or(&top, "build_slots", 1, 64)?,
            reconcile,
            proxy: match top.get("proxy") {
                Some(field) => typed_proxy::proxy(&field)?,
                None => typed_proxy::unsaid(),
            },
            apps: Default::default(),
            people: around.inherited.people.clone(),
            notify: Vec::new(),
            log: match top.get("log") {
                Some(field) => {
                    field.one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)])?
                }
                None => LogFormat::Text,
            },
            traces: top
                .get("traces")
                .map(|field| traces(&field, &around))
                .transpose()?,
        };
        listeners_differ(&top, &server)?;
        let mut apps = apps(&top, &around)?;
        placement::settle(&mut apps, &server)?;
        server.apps = apps
            .into_iter()
            .map(|app| app.meant())
            .map(|app| (app.name.clone(), app))
            .collect();
        tell_apart(&mut server);
        server.notify = notify(&top, &around, &server.apps)?;
        Ok(server)
    }
}

/// Apps that are fetched from one repository (a monorepo) are told apart there by their names.
fn tell_apart(server: &mut Server) {
    let projects: Vec<(String, String)> = { server.apps.values() }
        .filter_map(|app| app.api.as_ref())
        .map(|api| (api.url.clone(), api.project.clone()))
        .collect();
    for api in server.apps.values_mut().filter_map(|app| app.api.as_mut()) {
        let same = |(url, project): &&(String, String)| *url == api.url && *project == api.project;
        api.shared = projects.iter().filter(same).count() > 1;
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
    web_address(&field, "https://deploy.example.com")
}

/// Where traces are sent. A collector is the operator's own, so that it may be spoken to without TLS.
fn traces(field: &Field<'_>, around: &Around<'_>) -> Result<Traces, ConfigError> {
    let section = field.table(&TRACES)?;
    let example = "http://127.0.0.1:4318";
    let url = match section.get("url") {
        Some(url) => web_address(&url, example)?,
        None => {
            let help = format!("write `traces = {{ url = \"{example}\" }}`");
            return Err(field.key_error("`traces` needs `url`", Some(help)));
        }
    };
    let token = section.get("token");
    let token = token.map(|token| secret::read(&token, &around.base, around.env));
    Ok(Traces {
        url,
        token: token.transpose()?,
    })
}

fn web_address(field: &Field<'_>, example: &str) -> Result<String, ConfigError> {
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
            format!("`{}` is not a web address", field.label()),
            format!("write \"{example}\""),
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
