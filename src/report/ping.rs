//! A delivery to oneself: whether what a forge sends comes in at the address that forges are given.

use super::webhook::sign;
use super::wire::{Refusal, Wire};
use crate::config::{App, Forge, Secret};
use http::Method;

/// What every forge's try-out deliveries are to Teal: signed, and about nothing.
const BODY: &str = "{\"zen\":\"teal doctor\"}";

/// Sends the app's webhook address what its forge sends to try it out, signed with the app's secret. What was answered.
pub async fn ping(public_url: &str, app: &App, secret: &Secret) -> Result<String, Refusal> {
    let wire = Wire::new()?;
    let url = format!("{public_url}/hooks/{}", app.name);
    let signature = sign(secret, BODY.as_bytes());
    let bare = signature.trim_start_matches("sha256=");
    let request = wire
        .request(Method::POST, &url)
        .header("content-type", "application/json");
    let request = match app.forge {
        Some(Forge::GitHub) => request
            .header("x-github-event", "ping")
            .header("x-hub-signature-256", &signature),
        Some(Forge::Gitea | Forge::Forgejo) => request
            .header("x-gitea-event", "ping")
            .header("x-gitea-signature", bare),
        Some(Forge::GitLab) => request
            .header("x-gitlab-event", "Ping Hook")
            .header("x-gitlab-token", secret.expose()),
        None => request,
    };
    let answer = wire.send(request.body(BODY)).await?;
    let answer = answer
        .taken()
        .map_err(|refusal| match refusal.words.get(..15) {
            Some("it answered 401") => {
                refusal.hint("what answers there is a server with another secret")
            }
            Some("it answered 404") => refusal
                .hint("what answers there is not this server, or does not pass /hooks/ on to it"),
            _ => refusal,
        })?;
    Ok(super::one_line(answer.text.trim(), 200))
}
