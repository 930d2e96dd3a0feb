//! An environment's line: what a wish joins, what it takes the place of, and what keeps it from the line.

use super::wish::{Queued, Wish};
use crate::config::Server;
use crate::domain::{Ci, Deployment, Event, Kind, Origin, State};
use crate::holds::{self, Hold};
use crate::journal::{Entry, JournalError};
use crate::report;
use crate::store::{deployments, environments};
use crate::system::clock;
use std::mem::{Discriminant, discriminant};

/// What nobody asked for by hand is not deployed twice: a forge's redelivery under a new name, or a reconcile.
pub(super) fn serves_already(entry: &Entry, wish: &Wish) -> Result<bool, JournalError> {
    if wish.redeploy || !matches!(wish.origin, Origin::Webhook | Origin::Reconcile) {
        return Ok(false);
    }
    let busy = !deployments::open(entry.connection(), Some(&wish.env))?.is_empty();
    let standing = environments::get(entry.connection(), &wish.env)?;
    Ok(!busy
        && standing
            .serving()
            .is_some_and(|release| release.commit == wish.commit))
}

/// Adds the wish to its environment's line. A newer one supersedes what waits there for the same: a push takes the place of
/// a push, but changed configuration does not make a push that waits disappear. The same commit that waits or runs already
/// is joined.
pub(super) fn enqueue(
    entry: &mut Entry,
    server: &Server,
    wish: Wish,
) -> Result<Queued, JournalError> {
    let env = wish.env.clone();
    let open = deployments::open(entry.connection(), Some(&env))?;
    let now = clock::now_ms();
    let (hold, over) = holding(entry, server, &wish)?;
    let (ci, unchecked) = awaited(server, &wish, now);
    let over: Vec<String> = over.into_iter().chain(unchecked).collect();
    if let Some(same) = open.iter().find(|open| is_same(open, &wish)) {
        if same.state == State::Waiting && !over.is_empty() {
            entry.move_to(same.id, State::Queued, Some(over.join("; ")))?;
        }
        return Ok(Queued { id: same.id, env });
    }
    let (kind, made_here) = (discriminant(&wish.kind), wish.kind.is_made_here());
    let mut deployment = wish.into_deployment(now);
    let for_ci = ci.as_ref().map(report::waits_for_ci);
    let reasons: Vec<String> = { hold.map(|hold| hold.to_string()).into_iter() }
        .chain(for_ci)
        .collect();
    let waits = !reasons.is_empty();
    if waits {
        deployment.state = State::Waiting;
    }
    deployment.ci = ci;
    let id = entry.create(&deployment, waits.then(|| reasons.join("; and ")))?;
    for text in over {
        entry.tell(id, Event::Note { text })?;
    }
    let gives_way = |open: &Deployment| gives_way(open, &kind, made_here);
    let before = |open: &&Deployment| !gives_way(open) && has_begun(open.state);
    if !waits && let Some(busy) = open.iter().find(before) {
        let text = format!(
            "waits for deployment {} of {env}, which is {}",
            busy.id,
            busy.state.phrase()
        );
        entry.tell(id, Event::Note { text })?;
    }
    for older in open {
        if gives_way(&older) {
            let why = Some(format!("superseded by deployment {id}"));
            entry.move_to(older.id, State::Superseded, why)?;
        }
    }
    Ok(Queued { id, env })
}

/// Whether a newer wish of that kind takes this one's place: it waits for the same, or it waits for somebody's yes to a
/// release that would be replaced at once.
fn gives_way(open: &Deployment, kind: &Discriminant<Kind>, made_here: bool) -> bool {
    let same = discriminant(&open.kind) == *kind;
    let replaced = open.state == State::Approval && made_here;
    open.state.can_become(State::Superseded) && (same || replaced)
}

fn has_begun(state: State) -> bool {
    !matches!(state, State::Waiting | State::Queued)
}

/// What holds the wish back, or, where it was asked to go live all the same, the words that are kept about that.
fn holding(
    entry: &Entry,
    server: &Server,
    wish: &Wish,
) -> Result<(Option<Hold>, Option<String>), JournalError> {
    let found = server.environment(&wish.env);
    let Some(env) = found.filter(|_| wish.kind.is_made_here()) else {
        return Ok((None, None));
    };
    let hold = holds::of(entry.connection(), env, clock::now_ms())?;
    Ok(match hold {
        Some(hold) if wish.now => {
            let by = &wish.by;
            (
                None,
                Some(format!("{by} deploys it now although it is {hold}")),
            )
        }
        hold => (hold, None),
    })
}

/// CI's word that the wish has to wait for, or, where it was asked to go live all the same, the words that are kept about
/// that.
fn awaited(server: &Server, wish: &Wish, now: i64) -> (Option<Ci>, Option<String>) {
    let env = server.environment(&wish.env);
    let made_here = wish.kind.is_made_here();
    let Some(after) = env.and_then(|env| env.after.as_ref()).filter(|_| made_here) else {
        return (None, None);
    };
    // An interrupted one had CI's word, or did without it.
    if wish.now {
        let text = format!("{} deploys it now, whatever CI says", wish.by);
        return (None, wish.retry_of.is_none().then_some(text));
    }
    let timeout = i64::try_from(after.timeout.as_millis()).unwrap_or(i64::MAX);
    let ci = Ci {
        since_ms: now,
        until_ms: now.saturating_add(timeout),
        said: None,
        found: None,
    };
    (Some(ci), None)
}

fn is_same(open: &Deployment, wish: &Wish) -> bool {
    open.kind == Kind::Deploy
        && wish.kind == Kind::Deploy
        && open.commit == wish.commit
        && !wish.redeploy
        && open.mode == wish.mode
        && open.skip_tests == wish.skip_tests
        && matches!(
            open.state,
            State::Waiting | State::Queued | State::Running | State::Approval
        )
}
