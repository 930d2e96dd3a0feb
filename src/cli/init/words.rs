//! What `teal init` says.

use super::super::table::{cell, plain};
use crate::config::{Environment, Forge, RefRule, Server};
use crate::intake::hook_protocol::SOCKET;
use crate::report::{Line, Tone};
use crate::setup::Prepared;
use crate::system::socket;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a repository is.
pub(super) struct Place {
    /// The user to push as.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The folder on it.
    pub path: PathBuf,
}

impl Place {
    /// The address to push to from another machine.
    pub fn ssh(&self) -> String {
        format!("ssh://{}@{}{}", self.user, self.host, in_url(&self.path))
    }
}

/// What to type for one app.
pub(super) fn app(server: &Server, prepared: &Prepared, place: &Place) -> Vec<Line> {
    let mut lines = vec![
        plain(""),
        cell(
            Tone::Good,
            format!("{}: {} is ready", prepared.app, place.path.display()),
        ),
    ];
    lines.extend(
        prepared
            .notes
            .iter()
            .map(|note| plain(format!("  - {note}"))),
    );
    let Some(app) = server.apps.get(&prepared.app) else {
        return lines;
    };
    match (app.forge, webhook(server, prepared)) {
        (Some(forge), Some(url)) => lines.extend(delivery(forge, &url)),
        _ => lines.extend(remotes(&app.environments, place)),
    }
    lines
}

/// Where a forge delivers what was pushed to it; nothing for an app that is pushed here.
pub(super) fn webhook(server: &Server, prepared: &Prepared) -> Option<String> {
    let app = server.apps.get(&prepared.app)?;
    app.forge?;
    Some(format!("{}/hooks/{}", server.public_url, app.name))
}

fn remotes(environments: &[Environment], place: &Place) -> Vec<Line> {
    let add = |address: &str| {
        let names = environments.iter().map(|environment| &environment.id.env);
        let lines = names.map(|name| plain(format!("    git remote add {name} {address}")));
        lines.collect::<Vec<_>>()
    };
    let mut lines = vec![plain("  on your machine, in the app's repository:")];
    lines.extend(add(&place.ssh()));
    lines.push(plain("  or in a repository on this machine:"));
    lines.extend(add(&in_shell(&place.path)));
    lines.push(plain("  then push:"));
    lines.extend(
        environments
            .iter()
            .map(|environment| plain(format!("    {}", push(environment)))),
    );
    lines
}

/// The command that deploys to this environment.
fn push(environment: &Environment) -> String {
    let name = &environment.id.env;
    let is_glob = |pattern: &str| pattern.contains(['*', '?', '[', '{']);
    match environment.refs.first() {
        Some(RefRule::Branch(branch)) if is_glob(branch) => {
            format!("git push {name} <branch>          # any branch like {branch}")
        }
        Some(RefRule::Tag(tag)) if is_glob(tag) => {
            format!("git push {name} <tag>             # any tag like {tag}")
        }
        Some(RefRule::Branch(word) | RefRule::Tag(word)) => format!("git push {name} {word}"),
        None => format!("git push {name} main:refs/deploy/{name}"),
    }
}

fn delivery(forge: Forge, url: &str) -> Vec<Line> {
    let (name, where_to) = match forge {
        Forge::GitHub => ("GitHub", "Settings > Webhooks > Add webhook"),
        Forge::Gitea => ("Gitea", "Settings > Webhooks > Add Webhook > Gitea"),
        Forge::Forgejo => ("Forgejo", "Settings > Webhooks > Add webhook > Forgejo"),
        Forge::GitLab => ("GitLab", "Settings > Webhooks > Add new webhook"),
    };
    let mut lines = vec![
        plain(format!("  at {name}, in the repository: {where_to}")),
        plain(format!("    URL           {url}")),
    ];
    if forge == Forge::GitLab {
        lines.push(plain(
            "    secret token  the value that `webhook_secret` names",
        ));
        lines.push(plain(
            "    trigger       push events, tag push events, merge request events",
        ));
    } else {
        lines.push(plain("    content type  application/json"));
        lines.push(plain(
            "    secret        the value that `webhook_secret` names",
        ));
        lines.push(plain("    events        push, and pull requests"));
    }
    if matches!(forge, Forge::Gitea | Forge::Forgejo) {
        lines.push(plain(format!(
            "    {name} delivers to public addresses only, unless its app.ini says otherwise:"
        )));
        lines.push(plain("      [webhook]"));
        lines.push(plain(format!("      ALLOWED_HOST_LIST = {}", host(url))));
    }
    if is_loopback(host(url)) {
        lines.push(cell(
            Tone::Bad,
            format!(
                "    this address is reached from this machine only: set `public_url` to the one that {name} can reach"
            ),
        ));
    }
    lines
}

