//! What a forge says of deployments: one that somebody made there goes live here, and a workflow that asks whether it may
//! deploy is answered.

use super::answers::{accepted, not_stored, say};
use super::received::in_words;
use super::webhook::{Asked, Made};
use crate::access::{AccessError, Want};
use crate::domain::{Act, Actor, CommitId, DeploymentId, EnvId, Kind, Origin};
use crate::journal::JournalError;
use crate::queue::{Accepted, Order, Wish};
use crate::reconcile;
use crate::store::questions::{self, Question};
use crate::system::clock;
use crate::worker::Worker;
use axum::http::StatusCode;
use axum::response::Response;

/// Carries out a deployment that somebody made at the forge. Whether they may is decided as for a push.
pub(super) async fn made(worker: &Worker, actor: &Actor, made: Made) -> Response {
    let tools = worker.tools();
    let Some((_, env)) = tools.environment(&made.env) else {
        return say(StatusCode::OK, "its environment is not configured any more");
    };
    let about = format!(
        "{} (deployment {} at the forge)",
        made.ref_name, made.number
    );
    let want = Want {
        actor,
        door: Origin::Deployment,
        act: Act::Deploy,
        env: &env.id,
        about: &about,
    };
    let permit = match tools.access().permit(want).await {
        Ok(permit) => permit,
        Err(error) => return say(StatusCode::FORBIDDEN, &in_words(&error)),
    };
    let order = Order {
        number: made.number,
        wish: Wish {
            env: env.id.clone(),
            kind: Kind::Deploy,
            commit: made.commit,
            ref_name: made.ref_name,
            by: by(actor, &made.by),
            origin: Origin::Deployment,
            mode: env.mode,
            // Whoever makes a deployment wants one, also of what serves.
            redeploy: true,
            skip_tests: false,
            retry_of: None,
            now: false,
        },
    };
    let chosen = order.wish.commit.clone();
    let (taken, is_new) = match worker.queue().ordered(order).await {
        Ok(taken) => taken,
        Err(error) => return not_stored(&error),
    };
    match taken {
        Accepted::Nothing(why) => say(StatusCode::OK, &why),
        Accepted::Deployments(made) => {
            if let (true, Some(first)) = (is_new, made.first()) {
                permit.made(first.id).await;
                if let Err(error) = pass_over(worker, &env.id, first.id, &chosen).await {
                    return not_stored(&error);
                }
            }
            accepted(worker, made, &[])
        }
    }
}

/// What its branch points to is not what was chosen: no later look may put it in its place.
async fn pass_over(
    worker: &Worker,
    env: &EnvId,
    id: DeploymentId,
    chosen: &CommitId,
) -> Result<(), JournalError> {
    let tools = worker.tools();
    match reconcile::pass_over(tools, env, Some(chosen)).await? {
        Some(note) => tools.journal.note(id, note).await,
        None => Ok(()),
    }
}

/// Keeps the question of a workflow, with a no where who began it may not deploy there.
pub(super) async fn asked(
    worker: &Worker,
    actor: &Actor,
    asked: Asked,
    delivery: Option<String>,
) -> Response {
    let tools = worker.tools();
    let about = format!("a workflow at the forge (run {})", asked.run);
    let want = Want {
        actor,
        door: Origin::Deployment,
        act: Act::Deploy,
        env: &asked.env,
        about: &about,
    };
    let refused = match tools.access().permit(want).await {
        Ok(_permit) => None,
        Err(error @ AccessError::Denied { .. }) => Some(in_words(&error)),
        Err(AccessError::Audit(error)) => return not_stored(&error.into()),
    };
    let question = Question {
        id: 0,
        env: asked.env.clone(),
        run: asked.run,
        by: by(actor, &asked.by),
        refused,
        asked_ms: clock::now_ms(),
        told: None,
        tries: 0,
        next_ms: 0,
    };
    let store = tools.journal.store();
    let kept = store.write(move |c| questions::ask(c, delivery.as_deref(), &question));
    if let Err(error) = kept.await {
        return not_stored(&JournalError::Store(error));
    }
    worker.queue().hear(&asked.env.app);
    say(
        StatusCode::ACCEPTED,
        "the workflow is answered as soon as nothing holds deployments back",
    )
}

fn by(actor: &Actor, login: &str) -> String {
    match &actor.person {
        Some(person) => person.to_string(),
        None => login.to_owned(),
    }
}
