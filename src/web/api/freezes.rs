use super::permission::permit;
use super::pick;
use super::types::{FreezeRequest, FreezeShown};
use crate::domain::Act;
use crate::store::freezes::{self, Freeze};
use crate::system::clock;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, State};

/// As much of somebody's reason as is kept.
const WHY: usize = 200;

pub(super) async fn freeze(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(request): Json<FreezeRequest>,
) -> Result<Json<FreezeShown>, Refusal> {
    let env = pick(worker.tools(), &request.which)?;
    let now = clock::now_ms();
    if request.until_ms.is_some_and(|until| until <= now) {
        return Err(Refusal::mistake("a freeze cannot end in the past"));
    }
    let about = if request.lift { "lift" } else { "freeze" };
    let (actor, _permit) = permit(worker.tools(), &peer, Act::Freeze, &env, about).await?;
    let why = request.why.map(|why| {
        let readable = why.chars().filter(|c| !c.is_control());
        readable.take(WHY).collect::<String>()
    });
    let freeze = Freeze {
        by: actor.name().to_owned(),
        why: why.filter(|why| !why.trim().is_empty()),
        since_ms: now,
        until_ms: request.until_ms,
    };
    let id = env.clone();
    let lifted = worker
        .tools()
        .journal
        .write(move |entry| {
            if request.lift {
                return Ok(freezes::lift(entry.connection(), &id)?);
            }
            freezes::put(entry.connection(), &id, &freeze)?;
            Ok(false)
        })
        .await?;
    worker.queue().nudge();
    // Workflows at the forge wait for the same.
    worker.queue().hear(&env.app);
    let hold = worker.queue().hold(&env).await?;
    Ok(Json(FreezeShown {
        hold: hold.map(|hold| hold.to_string()),
        lifted,
        env,
    }))
}
