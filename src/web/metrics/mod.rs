//! `GET /metrics`: deployments and the proxy's counters, in the text format of Prometheus.

mod tally;
mod text;

pub(super) use tally::Tally;

use super::Refusal;
use super::api::desired;
use crate::domain::{Color, CommitId, EnvId, State as Stands};
use crate::messenger;
use crate::pipeline::Tools;
use crate::report::Audience;
use crate::store::{StoreError, deployments, outbox};
use crate::worker::Worker;
use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::sync::Arc;
use text::Text;
use tokio::sync::Mutex;

/// What Prometheus calls its text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`. A proxy that does not answer is one of the things to be seen here, not a reason to show nothing.
pub(super) async fn metrics(
    State(worker): State<Worker>,
    Extension(tally): Extension<Arc<Mutex<Tally>>>,
) -> Result<impl IntoResponse, Refusal> {
    let tools = worker.tools();
    let store = tools.journal.store();
    let mut text = Text::default();
    text.family("teal_build_info", "gauge", "The version that runs.");
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    text.sample("teal_build_info", &version, 1);
    let counts = store.read(deployments::counts).await;
    of_deployments(tools, &counts.map_err(Refusal::internal)?, &mut text);
    {
        let mut tally = tally.lock().await;
        tally.catch_up(store).await.map_err(Refusal::internal)?;
        tally.write(tools.server.environments().map(|env| &env.id), &mut text);
    }
    of_builds(tools, &mut text);
    of_wishes(&compared(tools).await?, &mut text);
    of_routes(tools, &mut text).await;
    of_outbox(tools, &mut text)
        .await
        .map_err(Refusal::internal)?;
    match tools.traffic.metrics().await {
        Ok(Some(proxy)) => {
            up(true, &mut text);
            text.append(&proxy);
        }
        // Under nginx there are none.
        Ok(None) => {}
        Err(error) => {
            tracing::warn!("/metrics lacks the proxy's counters: {error}");
            up(false, &mut text);
        }
    }
    Ok(([(CONTENT_TYPE, TEXT)], text.finish()))
}

fn labels(env: &EnvId) -> [(&str, &str); 2] {
    [("app", env.app.as_str()), ("environment", env.env.as_str())]
}

/// What an environment should serve, and what it does.
struct Compared {
    env: EnvId,
    desired: Option<CommitId>,
    serving: Option<CommitId>,
}

async fn compared(tools: &Tools) -> Result<Vec<Compared>, Refusal> {
    let mut compared = Vec::new();
    for env in tools.server.environments() {
        let standing = tools.journal.standing(&env.id).await?;
        compared.push(Compared {
            env: env.id.clone(),
            desired: desired(tools, env, &standing).map(|desired| desired.commit),
            serving: standing.serving().map(|release| release.commit.clone()),
        });
    }
    Ok(compared)
}

/// The two commits by name, and their difference as a number that can be watched.
fn of_wishes(compared: &[Compared], text: &mut Text) {
    let mut info = |name: &str, help: &str, of: fn(&Compared) -> &Option<CommitId>| {
        text.family(name, "gauge", help);
        for one in compared {
            if let Some(commit) = of(one) {
                let commit = [("commit", commit.as_str())];
                text.sample(name, &[&labels(&one.env)[..], &commit].concat(), 1);
            }
        }
    };
    info(
        "teal_desired_commit_info",
        "The commit that the environment's branch points to.",
        |one| &one.desired,
    );
    info(
        "teal_serving_commit_info",
        "The commit that serves.",
        |one| &one.serving,
    );
    let name = "teal_serving_differs";
    text.family(
        name,
        "gauge",
        "Whether another commit serves than the one that is desired.",
    );
    for one in compared {
        let differs = one.desired.is_some() && one.desired != one.serving;
        text.sample(name, &labels(&one.env), u8::from(differs));
    }
}

/// The share of new requests that each color gets.
async fn of_routes(tools: &Tools, text: &mut Text) {
    let name = "teal_route_share_ratio";
    text.family(
        name,
        "gauge",
        "The share of new requests that goes to the color.",
    );
    for env in tools.server.environments().map(|env| &env.id) {
        let route = tools.traffic.route(env).await;
        for color in Color::BOTH {
            let share = route.as_ref().map_or(0, |route| *route.shares.of(color));
            let color = [("color", color.as_str())];
            let labels = [&labels(env)[..], &color].concat();
            text.sample(name, &labels, f64::from(share) / 100.0);
        }
    }
}

