//! One environment as its card shows it: what serves, both slots, what runs or waits, what the last cutover cost.

use super::approval::may_answer;
use super::shell::{Moment, Shell};
use super::timeline::{self, Dot};
use crate::domain::{Color, Deployment, EnvId, Role, State};
use crate::pipeline::Tools;
use crate::reconcile;
use crate::report::{self, one_line, span};
use crate::store::events;
use crate::web::Refusal;
use crate::web::types::{EnvironmentStatus, SlotStatus};
use crate::web::visitor::Visitor;

/// An environment.
pub(super) struct Card {
    /// The app.
    pub app: String,
    /// The environment's name.
    pub env: String,
    /// A word for anchors that no other card has.
    pub anchor: String,
    /// The path of its own page.
    pub path: String,
    /// Where visitors reach it.
    pub url: String,
    /// How it stands, in one word.
    pub standing: Standing,
    /// Since when its release serves.
    pub since: Option<Moment>,
    /// For how long.
    pub lasts: String,
    /// Blue and green.
    pub slots: Vec<Slot>,
    /// What runs or waits.
    pub open: Vec<Open>,
    /// Why what was pushed last is not live.
    pub trouble: Option<Trouble>,
    /// What is wanted, when that is not what serves.
    pub wanted: Option<String>,
    /// Whether what serves is what its branch points to.
    pub is_current: bool,
    /// What the last cutover cost.
    pub receipt: Option<Cost>,
    /// What holds pushes back.
    pub hold: Option<String>,
    /// What does not fit together.
    pub warnings: Vec<String>,
    /// Whether this visitor may act here.
    pub may_act: bool,
}

/// How an environment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its release runs and serves.
    Live,
    /// Nothing was deployed yet.
    Empty,
    /// The service that should serve does not run.
    Down,
    /// Visitors see the maintenance page.
    Maintenance,
}

impl Standing {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Live => "Live",
            Standing::Empty => "Nothing deployed yet",
            Standing::Down => "Down",
            Standing::Maintenance => "Maintenance page",
        }
    }

    /// The class of its mark: every standing has a shape of its own.
    pub fn mark(self) -> &'static str {
        match self {
            Standing::Live => "live",
            Standing::Empty => "empty",
            Standing::Down => "down",
            Standing::Maintenance => "maintenance",
        }
    }

    /// Whether somebody should look.
    pub fn is_bad(self) -> bool {
        matches!(self, Standing::Down | Standing::Maintenance)
    }
}

/// A slot.
pub(super) struct Slot {
    /// `blue` or `green`.
    pub color: Color,
    /// The same with a capital.
    pub name: &'static str,
    /// Whether it gets requests.
    pub serves: bool,
    /// Percent of the requests.
    pub share: u8,
    /// What it is to the environment now.
    pub role: String,
    /// The commit.
    pub commit: String,
    /// The commit's first line.
    pub subject: String,
    /// The deployment that made it.
    pub deployment: Option<i64>,
    /// Port and processes.
    pub detail: String,
}

/// A deployment that runs or waits.
pub(super) struct Open {
    /// Its number.
    pub id: i64,
    /// Where it stands.
    pub state: State,
    /// What is deployed.
    pub what: String,
    /// The commit.
    pub commit: String,
    /// Who asked.
    pub by: String,
    /// What it does now: its step, or what it waits for.
    pub doing: String,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: i64,
    /// For how long.
    pub lasts: String,
    /// Its steps.
    pub dots: Vec<Dot>,
    /// Whether this visitor may say yes or no to it.
    pub may_answer: bool,
}

impl Open {
    /// Whether it waits for a person.
    pub fn is_asked(&self) -> bool {
        self.state == State::Approval
    }
}

/// The last deployment, when it went wrong.
pub(super) struct Trouble {
    /// Its number.
    pub id: i64,
    /// "failed at build".
    pub how: String,
    /// When.
    pub at: Moment,
    /// Why; empty for strangers.
    pub cause: String,
}

/// A receipt in few words.
pub(super) struct Cost {
    /// Whether anything was lost.
    pub lost: bool,
    /// "0 lost of 312 requests".
    pub words: String,
    /// The deployment.
    pub id: i64,
}

/// The card of an environment, as far as the visitor may see it.
pub(super) async fn card(
    tools: &Tools,
    shell: &Shell,
    visitor: &Visitor,
    status: EnvironmentStatus,
) -> Result<Card, Refusal> {
    let id = status.env.clone();
    let mut open = Vec::new();
    for deployment in &status.open {
        open.push(running(tools, shell, visitor, deployment).await?);
    }
    let full = visitor.may(&id, Role::Look);
    let (wanted, is_current) = wanted(tools, &status);
    Ok(Card {
        app: id.app.to_string(),
        env: id.env.to_string(),
        anchor: id.key().replace('.', "-"),
        path: path(&id),
        url: status.url.clone(),
        standing: standing(&status),
        since: status.since_ms.map(|at| shell.moment(at)),
        lasts: status
            .since_ms
            .map_or_else(String::new, |at| span(shell.now_ms - at)),
        slots: status
            .slots
            .iter()
            .map(|one| slot(shell, &status, one))
            .collect(),
        open,
        trouble: trouble(shell, &status, full),
        wanted,
        is_current,
        receipt: status.last.as_ref().and_then(cost),
        may_act: visitor.may(&id, Role::Deploy),
        hold: status.hold.filter(|_| full),
        warnings: match full {
            true => status.warnings,
            false => Vec::new(),
        },
    })
}

/// The path of an environment's own page.
pub(super) fn path(id: &EnvId) -> String {
    format!("/environments/{}/{}", id.app, id.env)
}

