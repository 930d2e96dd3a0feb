//! What was deployed: the list with its filters, durations over time, and the four figures of each environment.

use super::chart::{self, Chart};
use super::shell::{Moment, Shell, Unshown, page, sign_in_first, word};
use crate::domain::{Deployment, DeploymentId, State as Stands};
use crate::pipeline::Tools;
use crate::report::{self, Dora, dora, duration, one_line};
use crate::store::deployments::{self, Search};
use crate::web::visitor::Visitor;
use crate::worker::Worker;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

/// How many deployments are on a page.
const PAGE: u32 = 50;
/// How far back the figures look.
const DAYS: i64 = 30;
const HOUR_MS: u64 = 3600 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// No more deployments of one environment are looked at for its figures.
const MOST: u32 = 5000;

/// A deployment in a list.
pub(super) struct Listed {
    /// Its number.
    pub id: DeploymentId,
    /// Its environment.
    pub env: String,
    /// How it stands.
    pub state: Stands,
    /// The same as people read it.
    pub word: &'static str,
    /// The slot that it took; empty: none.
    pub color: String,
    /// The commit.
    pub commit: String,
    /// The commit's first line, or what was asked for.
    pub what: String,
    /// Who asked.
    pub by: String,
    /// When.
    pub at: Moment,
    /// How long it took.
    pub took: String,
    /// Why it did not become live.
    pub cause: String,
}

/// A deployment as lists show it; causes only to those who may see everything.
pub(super) fn listed(tools: &Tools, shell: &Shell, one: &Deployment, full: bool) -> Listed {
    let subject = tools.subject(&one.env.app, &one.commit);
    let what = match one.kind {
        crate::domain::Kind::Deploy => subject.unwrap_or_else(|| report::what(one)),
        _ => format!("{}: {}", report::what(one), subject.unwrap_or_default()),
    };
    let failure = one.failure.as_ref().filter(|_| full);
    Listed {
        id: one.id,
        env: one.env.to_string(),
        state: one.state,
        word: word(one.state),
        color: one
            .color
            .map_or_else(String::new, |color| color.to_string()),
        commit: one.commit.short().to_owned(),
        what: one_line(&what, 160),
        by: one_line(&one.by, 40),
        at: shell.moment(one.created_ms),
        took: chart::took_ms(one).map_or_else(String::new, duration),
        cause: failure.map_or_else(String::new, |failure| one_line(&failure.cause, 200)),
    }
}

/// The filters as they are typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    app: String,
    env: String,
    state: String,
    by: String,
    before: Option<DeploymentId>,
}

#[derive(Template)]
#[template(path = "history.html")]
struct Page {
    shell: Shell,
    asked: Asked,
    apps: Vec<String>,
    envs: Vec<String>,
    states: Vec<(&'static str, &'static str)>,
    people: Vec<String>,
    rows: Vec<Listed>,
    older: Option<String>,
    is_filtered: bool,
    chart: Option<Chart>,
    figures: Vec<Figures>,
    days: i64,
}

/// The figures of one environment.
struct Figures {
    env: String,
    deployed: usize,
    per_day: String,
    lead: String,
    failures: String,
    restore: String,
}

