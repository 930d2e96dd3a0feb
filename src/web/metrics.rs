//! `GET /metrics`: deployments and the proxy's counters, in the text format of Prometheus.

use super::Refusal;
use super::api::desired;
use crate::domain::{CommitId, EnvId};
use crate::pipeline::Tools;
use crate::store::deployments;
use crate::worker::Worker;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::fmt::Write;

/// What Prometheus calls its text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`. A proxy that does not answer is one of the things to be seen here, not a reason to show nothing.
pub(super) async fn metrics(State(worker): State<Worker>) -> Result<impl IntoResponse, Refusal> {
    let tools = worker.tools();
    let store = tools.journal.store();
    let counts = store
        .read(deployments::counts)
        .await
        .map_err(Refusal::internal)?;
    let mut text = of_deployments(&counts);
    text.push_str(&of_wishes(&compared(tools).await?));
    match tools.traffic.metrics().await {
        Ok(Some(proxy)) => {
            text.push_str(&up(true));
            text.push_str(&proxy);
        }
        // Under nginx there are none.
        Ok(None) => {}
        Err(error) => {
            tracing::warn!("/metrics lacks the proxy's counters: {error}");
            text.push_str(&up(false));
        }
    }
    Ok(([(CONTENT_TYPE, TEXT)], text))
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
fn of_wishes(compared: &[Compared]) -> String {
    let mut text = String::new();
    let info =
        |text: &mut String, name: &str, help: &str, of: fn(&Compared) -> &Option<CommitId>| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for one in compared {
                if let Some(commit) = of(one) {
                    let (app, env) = (&one.env.app, &one.env.env);
                    let _ = writeln!(
                        text,
                        "{name}{{app=\"{app}\",environment=\"{env}\",commit=\"{commit}\"}} 1"
                    );
                }
            }
        };
    info(
        &mut text,
        "teal_desired_commit_info",
        "The commit that the environment's branch points to.",
        |one| &one.desired,
    );
    info(
        &mut text,
        "teal_serving_commit_info",
        "The commit that serves.",
        |one| &one.serving,
    );
    let name = "teal_serving_differs";
    let _ = writeln!(
        text,
        "# HELP {name} Whether another commit serves than the one that is desired.\n# TYPE {name} gauge"
    );
    for one in compared {
        let differs = one.desired.is_some() && one.desired != one.serving;
        let (app, env) = (&one.env.app, &one.env.env);
        let _ = writeln!(
            text,
            "{name}{{app=\"{app}\",environment=\"{env}\"}} {}",
            u8::from(differs)
        );
    }
    text
}

fn up(answers: bool) -> String {
    format!(
        "# HELP teal_proxy_up Whether the proxy answers.\n# TYPE teal_proxy_up gauge\nteal_proxy_up {}\n",
        u8::from(answers)
    )
}

fn of_deployments(counts: &[(EnvId, String, u64)]) -> String {
    let mut text = "# HELP teal_deployments Deployments by the state they are in.\n\
                    # TYPE teal_deployments gauge\n"
        .to_owned();
    for (id, state, count) in counts {
        // The names are plain words: nothing in them needs an escape. Writing to a string does not fail.
        let _ = writeln!(
            text,
            "teal_deployments{{app=\"{}\",environment=\"{}\",state=\"{state}\"}} {count}",
            id.app, id.env
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployments_are_counted_by_environment_and_state() {
        let counts = [("arq/production".parse().unwrap(), "live".to_owned(), 3)];
        assert_eq!(
            of_deployments(&counts),
            "# HELP teal_deployments Deployments by the state they are in.\n\
             # TYPE teal_deployments gauge\n\
             teal_deployments{app=\"arq\",environment=\"production\",state=\"live\"} 3\n"
        );
        let compared = [Compared {
            env: "arq/production".parse().unwrap(),
            desired: Some("ab".repeat(20).parse().unwrap()),
            serving: None,
        }];
        let text = of_wishes(&compared);
        assert!(text.contains("commit=\"abab"), "{text}");
        assert!(text.ends_with("teal_serving_differs{app=\"arq\",environment=\"production\"} 1\n"));
        assert!(up(false).ends_with("teal_proxy_up 0\n"));
    }
}
