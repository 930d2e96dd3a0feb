use super::hook_protocol::Update;
use super::received::Received;
use super::verdict::{Judged, one_line};
use super::watching::say;
use crate::config::Environment;
use crate::domain::CommitId;
use crate::pipeline::Stop;
use crate::queue::shown_ref;
use crate::web::planned;
use crate::web::stream::{Gone, Lines};

/// `-o plan`: says what would be done; the push is refused, so that nothing has happened.
pub(super) async fn plan(
    received: &Received,
    update: &Update,
    lines: &mut Lines,
) -> Result<Judged, Gone> {
    let Some(commit) = received.commit(update) else {
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

/// Says what deploying the commit to the environment would do. The verdict is always against the push.
pub(super) async fn plan_for(
    received: &Received,
    env: &Environment,
    update: &Update,
    commit: &CommitId,
    lines: &mut Lines,
) -> Result<Judged, Gone> {
    let tools = received.worker.tools();
    match planned(tools, env, &update.ref_name, commit, received.mode(env)).await {
        Ok(shown) => {
            say(lines, format!("plan for {}", shown.head)).await?;
            for warning in shown.warnings {
                say(lines, format!("  - {}", one_line(&warning))).await?;
            }
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
