//! The page of one deployment: what happened, step by step, what it cost, and what was printed.

use super::approval::{self, Asks};
use super::cutover::{self, Picture};
use super::environments::known;
use super::log::{self, StepLog};
use super::shell::{Moment, Shell, Unshown, not_here, page, sign_in_first, word};
use super::timeline::{self, Row};
use crate::domain::{
    Deployment, DeploymentId, Event, Kind, Mode, Origin, Receipt, Role, State as Stands,
};
use crate::pipeline::{Stop, Tools};
use crate::report::{self, duration, one_line};
use crate::store::{cutovers, deployments};
use crate::system::git::CommitInfo;
use crate::web::Refusal;
use crate::web::api::{WITH_LOG, log_of, planned, shown};
use crate::web::types::PlanShown;
use crate::web::visitor::Visitor;
use crate::worker::Worker;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

/// At most so many commits are listed.
const MOST_COMMITS: usize = 50;

#[derive(Template)]
#[template(path = "deployment.html")]
struct Page {
    shell: Shell,
    id: DeploymentId,
    env: String,
    env_path: String,
    url: String,
    state: Stands,
    word: &'static str,
    color: String,
    commit: String,
    subject: String,
    asked: String,
    began: Moment,
    took: String,
    is_open: bool,
    may_act: bool,
    is_full: bool,
    asks: Option<Asks>,
    failure: Option<Failure>,
    rows: Vec<Row>,
    receipt: Option<Vec<(&'static str, String)>>,
    has_lost: bool,
    picture: Option<Picture>,
    commits: Vec<CommitInfo>,
    since: String,
    logs: Vec<StepLog>,
    has_log: bool,
    words: String,
}

/// The failure report.
struct Failure {
    head: String,
    tail: String,
    serving: String,
    next: String,
}

/// What is looked for in the log.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

/// `GET /deployments/{id}`.
pub(super) async fn deployment(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
    Query(asked): Query<Asked>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    let full = may_see(&worker, &visitor, id).await?;
    let tools = worker.tools();
    let all = shown(tools, id).await?;
    let it = &all.deployment;
    let shell = Shell::of(&visitor, "");
    let store = tools.journal.store();
    let intervals = store.read(move |c| cutovers::get(c, id)).await?;
    let (commits, since) = commits(tools, it).await?;
    let logs = match full {
        true => log::read(tools, id, &asked.q),
        false => Vec::new(),
    };
    let end = it.switched_ms.or(it.ended_ms);
    let state_note = all
        .events
        .iter()
        .rev()
        .find_map(|record| match &record.event {
            Event::State { to, why } if to.is_final() => why.clone(),
            _ => None,
        });
    page(&Page {
        id,
        env: it.env.to_string(),
        env_path: super::card::path(&it.env),
        url: all.url.clone(),
        state: it.state,
        word: word(it.state),
        color: it.color.map_or_else(String::new, |color| color.to_string()),
        commit: it.commit.short().to_owned(),
        subject: all.subject.clone().unwrap_or_default(),
        asked: asked_for(it),
        began: shell.moment(it.created_ms),
        took: end.map_or_else(String::new, |end| {
            duration(u64::try_from(end - it.created_ms).unwrap_or(0))
        }),
        is_open: !it.state.is_final(),
        may_act: visitor.may(&it.env, Role::Deploy),
        is_full: full,
        asks: approval::asks(tools, &visitor, &all),
        failure: failure(it, full, state_note),
        rows: timeline::rows(&all.events, shell.now_ms, full, |step| {
            WITH_LOG.contains(&step)
        }),
        receipt: it.receipt.as_ref().map(figures),
        has_lost: it.receipt.as_ref().and_then(|one| one.lost).unwrap_or(0) > 0,
        picture: intervals.and_then(|some| cutover::draw(&some, it.switched_ms)),
        commits,
        since,
        has_log: logs.iter().any(|log| !log.lines.is_empty()),
        logs,
        words: asked.q.chars().take(200).collect(),
        shell,
    })
}

/// Whether the visitor may see all of a deployment; what they may not know of is not here.
pub(super) async fn may_see(
    worker: &Worker,
    visitor: &Visitor,
    id: DeploymentId,
) -> Result<bool, Refusal> {
    if !visitor.is_let_in() {
        return Err(sign_in_first());
    }
    let env = worker.tools().journal.deployment(id).await?.env;
    match visitor.sees_outline(&env) {
        true => Ok(visitor.may(&env, Role::Look)),
        false => Err(not_here()),
    }
}

fn asked_for(it: &Deployment) -> String {
    let what = match &it.kind {
        Kind::Deploy => format!("{} ", report::what(it)),
        Kind::Rollback { .. } | Kind::Restart => format!("a {} ", report::what(it)),
        Kind::Promote { .. } => format!("{} ", report::what(it)),
    };
    let by = one_line(&it.by, 40);
    let door = match it.origin {
        Origin::Hook => "git push",
        Origin::Webhook => "the forge",
        Origin::Cli => "a command",
        Origin::Dashboard => "the dashboard",
        Origin::Chat => "a chat",
        Origin::Deployment => "a deployment at the forge",
        Origin::Reconcile => "looking at the repository",
    };
    let mode = match it.mode {
        Mode::Full => ", from scratch",
        Mode::Fast => "",
    };
    let again = it
        .retry_of
        .map_or_else(String::new, |id| format!(", tries {id} again"));
    format!("{what}by {by}, through {door}{mode}{again}")
}

fn failure(it: &Deployment, full: bool, note: Option<String>) -> Option<Failure> {
    if let Some(known) = &it.failure {
        let at = known
            .step
            .map_or_else(|| "Failed".to_owned(), |step| format!("Failed at {step}"));
        return Some(match full {
            true => Failure {
                head: format!("{at}: {}", known.cause),
                tail: known.tail.join("\n"),
                serving: known.serving.clone(),
                next: known.next.clone(),
            },
            false => Failure {
                head: at,
                tail: String::new(),
                serving: known.serving.clone(),
                next: String::new(),
            },
        });
    }
    let note = note.filter(|_| it.state.is_final() && it.state != Stands::Live)?;
    Some(Failure {
        head: format!("{}: {}", word(it.state), one_line(&note, 300)),
        tail: String::new(),
        serving: String::new(),
        next: String::new(),
    })
}

/// The receipt, figure by figure.
fn figures(receipt: &Receipt) -> Vec<(&'static str, String)> {
    let number =
        |value: Option<u64>| value.map_or_else(|| "not measured".to_owned(), |n| n.to_string());
    let ms = |value: Option<u64>| {
        value.map_or_else(
            || "–".to_owned(),
            |us| format!("{}.{} ms", us / 1000, us % 1000 / 100),
        )
    };
    let errors = match (receipt.old_5xx, receipt.new_5xx) {
        (None, None) => None,
        (old, new) => Some(old.unwrap_or(0) + new.unwrap_or(0)),
    };
    // One unit is enough for two figures.
    let before = match receipt.p99_after_us {
        Some(_) => ms(receipt.p99_before_us).trim_end_matches(" ms").to_owned(),
        None => ms(receipt.p99_before_us),
    };
    vec![
        ("Lost", number(receipt.lost)),
        ("Requests", number(receipt.requests)),
        ("In flight at the switch", number(receipt.in_flight)),
        ("Answers 5xx", number(errors)),
        (
            "p99, before and after",
            format!("{before} → {}", ms(receipt.p99_after_us)),
        ),
        ("Both answered for", ms(receipt.overlap_us)),
    ]
}

/// The commits that the deployment brings, and since which deployment.
async fn commits(tools: &Tools, it: &Deployment) -> Result<(Vec<CommitInfo>, String), Unshown> {
    let (env, id) = (it.env.clone(), it.id);
    let store = tools.journal.store();
    let good = store
        .read(move |c| deployments::live_before(c, &env, id))
        .await?;
    let Some(app) = tools.server.apps.get(&it.env.app) else {
        return Ok((Vec::new(), String::new()));
    };
    let old = good.as_ref().map(|good| &good.commit);
    // Commits that were collected since, or never came here, are simply not listed.
    let found = tools
        .repo(app)
        .and_then(|repo| repo.log_between(old, &it.commit, MOST_COMMITS));
    let since = good.map_or_else(
        || "the first deployment".to_owned(),
        |good| format!("since deployment {}", good.id),
    );
    Ok((found.unwrap_or_default(), since))
}

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage {
    shell: Shell,
    id: DeploymentId,
    plan: PlanShown,
}

/// `GET /deployments/{id}/plan`: how the commit is built and started, and what deploying it would do now.
pub(super) async fn plan(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    may_see(&worker, &visitor, id).await?;
    let tools = worker.tools();
    let it = tools.journal.deployment(id).await?;
    let env = known(&worker, &visitor, it.env.app.as_str(), it.env.env.as_str())?;
    visitor.need(&env, Role::Look)?;
    let Some((_, configured)) = tools.environment(&env) else {
        return Err(not_here().into());
    };
    let plan = planned(tools, configured, &it.ref_name, &it.commit, it.mode).await;
    let plan = plan.map_err(|stop| match stop {
        Stop::Failed(trouble) => Refusal::mistake(trouble.cause),
        Stop::Cancelled(why) => Refusal::internal(why),
    })?;
    page(&PlanPage {
        shell: Shell::of(&visitor, ""),
        id,
        plan,
    })
}

/// `GET /deployments/{id}/log`: the output as it is, as plain text.
pub(super) async fn log_text(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    may_see(&worker, &visitor, id).await?;
    let env = worker.tools().journal.deployment(id).await?.env;
    visitor.need(&env, Role::Look)?;
    Ok(log_of(worker, id).await?)
}