fn of_builds(tools: &Tools, text: &mut Text) {
    let (building, waiting) = tools.builds.shown();
    for (name, help, value) in [
        (
            "teal_build_slots",
            "Builds at a time.",
            tools.server.build_slots,
        ),
        (
            "teal_builds_running",
            "Deployments that build.",
            building.len(),
        ),
        (
            "teal_builds_waiting",
            "Deployments that wait for a turn to build.",
            waiting.len(),
        ),
    ] {
        text.family(name, "gauge", help);
        text.sample(name, &[], value);
    }
}

/// Who waits to be told, whom nobody can tell, and what was given up.
async fn of_outbox(tools: &Tools, text: &mut Text) -> Result<(), StoreError> {
    let audience = Audience::of_server(&tools.server);
    let names: Vec<String> = audience.targets().map(str::to_owned).collect();
    let asked = names.clone();
    let counted = tools.journal.store().read(move |c| {
        let counts = asked.iter().map(|name| outbox::count(c, name));
        counts.collect::<Result<Vec<u32>, StoreError>>()
    });
    let waiting = counted.await?;
    let troubled = messenger::troubled(tools).await?;
    let trouble = |name: &str| troubled.iter().find(|one| one.target == name);
    let mut family = |name: &str, help: &str, of: &dyn Fn(usize, &str) -> u64| {
        text.family(name, "gauge", help);
        for (at, target) in names.iter().enumerate() {
            text.sample(name, &[("target", target)], of(at, target));
        }
    };
    family(
        "teal_outbox_messages_waiting",
        "Messages that wait for the target.",
        &|at, _| u64::from(waiting[at]),
    );
    family(
        "teal_outbox_target_failing",
        "Whether the target takes nothing now.",
        &|_, name| u64::from(trouble(name).is_some_and(|one| one.failing.is_some())),
    );
    family(
        "teal_outbox_deployments_given_up",
        "Deployments that the target will not be told of any more.",
        &|_, name| {
            let given_up = trouble(name).and_then(|one| one.given_up.as_ref());
            given_up.map_or(0, |(ids, _)| ids.len() as u64)
        },
    );
    Ok(())
}

fn up(answers: bool, text: &mut Text) {
    text.family("teal_proxy_up", "gauge", "Whether the proxy answers.");
    text.sample("teal_proxy_up", &[], u8::from(answers));
}

fn of_deployments(tools: &Tools, counts: &[(EnvId, String, u64)], text: &mut Text) {
    let name = "teal_deployments";
    text.family(name, "gauge", "Deployments by the state they are in.");
    for (id, state, count) in counts {
        let state = [("state", state.as_str())];
        text.sample(name, &[&labels(id)[..], &state].concat(), count);
    }
    let name = "teal_deployments_waiting";
    text.family(
        name,
        "gauge",
        "Deployments that wait: in the queue, for the end of a freeze, for CI, or for somebody's yes.",
    );
    let waits = [Stands::Waiting, Stands::Queued, Stands::Approval].map(Stands::as_str);
    for env in tools.server.environments().map(|env| &env.id) {
        let own = counts
            .iter()
            .filter(|(id, state, _)| id == env && waits.contains(&state.as_str()));
        let count: u64 = own.map(|(_, _, count)| count).sum();
        text.sample(name, &labels(env), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_desired_and_what_serves_are_told_apart() {
        let compared = [Compared {
            env: "arq/production".parse().unwrap(),
            desired: Some("ab".repeat(20).parse().unwrap()),
            serving: None,
        }];
        let mut text = Text::default();
        of_wishes(&compared, &mut text);
        up(false, &mut text);
        let text = text.finish();
        assert!(text.contains("commit=\"abab"), "{text}");
        let differs = "teal_serving_differs{app=\"arq\",environment=\"production\"} 1\n";
        assert!(text.contains(differs), "{text}");
        assert!(text.ends_with("teal_proxy_up 0\n"), "{text}");
    }
}
