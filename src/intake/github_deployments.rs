//! What GitHub says of deployments: one that somebody made, and a workflow that asks whether it may deploy.

use super::Refusal;
use super::said::{Ordered, Question, Said, parse};
use serde::Deserialize;
use serde_json::Value;

/// A `deployment` event.
pub(super) fn made(event: &str, payload: &[u8]) -> Result<Said, Refusal> {
    let said: DeploymentEvent = parse(event, payload)?;
    let made = said.deployment;
    if said.action.as_deref().is_some_and(|word| word != "created") {
        return Ok(Said::Nothing(
            "only a deployment that was created deploys anything".to_owned(),
        ));
    }
    if is_own(&made.payload) {
        return Ok(Said::Nothing(
            "this deployment is one of Teal's own: it deploys nothing again".to_owned(),
        ));
    }
    if made.task != "deploy" {
        return Ok(Said::Nothing(
            "a deployment whose task is not `deploy` deploys nothing here".to_owned(),
        ));
    }
    Ok(Said::Deployment(Ordered {
        repository: said.repository.full_name,
        number: made.id,
        label: made.environment,
        ref_name: made.ref_name,
        commit: made.sha,
        by: made.creator.map(|by| by.login).unwrap_or_default(),
    }))
}

/// A `deployment_protection_rule` event.
pub(super) fn asked(event: &str, payload: &[u8]) -> Result<Said, Refusal> {
    let said: RuleEvent = parse(event, payload)?;
    // The address itself is a stranger's; the number in it is all that is taken of it.
    let Some(run) = run_of(&said.deployment_callback_url) else {
        return Err(Refusal::Incomplete {
            event: event.to_owned(),
            what: "`deployment_callback_url` names no run of a workflow".to_owned(),
        });
    };
    let creator = said.deployment.and_then(|made| made.creator);
    Ok(Said::Question(Question {
        repository: said.repository.full_name,
        run,
        label: said.environment,
        by: creator
            .or(said.sender)
            .map(|by| by.login)
            .unwrap_or_default(),
    }))
}

/// Whether Teal made the deployment to show there how one of its own goes: its payload says so.
fn is_own(payload: &Value) -> bool {
    match payload {
        // Some versions give the payload back as the text that it was sent as.
        Value::String(text) => {
            serde_json::from_str(text).is_ok_and(|inner: Value| has_mark(&inner))
        }
        payload => has_mark(payload),
    }
}

fn has_mark(payload: &Value) -> bool {
    payload["teal"].is_string()
}

/// The number of the run in `…/actions/runs/<number>/deployment_protection_rule`.
fn run_of(url: &str) -> Option<u64> {
    let rest = url.strip_suffix("/deployment_protection_rule")?;
    let (before, number) = rest.rsplit_once('/')?;
    before.ends_with("/actions/runs").then_some(())?;
    number.parse().ok()
}

#[derive(Deserialize)]
struct DeploymentEvent {
    #[serde(default)]
    action: Option<String>,
    deployment: Made,
    repository: Repository,
}

#[derive(Deserialize)]
struct Made {
    id: u64,
    sha: String,
    #[serde(rename = "ref")]
    ref_name: String,
    task: String,
    environment: String,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    creator: Option<Person>,
}

#[derive(Deserialize)]
struct RuleEvent {
    environment: String,
    deployment_callback_url: String,
    #[serde(default)]
    deployment: Option<Asking>,
    #[serde(default)]
    sender: Option<Person>,
    repository: Repository,
}

#[derive(Deserialize)]
struct Asking {
    #[serde(default)]
    creator: Option<Person>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Person {
    login: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_number_is_taken_of_an_address() {
        let api =
            "https://api.github.com/repos/blue/shop/actions/runs/42/deployment_protection_rule";
        assert_eq!(run_of(api), Some(42));
        for wrong in [
            "https://evil.test/42/deployment_protection_rule",
            "https://evil.test/actions/runs/../deployment_protection_rule",
            "https://evil.test/actions/runs/42",
            "https://evil.test/actions/runs/-42/deployment_protection_rule",
            "",
        ] {
            assert_eq!(run_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn its_own_are_known_by_their_mark() {
        assert!(is_own(&serde_json::json!({ "teal": "a 7" })));
        assert!(is_own(&Value::String("{\"teal\": \"a 7\"}".to_owned())));
        for other in [
            serde_json::json!({}),
            Value::Null,
            Value::String("teal".to_owned()),
        ] {
            assert!(!is_own(&other), "{other}");
        }
    }
}
