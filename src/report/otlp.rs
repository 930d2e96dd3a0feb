//! A deployment as a trace of OpenTelemetry: one span for all of it, one for each step, as OTLP over HTTP writes them in JSON.
//!
//! The numbers of traces and spans are made from the deployment's own, so that nobody has to keep them, and so that a command is
//! told the same ones that are sent later.

use super::wire::{Refusal, Wire};
use crate::config::Traces;
use crate::domain::{Deployment, Event, Record, State, Step, StepEnd};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What the whole deployment is called among its spans.
const WHOLE: &str = "";
/// What OTLP calls a span that nobody outside asked for.
const INTERNAL: u8 = 1;
const ERROR: u8 = 2;

/// What takes the traces.
#[derive(Debug, Clone)]
pub struct Collector {
    wire: Wire,
    to: Traces,
}

impl Collector {
    /// The collector at that address.
    pub fn new(to: &Traces) -> Result<Collector, Refusal> {
        Ok(Collector {
            wire: Wire::new()?,
            to: to.clone(),
        })
    }

    /// Sends the trace of a deployment that has ended. `server` tells its deployments from those of other servers.
    pub async fn send(
        &self,
        server: &str,
        deployment: &Deployment,
        told: &[Record],
    ) -> Result<(), Refusal> {
        let url = format!("{}/v1/traces", self.to.url);
        let mut request = self.wire.request(Method::POST, &url);
        if let Some(token) = &self.to.token {
            request = request.bearer_auth(token.expose());
        }
        let body = document(server, deployment, told);
        self.wire.send(request.json(&body)).await?.taken()?;
        Ok(())
    }
}

/// What the commands of a step are told, so that what they trace themselves hangs below it.
pub fn traceparent(server: &str, deployment: &Deployment, step: Step) -> String {
    let (trace, span) = (
        trace(server, deployment),
        span(server, deployment, step.as_str()),
    );
    format!("00-{trace}-{span}-01")
}

fn trace(server: &str, deployment: &Deployment) -> String {
    digest(server, deployment, "trace")[..32].to_owned()
}

fn span(server: &str, deployment: &Deployment, name: &str) -> String {
    digest(server, deployment, &format!("span {name}"))[..16].to_owned()
}

fn digest(server: &str, deployment: &Deployment, what: &str) -> String {
    let text = format!(
        "{server}\n{}\n{}\n{what}",
        deployment.id, deployment.created_ms
    );
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn document(server: &str, deployment: &Deployment, told: &[Record]) -> Value {
    let mut spans = vec![whole(server, deployment, told)];
    spans.extend(steps(server, deployment, told));
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "teal"),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ] },
        "scopeSpans": [{ "scope": { "name": "teal" }, "spans": spans }],
    }] })
}

fn whole(server: &str, deployment: &Deployment, told: &[Record]) -> Value {
    let env = &deployment.env;
    let last = told
        .last()
        .map_or(deployment.created_ms, |record| record.at_ms);
    let state = deployment.state;
    let status = match &deployment.failure {
        Some(failure) if state != State::Live => json!({ "code": ERROR, "message": failure.cause }),
        _ => json!({}),
    };
    json!({
        "traceId": trace(server, deployment),
        "spanId": span(server, deployment, WHOLE),
        "name": format!("deploy {env}"),
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(deployment.created_ms),
        "endTimeUnixNano": nanos(deployment.ended_ms.unwrap_or(last)),
        "attributes": [
            text("teal.app", env.app.as_str()),
            text("deployment.environment.name", env.env.as_str()),
            text("deployment.id", &deployment.id.to_string()),
            text("teal.outcome", state.as_str()),
            text("teal.by", &deployment.by),
            text("vcs.ref.head.name", &deployment.ref_name),
            text("vcs.ref.head.revision", deployment.commit.as_str()),
        ],
        "status": status,
    })
}

/// A span for each step that ended. What went before a step's end is its beginning.
fn steps(server: &str, deployment: &Deployment, told: &[Record]) -> Vec<Value> {
    let mut spans = Vec::new();
    for record in told {
        let Event::StepEnded {
            step, end, why, ms, ..
        } = &record.event
        else {
            continue;
        };
        let result = match end {
            StepEnd::Ran => "ran",
            StepEnd::Skipped => "skipped",
            StepEnd::Failed => "failed",
        };
        let status = match end {
            StepEnd::Failed => json!({ "code": ERROR, "message": why }),
            _ => json!({}),
        };
        let ms = i64::try_from(*ms).unwrap_or(0);
        spans.push(json!({
            "traceId": trace(server, deployment),
            "spanId": span(server, deployment, step.as_str()),
            "parentSpanId": span(server, deployment, WHOLE),
            "name": step.as_str(),
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(record.at_ms - ms),
            "endTimeUnixNano": nanos(record.at_ms),
            "attributes": [text("teal.step.result", result), text("teal.step.why", why)],
            "status": status,
        }));
    }
    spans
}

/// OTLP's JSON writes 64-bit numbers as text.
fn nanos(ms: i64) -> String {
    (i128::from(ms) * 1_000_000).to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
