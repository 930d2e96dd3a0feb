//! By which names the dashboard and the API are reached. A stranger's page may have a name that leads to this machine's
//! address, and a visitor's browser then takes what is answered there for that page's own: under such a name nothing is.

use super::Refusal;
use crate::worker::Worker;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Answers only under a name of the server's own.
pub(super) async fn only_ours(
    State(worker): State<Worker>,
    request: Request,
    next: Next,
) -> Response {
    let public = worker.tools().server.public_url.clone();
    let typed = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let typed = typed.or_else(|| request.uri().authority().map(Authority::as_str));
    match typed.is_some_and(|host| is_ours(host, &public, &own_name())) {
        true => next.run(request).await,
        false => Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server has another name than the one that it was asked by",
        )
        .next(format!("open {public}, or set `public_url` in teal.toml"))
        .into_response(),
    }
}

/// The machine's own name; empty where it has none.
fn own_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().to_ascii_lowercase()
}

/// Addresses are nobody's names; besides them there is what `public_url` says, `localhost`, and what the machine is called.
fn is_ours(host: &str, public_url: &str, own: &str) -> bool {
    let Some(name) = name_of(host) else {
        return false;
    };
    let public = public_url
        .split_once("://")
        .map_or(public_url, |(_, rest)| rest);
    let public = public.split('/').next().and_then(name_of);
    let is_own = !own.is_empty()
        && (name == own
            || name
                .strip_prefix(own)
                .is_some_and(|rest| rest.starts_with('.')));
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    is_address || is_own || name == "localhost" || public.as_ref() == Some(&name)
}

/// The name in `name:port`.
fn name_of(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    (!host.contains('@')).then(|| authority.host().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_server_are_its_own() {
        let ours = |host: &str| is_ours(host, "https://deploy.example.com/teal", "box");
        for good in [
            "deploy.example.com",
            "Deploy.Example.com:443",
            "127.0.0.1:9000",
            "[::1]:9000",
            "localhost:9000",
            "box:9000",
            "box.lan",
        ] {
            assert!(ours(good), "{good}");
        }
        for bad in [
            "evil.test",
            "deploy.example.com.evil.test",
            "boxer",
            "a@localhost",
            "localhost.evil.test",
            "",
            " ",
        ] {
            assert!(!ours(bad), "{bad}");
        }
        assert!(!is_ours("evil", "http://127.0.0.1:9000", ""));
    }
}
