//! What makes pages move: a stream of server-sent events. An event says that something changed, and the page's script
//! fetches the page again; lines of logs come along as they are printed. A beat every few seconds keeps the connection, and
//! shows what no event tells: a process that ended, a way back that became cold.

use super::deployment::may_see;
use super::log::Tail;
use super::shell::{Unshown, sign_in_first};
use crate::domain::DeploymentId;
use crate::web::stream::{Gone, Lines, answer};
use crate::web::visitor::Visitor;
use crate::worker::Worker;
use axum::extract::{Path, State};
use axum::response::Response;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// How often a page is told that the server is there.
const BEAT: Duration = Duration::from_secs(10);
/// How often growing logs are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Changes that come closer together than this are one.
const TOGETHER: Duration = Duration::from_millis(120);

/// `GET /events`: whatever happens.
pub(super) async fn everything(
    State(worker): State<Worker>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    if !visitor.is_let_in() {
        return Err(sign_in_first().into());
    }
    Ok(answer("text/event-stream", move |mut lines| async move {
        let mut changes = worker.tools().journal.changes();
        begin(&mut lines).await?;
        loop {
            match timeout(BEAT, changes.changed()).await {
                Ok(Err(_)) => return Ok(()),
                Ok(Ok(())) => {
                    tokio::time::sleep(TOGETHER).await;
                    changes.mark_unchanged();
                    tell(&mut lines, "change", "").await?;
                }
                Err(_) => tell(&mut lines, "beat", "").await?,
            }
        }
    }))
}

/// `GET /deployments/{id}/events`: what happens to one deployment, and what its steps print.
pub(super) async fn deployment(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
    visitor: Visitor,
) -> Result<Response, Unshown> {
    let full = may_see(&worker, &visitor, id).await?;
    Ok(answer("text/event-stream", move |lines| {
        follow(worker, id, full, lines)
    }))
}

async fn follow(
    worker: Worker,
    id: DeploymentId,
    full: bool,
    mut lines: Lines,
) -> Result<(), Gone> {
    let journal = &worker.tools().journal;
    let mut changes = journal.changes();
    let mut tails = match full {
        true => Tail::all(worker.tools(), id),
        false => Vec::new(),
    };
    let mut beat = Instant::now() + BEAT;
    begin(&mut lines).await?;
    loop {
        let deployment = journal.deployment(id).await.map_err(|_| Gone)?;
        let over = deployment.state.is_final();
        for tail in &mut tails {
            for line in tail.look(over) {
                let told = serde_json::json!({
                    "step": tail.step(), "number": line.number, "html": line.html,
                });
                tell(&mut lines, "line", &told.to_string()).await?;
            }
        }
        if over {
            tell(&mut lines, "change", "").await?;
            return tell(&mut lines, "end", "").await;
        }
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                tell(&mut lines, "change", "").await?;
                // A step that prints quickly is not asked for with every event of others.
                tokio::time::sleep(TOGETHER).await;
            }
            () = tokio::time::sleep(LOOK) => {}
            () = sleep_until(beat) => {
                tell(&mut lines, "beat", "").await?;
                beat = Instant::now() + BEAT;
            }
        }
    }
}

/// A browser that lost the connection comes back after two seconds.
async fn begin(lines: &mut Lines) -> Result<(), Gone> {
    lines.raw("retry: 2000\n\n").await
}

/// Neither words nor content have a line end: `content` is JSON or nothing.
async fn tell(lines: &mut Lines, event: &str, content: &str) -> Result<(), Gone> {
    lines
        .raw(format!("event: {event}\ndata: {content}\n\n"))
        .await
}
