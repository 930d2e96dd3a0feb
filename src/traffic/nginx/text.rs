use super::NginxError;
use crate::config;
use crate::domain::{Color, EnvId, Redirect, Route};
use std::fmt::Write;

/// What the base block says in place of a generation.
pub(super) const BASE: &str = "base";

/// A line of the base file by which it is found in what nginx says it reads.
pub(super) const BASE_MARK: &str = "# Teal's base block.";

/// The name that the base block of the loopback listens to.
pub(super) const BASE_NAME: &str = "teal";

const HEAD: &str = "# Written by Teal at every change of a route. Changes made here are lost.\n";

/// What every location that reaches a service says. The app decides how large a request may be and how long an answer
/// may take. A connection that nginx kept is used again only while it is younger than any service's own idea of idle,
/// and a request that may not be repeated is not repeated.
const PASSING: &str = "        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Request-Id $request_id;
        proxy_set_header Forwarded \"\";
        proxy_set_header Upgrade $http_upgrade;
        proxy_next_upstream error;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
";

/// The name of an environment's loopback block.
pub(super) fn verify_name(env: &EnvId) -> String {
    format!("{}.{}.teal", env.env, env.app)
}

/// The addresses that an environment's requests go to: every port of every color that has a share.
pub(super) fn upstreams(route: &Route) -> Vec<String> {
    weighted(route)
        .into_iter()
        .map(|(port, _)| format!("127.0.0.1:{port}"))
        .collect()
}

/// The file of Teal's own: answers on the loopback address before any environment does, and takes the visitors of host
/// names that nobody claims, instead of the environment whose file happens to come first.
pub(super) fn base(settings: &config::Nginx) -> String {
    let mut text = format!("{HEAD}{BASE_MARK}\n");
    let verify = settings.verify;
    text.push_str(&format!(
        "server {{\n    listen {verify};\n    server_name {BASE_NAME};\n    access_log off;\n    \
         add_header X-Teal-Generation {BASE} always;\n    add_header X-Teal-Worker $pid always;\n    return 404;\n}}\n"
    ));
    if !settings.listen.is_empty() {
        text.push_str(&format!(
            "server {{\n{}    server_name _;\n    default_type text/plain;\n    \
             return 404 \"No app on this server claims this host name.\\n\";\n}}\n",
            listens(settings, "")
        ));
    }
    text
}

/// The file of one environment.
pub(super) fn environment(
    settings: &config::Nginx,
    route: &Route,
    generation: u64,
) -> Result<String, NginxError> {
    let names = Names::of(route)?;
    let mut text = HEAD.to_owned();
    let servers = weighted(route);
    if !servers.is_empty() {
        text.push_str(&upstream(&names, &servers));
    }
    text.push_str(&loopback(settings, &names, !servers.is_empty(), generation));
    if !settings.listen.is_empty() {
        text.push_str(&public(settings, route, &names, !servers.is_empty()));
        for redirect in &route.redirects {
            text.push_str(&redirection(settings, redirect)?);
        }
    }
    Ok(text)
}

/// The words of one environment, checked.
struct Names {
    upstream: String,
    connection: String,
    verify: String,
    domains: Vec<String>,
}

impl Names {
    fn of(route: &Route) -> Result<Names, NginxError> {
        let EnvId { app, env } = &route.env;
        // nginx's variables have no `-`. Names have no `_` and begin with something else than `-`, so that no two
        // environments meet here.
        let variable = format!("{app}_{env}").replace('-', "__");
        let domains = route.domains.iter().map(|domain| word("a domain", domain));
        Ok(Names {
            upstream: format!("teal_{app}_{env}"),
            connection: format!("teal_connection_{variable}"),
            verify: verify_name(&route.env),
            domains: domains.collect::<Result<_, _>>()?,
        })
    }
}

/// A word that nginx reads as one word whatever it is: the configuration has refused others already, and whoever reads
/// nginx's files need not rely on that.
fn word(what: &'static str, value: &str) -> Result<String, NginxError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
    if !value.is_empty() && value.len() <= 253 && value.chars().all(plain) {
        return Ok(value.to_owned());
    }
    let value = value
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect();
    Err(NginxError::Word { what, value })
}

