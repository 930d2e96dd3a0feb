use super::hook_protocol::{DEPLOY_REFS, Line, Update, Verdict};
use super::planning::{plan, plan_for};
use super::received::{Received, in_words};
use super::verdict::{Judged, one_line, verdict};
use super::watching::{say, watch};
use crate::config::Environment;
use crate::domain::{CommitId, Kind, Origin};
use crate::queue::{Wish, shown_ref};
use crate::web::stream::{Gone, Lines};

/// `proc-receive`: the refs have not moved yet. Each gets its verdict, in git's order.
pub(super) async fn judge(received: Received, mut lines: Lines) -> Result<(), Gone> {
    let mut falls_through = Vec::new();
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

/// Deploys to every gated environment that the ref maps to; the ref moves when all of them are live.
async fn gate(
    received: &Received,
    update: &Update,
    lines: &mut Lines,
) -> Result<Option<Judged>, Gone> {
    let gates = received.gates(update);
    let (false, Some(commit)) = (gates.is_empty(), received.commit(update)) else {
        return Ok(None);
    };
    for (nth, env) in gates.iter().enumerate() {
        let live = deploy_and_wait(received, env, update, commit.clone(), lines).await?;
        if live.is_err() {
            go_back(received, &gates[..nth], lines).await?;
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
    go_back(received, gates, lines).await?;
    Ok(Err(
        "another push was faster: fetch, then push again".to_owned()
    ))
}

/// Takes a push that is rejected after all out of the environments where it is live already.
async fn go_back(
    received: &Received,
    gates: &[Environment],
    lines: &mut Lines,
) -> Result<(), Gone> {
    for env in gates {
        if let Err(error) = received.worker.rollback(&env.id, None, received.by()).await {
            say(lines, format!("{}: {error}", env.id)).await?;
        }
    }
    Ok(())
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
    let wish = Wish {
        env: env.id.clone(),
        kind: Kind::Deploy,
        commit,
        ref_name: update.ref_name.clone(),
        by: received.by().to_owned(),
        origin: Origin::Hook,
        mode: received.mode(env),
        redeploy: true,
        skip_tests: received.options.skip_tests,
        retry_of: None,
        now: received.options.now,
    };
    // The connection that asks would have to stay open for as long as a freeze lasts.
    if !wish.now
        && let Ok(Some(hold)) = received.worker.queue().hold(&wish.env).await
    {
        let why = format!("{} is {hold}; push again then, or with -o now", wish.env);
        return Ok(Err(one_line(&why)));
    }
    let queued = match received.worker.queue().ask(wish).await {
        Ok(queued) => queued,
        Err(error) => return Ok(Err(error.to_string())),
    };
    permit.made(queued.id).await;
    // A pusher who has gone away changes nothing: the verdict is still to be found.
    let watched = watch(&received.worker, queued.id, lines).await;
    let ended = verdict(&received.worker, queued.id).await;
    watched?;
    Ok(ended)
}