pub(super) fn standing(status: &EnvironmentStatus) -> Standing {
    let active = status
        .slots
        .iter()
        .find(|slot| Some(slot.color) == status.active);
    match active {
        _ if status.maintenance => Standing::Maintenance,
        None => Standing::Empty,
        Some(slot) if slot.processes.is_empty() => Standing::Down,
        Some(_) => Standing::Live,
    }
}

fn slot(shell: &Shell, status: &EnvironmentStatus, slot: &SlotStatus) -> Slot {
    let subject = slot.subject.as_deref().unwrap_or_default();
    let commit = slot.commit.as_ref();
    // The first process of a kind is called by the kind alone.
    let names = slot.processes.keys();
    let processes: Vec<&str> = names.map(|name| name.trim_end_matches(".0")).collect();
    Slot {
        color: slot.color,
        name: match slot.color {
            Color::Blue => "Blue",
            Color::Green => "Green",
        },
        serves: slot.share > 0,
        share: slot.share,
        role: role(shell, status, slot),
        commit: commit.map_or_else(String::new, |commit| commit.short().to_owned()),
        subject: one_line(subject, 120),
        deployment: slot.deployment,
        detail: match processes.as_slice() {
            [] => format!("port {}", slot.port),
            some => format!("{} on port {}", some.join(", "), slot.port),
        },
    }
}

fn role(shell: &Shell, status: &EnvironmentStatus, slot: &SlotStatus) -> String {
    let filling = status
        .open
        .iter()
        .find(|open| open.color == Some(slot.color) && !has_switched(open.state));
    let is_up = !slot.processes.is_empty();
    let warm = status.warm_until_ms.map(|until| until - shell.now_ms);
    match (Some(slot.color) == status.active, filling) {
        (true, _) if !is_up => "should serve, but does not run".to_owned(),
        (true, _) => "serves".to_owned(),
        (false, Some(open)) if open.state == State::Approval => {
            format!("ready, waits for approval of {}", open.id)
        }
        (false, Some(open)) => format!("being filled by {}", open.id),
        (false, None) if slot.commit.is_none() => "empty".to_owned(),
        (false, None) if !slot.served => "failed before it served".to_owned(),
        (false, None) if !is_up => "cold, way back".to_owned(),
        (false, None) => match warm {
            Some(left) if left > 0 => format!("warm for {}, way back", span(left)),
            _ => "warm, way back".to_owned(),
        },
    }
}

fn has_switched(state: State) -> bool {
    !matches!(state, State::Running | State::Approval)
}

async fn running(
    tools: &Tools,
    shell: &Shell,
    visitor: &Visitor,
    deployment: &Deployment,
) -> Result<Open, Refusal> {
    let id = deployment.id;
    let store = tools.journal.store();
    let events = store.read(move |c| events::after(c, id, 0)).await;
    let events = events.map_err(Refusal::internal)?;
    let since_ms = deployment.started_ms.unwrap_or(deployment.created_ms);
    let subject = tools.subject(&deployment.env.app, &deployment.commit);
    Ok(Open {
        id,
        state: deployment.state,
        what: subject.unwrap_or_else(|| report::what(deployment)),
        commit: deployment.commit.short().to_owned(),
        by: one_line(&deployment.by, 40),
        // Whose yes it waits for is more than where that wait was written down last.
        doing: match &deployment.approval {
            Some(asked) if deployment.state == State::Approval => report::asks(asked),
            _ => timeline::doing(&events),
        },
        since_ms,
        lasts: span(shell.now_ms - since_ms),
        dots: timeline::dots(deployment, &events),
        may_answer: may_answer(tools, visitor, deployment),
    })
}

fn trouble(shell: &Shell, status: &EnvironmentStatus, full: bool) -> Option<Trouble> {
    let last = status.last.as_ref()?;
    let how = match last.state {
        State::Failed => "failed",
        State::RolledBack => "was rolled back",
        State::Interrupted => "was interrupted",
        _ => return None,
    };
    let failure = last.failure.as_ref();
    let step = failure.and_then(|failure| failure.step);
    let cause = failure.filter(|_| full).map(|failure| &failure.cause);
    Some(Trouble {
        id: last.id,
        how: step.map_or_else(|| how.to_owned(), |step| format!("{how} at {step}")),
        at: shell.moment(last.ended_ms.unwrap_or(last.created_ms)),
        cause: cause.map_or_else(String::new, |cause| one_line(cause, 240)),
    })
}

/// What the environment's branch points to, when that is not what serves; and whether it is.
fn wanted(tools: &Tools, status: &EnvironmentStatus) -> (Option<String>, bool) {
    let Some((app, _)) = tools.environment(&status.env) else {
        return (None, false);
    };
    // A repository that cannot be read is told of by those who need it.
    let Ok(Some((ref_name, commit))) = reconcile::newest_tip(tools, app, &status.env) else {
        return (None, false);
    };
    let active = status.slots.iter().find(|s| Some(s.color) == status.active);
    if active.and_then(|slot| slot.commit.as_ref()) == Some(&commit) {
        return (None, true);
    }
    let name = one_line(report::short_ref(&ref_name), 60);
    (Some(format!("{name} is at {}", commit.short())), false)
}

fn cost(last: &Deployment) -> Option<Cost> {
    let receipt = last.receipt.as_ref()?;
    let (requests, lost) = (receipt.requests?, receipt.lost?);
    Some(Cost {
        lost: lost > 0,
        words: format!("{lost} lost of {requests} requests"),
        id: last.id,
    })
}
