//! The server's side of git's hooks: what a push means, told live to the pusher's terminal. The deployment lives in the
//! queue; a hook only watches, so that nothing changes when it goes away.

use super::hook_protocol::{DEPLOY_REFS, Line, Pushed, Update, Verdict};
use super::watching::{say, watch};
use crate::config::{App, Environment, OnPush};
use crate::domain::{CommitId, DeploymentId, Kind, Mode, Origin, Push, PushOptions, State};
use crate::pipeline::Stop;
use crate::queue::{Accepted, Wish, shown_ref};
use crate::system::users;
use crate::web::stream::{Gone, Lines, answer};
use crate::web::{Peer, planned};
use crate::worker::Worker;
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

/// The routes of both hooks.
pub fn hooks() -> Router<Worker> {
    Router::new()
        .route("/hook/post-receive", post(post_receive))
        .route("/hook/proc-receive", post(proc_receive))
}

/// A push whose sender and options were checked.
struct Received {
    worker: Worker,
    app: App,
    by: String,
    options: PushOptions,
    updates: Vec<Update>,
}

fn check(worker: Worker, peer: &Peer, pushed: Pushed) -> Result<Received, Box<Response>> {
    let refuse = |status: StatusCode, why: String| Box::new((status, why).into_response());
    if !users::may_act(peer.uid) {
        let own = users::own().name;
        return Err(refuse(
            StatusCode::FORBIDDEN,
            format!("{} may not push here: push over ssh as {own}", peer.name),
        ));
    }
    let app = pushed
        .app
        .parse()
        .ok()
        .and_then(|name| worker.tools().server.apps.get(&name));
    let Some(app) = app.cloned() else {
        return Err(refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this repository is no app of the server's configuration: add it to teal.toml, or remove the repository".to_owned(),
        ));
    };
    let options = PushOptions::parse(pushed.options.iter().map(String::as_str))
        .map_err(|why| refuse(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    Ok(Received {
        by: pushed.user.unwrap_or_else(|| peer.name.clone()),
        updates: pushed.updates,
        worker,
        app,
        options,
    })
}

async fn post_receive(
    Shared(worker): Shared<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(pushed): Json<Pushed>,
) -> Response {
    match check(worker, &peer, pushed) {
        Ok(received) => answer("application/x-ndjson", |lines| report(received, lines)),
        Err(refusal) => *refusal,
    }
}

async fn proc_receive(
    Shared(worker): Shared<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(pushed): Json<Pushed>,
) -> Response {
    match check(worker, &peer, pushed) {
        Ok(received) => answer("application/x-ndjson", |lines| judge(received, lines)),
        Err(refusal) => *refusal,
    }
}

impl Received {
    fn push(&self, update: &Update, commit: CommitId) -> Push {
        Push {
            app: self.app.name.clone(),
            ref_name: update.ref_name.clone(),
            commit,
            by: self.by.clone(),
            origin: Origin::Hook,
            options: self.options.clone(),
        }
    }

    fn gates(&self, update: &Update) -> Vec<Environment> {
        let mapped = self.app.environments_for(&update.ref_name).into_iter();
        mapped
            .filter(|env| env.on_push == OnPush::Gate)
            .cloned()
            .collect()
    }
}

/// What a ref points to now; nothing when it was deleted.
fn target(update: &Update) -> Option<CommitId> {
    update
        .new
        .parse()
        .ok()
        .filter(|commit: &CommitId| !commit.is_zero())
}

/// `post-receive`: the refs have moved. Everything that maps to an environment which only reports is deployed, and the
/// pusher watches all of it.
async fn report(received: Received, mut lines: Lines) -> Result<(), Gone> {
    let mut begun = Vec::new();
    for update in &received.updates {
        let shown = shown_ref(&update.ref_name);
        let Some(commit) = target(update) else {
            let mapped = !received.app.environments_for(&update.ref_name).is_empty();
            if mapped {
                say(
                    &mut lines,
                    format!("{shown} is deleted here; what serves goes on serving"),
                )
                .await?;
            }
            continue;
        };
        let reports = |env: &Environment| env.on_push == OnPush::Report;
        if !received.gates(update).is_empty()
            && !received
                .app
                .environments_for(&update.ref_name)
                .into_iter()
                .any(reports)
        {
            // The gate has deployed it before the ref moved.
            continue;
        }
        match received
            .worker
            .queue()
            .accept(received.push(update, commit), None, reports)
            .await
        {
            Ok(Accepted::Deployments(made)) => begun.extend(made),
            Ok(Accepted::Nothing(why)) => say(&mut lines, why).await?,
            Err(error) => {
                say(
                    &mut lines,
                    format!("{shown} landed, but its deployment could not be stored: {error}"),
                )
                .await?;
            }
        }
    }
    for queued in begun {
        watch(&received.worker, queued.id, &mut lines).await?;
    }
    lines.json(&Line::Done).await
}

/// `proc-receive`: the refs have not moved yet. Each gets its verdict, in git's order.
async fn judge(received: Received, mut lines: Lines) -> Result<(), Gone> {
    let mut falls_through = Vec::new();
    for update in &received.updates {
        let judged = match update.ref_name.strip_prefix(DEPLOY_REFS) {
            Some(name) => Some(redeploy(&received, update, name, &mut lines).await?),
            None if received.options.plan => Some(plan(&received, update, &mut lines).await?),
            None => gate(&received, update, &mut lines).await?,
        };
        match judged {
            Some(judged) => {
                let (ok, reason) = match judged {
                    Ok(()) => (true, None),
                    Err(why) => (false, Some(why)),
                };
                let ref_name = update.ref_name.clone();
                lines
                    .json(&Line::Verdict(Verdict {
                        ref_name,
                        ok,
                        reason,
                    }))
                    .await?;
            }
            None => falls_through.push(update.ref_name.clone()),
        }
    }
    lines.json(&Line::FallThrough(falls_through)).await?;
    lines.json(&Line::Done).await
}

/// A verdict: the ref may move, or why not.
type Judged = Result<(), String>;

/// `git push production main:refs/deploy/production`: deploys without storing a ref, whatever is there already.
async fn redeploy(
    received: &Received,
    update: &Update,
    name: &str,
    lines: &mut Lines,
) -> Result<Judged, Gone> {
    let found = received
        .app
        .environments
        .iter()
        .find(|env| env.id.env.as_str() == name);
    let Some(env) = found else {
        let names: Vec<&str> = received
            .app
            .environments
            .iter()
            .map(|env| env.id.env.as_str())
            .collect();
        return Ok(Err(format!(
            "no such environment; {} has {}",
            received.app.name,
            names.join(", ")
        )));
    };
    let Some(commit) = peeled(received, update) else {
        return Ok(Err(
            "there is nothing to delete: refs/deploy/ only asks for deployments".to_owned(),
        ));
    };
    if received.options.plan {
        return plan_for(received, env, update, &commit, lines).await;
    }
    deploy_and_wait(received, env, update, commit, lines).await
}

/// Deploys to every gated environment that the ref maps to; the ref moves when all of them are live.
async fn gate(
    received: &Received,
    update: &Update,
    lines: &mut Lines,
) -> Result<Option<Judged>, Gone> {
    let gates = received.gates(update);
    let (false, Some(commit)) = (gates.is_empty(), peeled(received, update)) else {
        return Ok(None);
    };
    for env in &gates {
        let live = deploy_and_wait(received, env, update, commit.clone(), lines).await?;
        if live.is_err() {
            return Ok(Some(live));
        }
    }
    Ok(Some(move_ref(received, update, &gates, lines).await?))
}

/// The ref moves by compare-and-swap. Who lost the race against another push serves nothing of it.
async fn move_ref(
    received: &Received,
    update: &Update,
    gates: &[Environment],
    lines: &mut Lines,
) -> Result<Judged, Gone> {
    let moved = || {
        let old = update
            .old
            .parse()
            .map_err(|_| "git gave no old value".to_owned())?;
        let new = update
            .new
            .parse()
            .map_err(|_| "git gave no new value".to_owned())?;
        let repo = received
            .worker
            .tools()
            .repo(&received.app)
            .map_err(|e| e.to_string())?;
        repo.compare_and_swap_ref(&update.ref_name, &old, &new)
            .map_err(|e| e.to_string())
    };
    let Err(why) = moved() else { return Ok(Ok(())) };
    say(
        lines,
        format!(
            "{} moved meanwhile ({why}); going back",
            shown_ref(&update.ref_name)
        ),
    )
    .await?;
    for env in gates {
        if let Err(error) = received.worker.rollback(&env.id, None, &received.by).await {
            say(lines, format!("{}: {error}", env.id)).await?;
        }
    }
    Ok(Err(
        "another push was faster: fetch, then push again".to_owned()
    ))
}

async fn deploy_and_wait(
    received: &Received,
    env: &Environment,
    update: &Update,
    commit: CommitId,
    lines: &mut Lines,
) -> Result<Judged, Gone> {
    let wish = Wish {
        env: env.id.clone(),
        kind: Kind::Deploy,
        commit,
        ref_name: update.ref_name.clone(),
        by: received.by.clone(),
        origin: Origin::Hook,
        mode: mode(received, env),
        redeploy: true,
        skip_tests: received.options.skip_tests,
        retry_of: None,
    };
    let queued = match received.worker.queue().ask(wish).await {
        Ok(queued) => queued,
        Err(error) => return Ok(Err(error.to_string())),
    };
    // A pusher who has gone away changes nothing: the verdict is still to be found.
    let watched = watch(&received.worker, queued.id, lines).await;
    let ended = verdict(&received.worker, queued.id).await;
    watched?;
    Ok(ended)
}

async fn verdict(worker: &Worker, id: DeploymentId) -> Judged {
    match worker.ended(id).await {
        Ok(deployment) if deployment.state == State::Live => Ok(()),
        Ok(deployment) => Err(match deployment.failure {
            Some(failure) => one_line(&failure.cause),
            None => format!("deployment {id} is {}", deployment.state),
        }),
        Err(error) => Err(error.to_string()),
    }
}

fn mode(received: &Received, env: &Environment) -> Mode {
    match (received.options.fast, received.options.full) {
        (true, _) => Mode::Fast,
        (_, true) => Mode::Full,
        _ => env.mode,
    }
}

fn peeled(received: &Received, update: &Update) -> Option<CommitId> {
    let named = target(update)?;
    let repo = received.worker.tools().repo(&received.app).ok()?;
    repo.peel_commit(&named).ok().flatten()
}

/// `-o plan`: says what would be done; the push is refused, so that nothing has happened.
async fn plan(received: &Received, update: &Update, lines: &mut Lines) -> Result<Judged, Gone> {
    let Some(commit) = peeled(received, update) else {
        return Ok(Err(
            "plan only: deleting a branch deploys nothing".to_owned()
        ));
    };
    let mapped: Vec<Environment> = received
        .app
        .environments_for(&update.ref_name)
        .into_iter()
        .cloned()
        .collect();
    if mapped.is_empty() {
        say(
            lines,
            format!(
                "{} maps to no environment of {}",
                shown_ref(&update.ref_name),
                received.app.name
            ),
        )
        .await?;
    }
    for env in &mapped {
        if let Err(why) = plan_for(received, env, update, &commit, lines).await?
            && why != PLANNED
        {
            return Ok(Err(why));
        }
    }
    Ok(Err(PLANNED.to_owned()))
}

const PLANNED: &str = "plan only: nothing was done";

async fn plan_for(
    received: &Received,
    env: &Environment,
    update: &Update,
    commit: &CommitId,
    lines: &mut Lines,
) -> Result<Judged, Gone> {
    let tools = received.worker.tools();
    match planned(tools, env, &update.ref_name, commit, mode(received, env)).await {
        Ok(shown) => {
            say(lines, format!("plan for {}", shown.head)).await?;
            for step in shown.steps {
                let does = if step.runs { "run" } else { "skip" };
                say(lines, format!("  {:<9} {does:<5} {}", step.step, step.why)).await?;
            }
            Ok(Err(PLANNED.to_owned()))
        }
        Err(Stop::Failed(trouble)) => Ok(Err(one_line(&trouble.cause))),
        Err(Stop::Cancelled(why)) => Ok(Err(one_line(&why))),
    }
}

/// A reason as git's protocol carries it: one line, cut to size.
fn one_line(text: &str) -> String {
    let mut short: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    if text.chars().count() > 300 {
        short.push('…');
    }
    short
}