/// `GET /history`.
pub(super) async fn history(
    State(worker): State<Worker>,
    Query(asked): Query<Asked>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    if !visitor.is_let_in() {
        return Err(sign_in_first().into());
    }
    let tools = worker.tools();
    let shell = Shell::of(&visitor, "history");
    let search = asked.search();
    let (found, people) = tools
        .journal
        .store()
        .read(move |c| Ok((deployments::search(c, &search)?, deployments::people(c)?)))
        .await?;
    let last = found.last().map(|one| one.id);
    let is_full_page = found.len() == PAGE as usize;
    let seen: Vec<Deployment> = found
        .into_iter()
        .filter(|one| visitor.sees_outline(&one.env))
        .collect();
    let rows = seen.iter().map(|one| {
        let full = visitor.may(&one.env, crate::domain::Role::Look);
        listed(tools, &shell, one, full)
    });
    let ids = tools.server.environments().map(|env| &env.id);
    let visible: Vec<_> = ids.filter(|id| visitor.sees_outline(id)).collect();
    let mut envs: Vec<String> = visible.iter().map(|id| id.env.to_string()).collect();
    envs.sort();
    envs.dedup();
    let mut apps: Vec<String> = visible.iter().map(|id| id.app.to_string()).collect();
    apps.dedup();
    let rows = rows.collect();
    let figures = figures(tools, &visitor, &asked, shell.now_ms).await?;
    page(&Page {
        rows,
        chart: chart::draw(&seen),
        figures,
        older: last.filter(|_| is_full_page).map(|last| asked.older(last)),
        is_filtered: asked.is_filtered(),
        states: Stands::ALL
            .map(|state| (state.as_str(), word(state)))
            .to_vec(),
        people,
        apps,
        envs,
        asked,
        days: DAYS,
        shell,
    })
}

impl Asked {
    fn search(&self) -> Search {
        let given = |word: &String| Some(word.clone()).filter(|word| !word.is_empty());
        Search {
            app: given(&self.app),
            env: given(&self.env),
            state: given(&self.state),
            by: given(&self.by),
            before: self.before,
            since_ms: None,
            limit: PAGE,
        }
    }

    fn is_filtered(&self) -> bool {
        [&self.app, &self.env, &self.state, &self.by]
            .iter()
            .any(|word| !word.is_empty())
    }

    /// The address of what is older than this.
    fn older(&self, last: DeploymentId) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, word) in [
            ("app", &self.app),
            ("env", &self.env),
            ("state", &self.state),
            ("by", &self.by),
        ] {
            if !word.is_empty() {
                query.append_pair(name, word);
            }
        }
        query.append_pair("before", &last.to_string());
        format!("/history?{}", query.finish())
    }
}

async fn figures(
    tools: &Tools,
    visitor: &Visitor,
    asked: &Asked,
    now_ms: i64,
) -> Result<Vec<Figures>, Unshown> {
    let mut all = Vec::new();
    for env in tools.server.environments() {
        let id = &env.id;
        let fits = |word: &str, own: &str| word.is_empty() || word == own;
        if !visitor.sees_outline(id)
            || !fits(&asked.app, id.app.as_str())
            || !fits(&asked.env, id.env.as_str())
        {
            continue;
        }
        let search = Search {
            app: Some(id.app.to_string()),
            env: Some(id.env.to_string()),
            since_ms: Some(now_ms - DAYS * DAY_MS),
            limit: MOST,
            ..Search::default()
        };
        let store = tools.journal.store();
        let found = store.read(move |c| deployments::search(c, &search)).await?;
        // An environment that is younger than the window is not blamed for the days before it.
        let oldest = found.last().map_or(now_ms, |one| one.created_ms);
        let days = ((now_ms - oldest) as f64 / DAY_MS as f64).ceil();
        all.push(shown(id.to_string(), &dora(&found, days)));
    }
    Ok(all)
}

fn shown(env: String, figures: &Dora) -> Figures {
    let span = |ms: Option<i64>| {
        ms.map_or_else(
            || "–".to_owned(),
            |ms| match u64::try_from(ms).unwrap_or(0) {
                ms if ms < HOUR_MS => duration(ms),
                _ => report::span(ms),
            },
        )
    };
    Figures {
        env,
        deployed: figures.deployed,
        per_day: match figures.per_day {
            0.0 => "–".to_owned(),
            few if few < 1.0 => format!("{:.1} a week", few * 7.0),
            many => format!("{many:.1} a day"),
        },
        lead: span(figures.lead_ms),
        failures: figures
            .failure_percent
            .map_or_else(|| "–".to_owned(), |percent| format!("{percent} %")),
        restore: span(figures.restore_ms),
    }
}
