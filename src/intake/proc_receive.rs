use super::hook_protocol::{DEPLOY_REFS, Line, Update, Verdict};
use super::planning::{plan, plan_for};
use super::received::{Received, in_words};
use super::verdict::{Judged, one_line, verdict};
use super::watching::{Until, say, watch};
use crate::config::Environment;
use crate::domain::{CommitId, DeploymentId, Kind, Origin};
use crate::landing::{Gate, LandingError};
use crate::queue::{Wish, shown_ref};
use crate::store::landings::Landing;
use crate::web::stream::{Gone, Lines};

/// `proc-receive`: the refs have not moved yet. Each gets its verdict, in git's order.
pub(super) async fn judge(received: Received, mut lines: Lines) -> Result<(), Gone> {
    let mut falls_through = Vec::new();
    received.settle().await;
    for update in &received.updates {
        let judged = match update.ref_name.strip_prefix(DEPLOY_REFS) {
            _ if let Some(why) = received.beyond(update) => Some(Err(why)),
            Some(name) => Some(redeploy(&received, update, name, &mut lines).await?),
            // Asking what would be done changes nothing, so whoever can push may ask.
            None if received.options.plan => Some(plan(&received, update, &mut lines).await?),
            None => match received.refused(update).await {
                Some(why) => Some(Err(why)),
                None => gate(&received, update, &mut lines).await?,
            },
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
    let Some(commit) = received.commit(update) else {
        return Ok(Err(
            "there is nothing to delete: refs/deploy/ only asks for deployments".to_owned(),
        ));
    };
    if received.options.plan {
        return plan_for(received, env, update, &commit, lines).await;
    }
    deploy_and_wait(received, env, update, commit, lines).await
}

/// Deploys to every gated environment that the ref maps to; the ref moves when all of them are live. A pusher who goes
/// away meanwhile changes nothing of that.
async fn gate(
    received: &Received,
    update: &Update,
    lines: &mut Lines,
) -> Result<Option<Judged>, Gone> {
    let gates = received.gates(update);
    let (false, Some(commit)) = (gates.is_empty(), received.commit(update)) else {
        return Ok(None);
    };
    for env in &gates {
        if let Some(why) = held(received, &wish(received, env, update, &commit)).await {
            return Ok(Some(Err(why)));
        }
    }
    let landing = match landing(received, update, &gates, &commit) {
        Ok(landing) => landing,
        Err(why) => return Ok(Some(Err(why))),
    };
    let gate = match Gate::begin(&received.worker, landing).await {
        Ok(gate) => gate,
        Err(error) => return Ok(Some(Err(error.to_string()))),
    };
    for env in &gates {
        let live = match received.permit(env, update).await {
            Ok(permit) => match gate.deploy(wish(received, env, update, &commit)).await {
                Ok(queued) => {
                    permit.made(queued.id).await;
                    follow(received, queued.id, lines).await
                }
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(in_words(&error)),
        };
        if live.is_err() {
            if let Err(error) = gate.take_back().await {
                said_if_heard(lines, format!("going back: {error}")).await;
            }
            return Ok(Some(live));
        }
    }
    let Err(error) = gate.land().await else {
        return Ok(Some(Ok(())));
    };
    let shown = shown_ref(&update.ref_name);
    said_if_heard(
        lines,
        format!("{shown} could not be moved ({error}); going back"),
    )
    .await;
    Ok(Some(Err(match error {
        LandingError::NotMoved(_) => "another push was faster: fetch, then push again".to_owned(),
        other => other.to_string(),
    })))
}

/// What the journal keeps of the push.
fn landing(
    received: &Received,
    update: &Update,
    gates: &[Environment],
    commit: &CommitId,
) -> Result<Landing, String> {
    let value = |text: &str, which: &str| {
        let read = text.parse();
        read.map_err(|_| {
            format!(
                "git gave no {which} value of {}",
                shown_ref(&update.ref_name)
            )
        })
    };
    Ok(Landing {
        app: received.app.name.clone(),
        ref_name: update.ref_name.clone(),
        old: value(&update.old, "old")?,
        new: value(&update.new, "new")?,
        commit: commit.clone(),
        by: received.by().to_owned(),
        wanted: gates.iter().map(|env| env.id.clone()).collect(),
        deployments: Vec::new(),
    })
}

/// Says it to a pusher who may be gone.
async fn said_if_heard(lines: &mut Lines, text: String) {
    let _ = say(lines, text).await;
}

fn wish(received: &Received, env: &Environment, update: &Update, commit: &CommitId) -> Wish {
    Wish {
        env: env.id.clone(),
        kind: Kind::Deploy,
        commit: commit.clone(),
        ref_name: update.ref_name.clone(),
        by: received.by().to_owned(),
        origin: Origin::Hook,
        mode: received.mode(env),
        redeploy: true,
        skip_tests: received.options.skip_tests,
        retry_of: None,
        now: received.options.now,
    }
}

async fn deploy_and_wait(
    received: &Received,
    env: &Environment,
    update: &Update,
    commit: CommitId,
    lines: &mut Lines,
) -> Result<Judged, Gone> {
    let permit = match received.permit(env, update).await {
        Ok(permit) => permit,
        Err(error) => return Ok(Err(in_words(&error))),
    };
    let wish = wish(received, env, update, &commit);
    if let Some(why) = held(received, &wish).await {
        return Ok(Err(why));
    }
    Ok(match received.worker.queue().ask(wish).await {
        Ok(queued) => {
            permit.made(queued.id).await;
            follow(received, queued.id, lines).await
        }
        Err(error) => Err(error.to_string()),
    })
}

/// Why the wish would have to wait: the connection that asks would have to stay open for as long as a freeze lasts, or until
/// CI has found good what is not even at the forge.
async fn held(received: &Received, wish: &Wish) -> Option<String> {
    if wish.now {
        return None;
    }
    let tools = received.worker.tools();
    if tools
        .environment(&wish.env)
        .is_some_and(|(_, env)| env.after.is_some())
    {
        let why = format!(
            "{} goes live after CI: push to its forge, or here with -o now",
            wish.env
        );
        return Some(one_line(&why));
    }
    let hold = received.worker.queue().hold(&wish.env).await.ok()??;
    let why = format!("{} is {hold}; push again then, or with -o now", wish.env);
    Some(one_line(&why))
}

/// Tells a deployment to its end. A pusher who has gone away changes nothing: the verdict is still to be found.
async fn follow(received: &Received, id: DeploymentId, lines: &mut Lines) -> Judged {
    let _ = watch(&received.worker, id, Until::TheEnd, lines).await;
    verdict(&received.worker, id).await
}