/// What starts the server with this configuration, or makes the one that runs read it.
pub(super) fn serve(server: &Server) -> String {
    if socket::connect(&server.state_dir.join(SOCKET)).is_ok() {
        return format!(
            "the server runs; after a change of {}: systemctl restart teal",
            server.file.display()
        );
    }
    match server.file.to_str() {
        Some("teal.toml" | "/etc/teal/teal.toml") => "start the server with: teal serve".to_owned(),
        _ => format!(
            "start the server with: teal serve --config {}",
            in_shell(&server.file)
        ),
    }
}

/// The host of a URL, without its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority
        .strip_prefix('[')
        .and_then(|six| six.split_once(']'))
    {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or(authority),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The path as a part of a URL; git turns `%20` back into a space.
fn in_url(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => text.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(*byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The path as a word of a command.
fn in_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.-_~+@:,".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"
        public_url = "https://deploy.example.org"
        [apps.arq.environments.production]
        branch = "main"
        ports = { blue = 3001, green = 3002 }
        [apps.arq.environments.staging]
        branch = "feature/*"
        ports = { blue = 3003, green = 3004 }
        [apps.shop]
        forge = "forgejo"
        repo = "https://git.example.org/shop.git"
        webhook_secret = { env = "SECRET" }
        [apps.shop.environments.production]
        tag = "v*"
        ports = { blue = 3005, green = 3006 }
    "#;

    fn said(name: &str, path: &str) -> String {
        said_of(CONFIGURATION, name, path)
    }

    fn said_of(configuration: &str, name: &str, path: &str) -> String {
        let secret = |_: &str| Some("a-long-enough-secret".to_owned());
        let server = Server::parse(configuration, Path::new("teal.toml"), &secret).unwrap();
        let prepared = Prepared {
            app: name.parse().unwrap(),
            repo_path: path.into(),
            notes: Vec::new(),
        };
        let place = Place {
            user: "teal".to_owned(),
            host: "web1".to_owned(),
            path: path.into(),
        };
        let lines = app(&server, &prepared, &place).into_iter();
        lines.map(|line| line.text + "\n").collect()
    }

    #[test]
    fn an_app_that_is_pushed_here_gets_its_remotes() {
        insta::assert_snapshot!(said("arq", "/var/lib/teal/repos/arq.git"), @r"

        arq: /var/lib/teal/repos/arq.git is ready
          on your machine, in the app's repository:
            git remote add production ssh://teal@web1/var/lib/teal/repos/arq.git
            git remote add staging ssh://teal@web1/var/lib/teal/repos/arq.git
          or in a repository on this machine:
            git remote add production /var/lib/teal/repos/arq.git
            git remote add staging /var/lib/teal/repos/arq.git
          then push:
            git push production main
            git push staging <branch>          # any branch like feature/*
        ");
    }

    #[test]
    fn an_app_of_a_forge_gets_its_webhook() {
        insta::assert_snapshot!(said("shop", "/var/lib/teal/repos/shop.git"), @r"

        shop: /var/lib/teal/repos/shop.git is ready
          at Forgejo, in the repository: Settings > Webhooks > Add webhook > Forgejo
            URL           https://deploy.example.org/hooks/shop
            content type  application/json
            secret        the value that `webhook_secret` names
            events        push, and pull requests
            Forgejo delivers to public addresses only, unless its app.ini says otherwise:
              [webhook]
              ALLOWED_HOST_LIST = deploy.example.org
        ");
    }

    #[test]
    fn an_address_that_no_forge_can_reach_is_said() {
        let configuration =
            CONFIGURATION.replace("https://deploy.example.org", "http://127.0.0.1:9000");
        let text = said_of(&configuration, "shop", "/repos/shop.git");
        assert!(text.contains("set `public_url`"), "{text}");
        assert!(!said("shop", "/repos/shop.git").contains("set `public_url`"));
    }

    #[test]
    fn odd_paths_can_be_pasted() {
        let text = said("arq", "/home/my user/it's/arq.git");
        assert!(
            text.contains("ssh://teal@web1/home/my%20user/it%27s/arq.git"),
            "{text}"
        );
        assert!(
            text.contains(r"add production '/home/my user/it'\''s/arq.git'"),
            "{text}"
        );
    }
}
