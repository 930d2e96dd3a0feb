//! What the TCP address shows: that the server lives, and how deployments stand. Output of commands and failure details
//! are not shown here, because whoever can reach the address can read it.

use super::Refusal;
use super::api::{gather, shown};
use crate::domain::DeploymentId;
use crate::report;
use crate::worker::Worker;
use axum::extract::{Path, State};
use std::fmt::Write;

/// `GET /healthz`: the server and its database answer.
pub(super) async fn healthz(State(worker): State<Worker>) -> Result<&'static str, Refusal> {
    let store = worker.tools().journal.store();
    store
        .read(crate::store::events::last)
        .await
        .map_err(Refusal::internal)?;
    Ok("ok\n")
}

/// `GET /`: which commit serves where.
pub(super) async fn environments(State(worker): State<Worker>) -> Result<String, Refusal> {
    let status = gather(worker.tools(), None).await?;
    let mut page = format!("Teal {}\n\n", status.version);
    for env in status.environments {
        let slot = env.slots.iter().find(|slot| Some(slot.color) == env.active);
        let serves = slot
            .and_then(|slot| slot.commit.as_ref())
            .map_or("nothing yet".to_owned(), |commit| commit.short().to_owned());
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{:<30} {serves}  {}", env.env, env.url);
    }
    Ok(page)
}

/// `GET /deployments/{id}`: its steps and how it ended.
pub(super) async fn deployment(
    State(worker): State<Worker>,
    Path(id): Path<DeploymentId>,
) -> Result<String, Refusal> {
    use crate::domain::{Event, Spent, StepEnd};
    let shown = shown(worker.tools(), id).await?;
    let mut page = report::headline(&shown.deployment, shown.subject.as_deref());
    page.push('\n');
    for record in &shown.events {
        let lines = match &record.event {
            Event::Failed(_) | Event::Note { .. } => Vec::new(),
            // Why a step failed may quote the service's answer.
            Event::StepEnded {
                step,
                end: StepEnd::Failed,
                ms,
                ..
            } => report::line(&Event::StepEnded {
                step: *step,
                end: StepEnd::Failed,
                why: String::new(),
                ms: *ms,
                spent: Spent::default(),
            }),
            event => report::line(event),
        };
        for line in lines {
            let _ = writeln!(page, "{}", line.text);
        }
    }
    let _ = match shown.deployment.state.is_final() {
        true => writeln!(
            page,
            "{}",
            report::ending(&shown.deployment, &shown.url).text
        ),
        false => writeln!(page, "{}", shown.deployment.state),
    };
    Ok(page)
}