/// The ports in use with their weights: a color's share is divided evenly among its processes.
fn weighted(route: &Route) -> Vec<(u16, usize)> {
    let counts = Color::BOTH.map(|color| route.upstreams.of(color).len().max(1));
    let mut servers = Vec::new();
    for (color, others) in Color::BOTH.into_iter().zip([counts[1], counts[0]]) {
        let share = usize::from(*route.shares.of(color));
        if share > 0 {
            let ports = route.upstreams.of(color).iter();
            servers.extend(ports.map(|port| (*port, share * others)));
        }
    }
    // One color alone needs no weights.
    if route.active().is_some() {
        servers.iter_mut().for_each(|(_, weight)| *weight = 1);
    }
    servers
}

fn upstream(names: &Names, servers: &[(u16, usize)]) -> String {
    let mut text = format!("upstream {} {{\n", names.upstream);
    for (port, weight) in servers {
        // One failed connect must not take a service out of use for the ten seconds that nginx would give it.
        let _ = writeln!(
            text,
            "    server 127.0.0.1:{port} weight={weight} max_fails=0;"
        );
    }
    text.push_str("    keepalive 32;\n    keepalive_timeout 1s;\n}\n");
    let _ = writeln!(
        text,
        "map $http_upgrade ${} {{\n    default upgrade;\n    \"\" \"\";\n}}",
        names.connection
    );
    text
}

fn loopback(settings: &config::Nginx, names: &Names, served: bool, generation: u64) -> String {
    let action = match served {
        // The service's own idea of a valid host is not in question here, so it is asked by the name it knows.
        true => format!(
            "    location / {{\n        proxy_pass http://{};\n        proxy_http_version 1.1;\n        \
             proxy_set_header Host {};\n        proxy_set_header Connection \"\";\n        \
             proxy_connect_timeout 2s;\n        proxy_read_timeout 2s;\n    }}\n",
            names.upstream,
            names
                .domains
                .first()
                .filter(|name| !name.contains('*'))
                .unwrap_or(&names.verify),
        ),
        false => "    return 503;\n".to_owned(),
    };
    format!(
        "server {{\n    listen {};\n    server_name {};\n    access_log off;\n    \
         add_header X-Teal-Generation {generation} always;\n    add_header X-Teal-Upstream $upstream_addr always;\n    \
         add_header X-Teal-Answered $upstream_header_time always;\n{action}}}\n",
        settings.verify, names.verify
    )
}

fn public(settings: &config::Nginx, route: &Route, names: &Names, served: bool) -> String {
    if names.domains.is_empty() && !route.default {
        return String::new();
    }
    let server_name = match names.domains.is_empty() {
        true => "_".to_owned(),
        false => names.domains.join(" "),
    };
    let default = if route.default { " default_server" } else { "" };
    let unavailable = |place: &str, words: &str, seconds: u64| {
        format!(
            "    location {place} {{\n        default_type text/plain;\n        add_header Retry-After {seconds} always;\n        \
             return 503 \"{words}\\n\";\n    }}\n"
        )
    };
    let action = if route.maintenance {
        unavailable("/", "Under maintenance. Please come back in a while.", 60)
    } else if !served {
        unavailable("/", "Nothing is deployed here yet.", 60)
    } else if route.paused {
        // nginx cannot make a request wait for a service that is being exchanged.
        unavailable("/", "A new release is starting. Please try again.", 1)
    } else {
        format!(
            "    client_max_body_size 0;\n    error_page 502 =503 @teal_unavailable;\n    \
             location / {{\n        proxy_pass http://{};\n{PASSING}        proxy_set_header Connection ${};\n    }}\n{}",
            names.upstream,
            names.connection,
            unavailable(
                "@teal_unavailable",
                "The service is not available. Please try again.",
                1
            )
        )
    };
    format!(
        "server {{\n{}    server_name {server_name};\n{action}}}\n",
        listens(settings, default)
    )
}

fn redirection(settings: &config::Nginx, redirect: &Redirect) -> Result<String, NginxError> {
    let from = word("a domain that redirects", &redirect.from)?;
    let to = word("the target of a redirect", &redirect.to)?;
    Ok(format!(
        "server {{\n{}    server_name {from};\n    return 308 $scheme://{to}$request_uri;\n}}\n",
        listens(settings, "")
    ))
}

fn listens(settings: &config::Nginx, more: &str) -> String {
    let lines = settings.listen.iter();
    lines
        .map(|address| format!("    listen {address}{more};\n"))
        .collect()
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
