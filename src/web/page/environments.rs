//! `/`: every environment at a glance, and the page of one.

use super::card::{self, Card, Open};
use super::history::{Listed, listed};
use super::shell::{Shell, Unshown, not_here, page, sign_in_first};
use crate::domain::{EnvId, Role};
use crate::store::deployments::{self, Search};
use crate::web::api::gather;
use crate::web::visitor::Visitor;
use crate::worker::Worker;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

#[derive(Template)]
#[template(path = "environments.html")]
struct Page {
    shell: Shell,
    /// The one sentence that says whether somebody has to look.
    summary: String,
    /// How loud it is said: `good`, `note` or `bad`.
    tone: &'static str,
    cards: Vec<Card>,
}

/// `GET /`.
pub(super) async fn all(
    State(worker): State<Worker>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    if !visitor.is_let_in() {
        return Err(sign_in_first().into());
    }
    let shell = Shell::of(&visitor, "environments");
    let tools = worker.tools();
    let mut cards = Vec::new();
    for status in gather(tools, None).await?.environments {
        if visitor.sees_outline(&status.env) {
            cards.push(card::card(tools, &shell, &visitor, status).await?);
        }
    }
    let (summary, tone) = summary(&cards);
    page(&Page {
        shell,
        summary,
        tone,
        cards,
    })
}

/// What somebody who was woken up has to know first.
fn summary(cards: &[Card]) -> (String, &'static str) {
    let name = |card: &Card| format!("{}/{}", card.app, card.env);
    let bad: Vec<String> = cards
        .iter()
        .filter(|card| card.standing.is_bad())
        .map(|card| format!("{}: {}", name(card), card.standing.word().to_lowercase()))
        .collect();
    let not_live: Vec<String> = cards
        .iter()
        .filter(|card| !card.standing.is_bad())
        .filter_map(|card| {
            let trouble = card.trouble.as_ref()?;
            Some(format!(
                "{}: the last deployment {}",
                name(card),
                trouble.how
            ))
        })
        .collect();
    let waits = |card: &&Card| card.open.iter().any(Open::is_asked);
    let waiting: Vec<String> = cards.iter().filter(waits).map(name).collect();
    let waiting = match waiting.as_slice() {
        [] => String::new(),
        [one] => format!(" · {one} waits for approval"),
        several => format!(" · {} wait for approval", several.len()),
    };
    let is_busy = |card: &&Card| card.open.iter().any(|open| !open.is_asked());
    let busy = cards.iter().filter(is_busy).count();
    let mut parts = bad.clone();
    parts.extend(not_live);
    let live = match (cards.len(), parts.is_empty()) {
        (0, _) => "No environments yet".to_owned(),
        (1, true) => "It is live".to_owned(),
        (count, true) => format!("All {count} environments are well"),
        (_, false) => parts.join(" · "),
    };
    let busy = match busy {
        0 => String::new(),
        1 => " · 1 is being deployed to".to_owned(),
        count => format!(" · {count} are being deployed to"),
    };
    let tone = match (bad.is_empty(), parts.is_empty()) {
        (false, _) => "bad",
        (true, false) => "note",
        (true, true) => "good",
    };
    (format!("{live}{waiting}{busy}"), tone)
}

#[derive(Template)]
#[template(path = "environment.html")]
struct One {
    shell: Shell,
    card: Card,
    rows: Vec<Listed>,
    badge: String,
    maintenance: bool,
}

/// `GET /environments/{app}/{env}`.
pub(super) async fn one(
    State(worker): State<Worker>,
    Path((app, env)): Path<(String, String)>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    let id = known(&worker, &visitor, &app, &env)?;
    let shell = Shell::of(&visitor, "environments");
    let tools = worker.tools();
    let Some(status) = gather(tools, Some(&id)).await?.environments.pop() else {
        return Err(not_here().into());
    };
    let search = Search {
        app: Some(app),
        env: Some(env),
        limit: 12,
        ..Search::default()
    };
    let store = tools.journal.store();
    let newest = store.read(move |c| deployments::search(c, &search)).await?;
    let full = visitor.may(&id, Role::Look);
    let rows = newest
        .iter()
        .map(|one| listed(tools, &shell, one, full))
        .collect();
    let maintenance = status.maintenance;
    let card = card::card(tools, &shell, &visitor, status).await?;
    page(&One {
        badge: format!("{}{}/badge.svg", tools.server.public_url, card.path),
        shell,
        card,
        rows,
        maintenance,
    })
}

/// The environment of these names, if it is configured and the visitor may know of it.
pub(super) fn known(
    worker: &Worker,
    visitor: &Visitor,
    app: &str,
    env: &str,
) -> Result<EnvId, Unshown> {
    if !visitor.is_let_in() {
        return Err(sign_in_first().into());
    }
    let id: Option<EnvId> = format!("{app}/{env}").parse().ok();
    id.filter(|id| worker.tools().environment(id).is_some() && visitor.sees_outline(id))
        .ok_or_else(|| not_here().into())
}
