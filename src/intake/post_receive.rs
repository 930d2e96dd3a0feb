use super::hook_protocol::Line;
use super::permits::Permits;
use super::received::{Received, in_words, target};
use super::watching::{Until, say, watch};
use crate::access::AccessError;
use crate::config::{Environment, OnPush};
use crate::domain::Origin;
use crate::queue::{Accepted, shown_ref};
use crate::web::stream::{Gone, Lines};

/// `post-receive`: the refs have moved. Everything that maps to an environment which only reports is deployed, and the
/// pusher watches all of it.
pub(super) async fn report(received: Received, mut lines: Lines) -> Result<(), Gone> {
    let mut begun = Vec::new();
    received.settle().await;
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
        let mut reporting = received.app.environments_for(&update.ref_name);
        reporting.retain(|env| reports(env));
        let permits = Permits::ask(
            &received.worker.tools().access(),
            &received.actor,
            Origin::Hook,
            &received.about(update),
            &reporting,
        )
        .await;
        for error in &permits.refused {
            say(&mut lines, in_words(error)).await?;
        }
        let is_unkept = |error: &AccessError| matches!(error, AccessError::Audit(_));
        if permits.refused.iter().any(is_unkept) {
            // Nobody said no: an answer that breaks off makes the hook keep the push for later.
            return Err(Gone);
        }
        if permits.are_refused() {
            continue;
        }
        match received
            .worker
            .queue()
            .accept(
                received.push(update, commit),
                received.delivery(update),
                |env| permits.has(&env.id),
            )
            .await
        {
            Ok(Accepted::Deployments(made)) => {
                permits.made(&made).await;
                begun.extend(made);
            }
            Ok(Accepted::Nothing(why)) => say(&mut lines, why).await?,
            Err(error) => {
                let told =
                    format!("{shown} landed, but its deployment could not be stored: {error}");
                say(&mut lines, told).await?;
                // An answer that breaks off makes the hook keep the push for later.
                return Err(Gone);
            }
        }
    }
    for queued in begun {
        watch(&received.worker, queued.id, Until::ItWaits, &mut lines).await?;
    }
    lines.json(&Line::Done).await
}
