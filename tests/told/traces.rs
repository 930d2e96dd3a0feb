//! A collector of traces hears of each deployment, and one that is slow delays none.

use super::service::{Reply, Service, Stateful};
use crate::harness::{Request, Teal};
use serde_json::Value;
use std::collections::BTreeSet;

/// A collector that speaks OTLP over HTTP.
#[derive(Default)]
struct Collector {
    spans: Vec<Value>,
}

impl Stateful for Collector {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if request.path != "/v1/traces" || request.header("content-type") != "application/json" {
            return None;
        }
        if request.header("authorization") != "Bearer collector-token" {
            return Some(Reply::json(
                401,
                serde_json::json!({ "message": "who are you?" }),
            ));
        }
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        let resource = body["resourceSpans"].as_array()?.first()?;
        let named = resource["resource"]["attributes"].as_array()?;
        named.iter().find(|one| one["key"] == "service.name")?;
        let spans = resource["scopeSpans"][0]["spans"].as_array()?;
        self.spans.extend(spans.iter().cloned());
        Some(Reply::json(200, serde_json::json!({})))
    }
}

fn traced(collector: &Service<Collector>) -> Teal {
    let traces = format!(
        "traces = {{ url = \"{}\", token = {{ env = \"COLLECTOR\" }} }}",
        collector.url("")
    );
    Teal::plan()
        .top(&traces)
        .variable("COLLECTOR", "collector-token")
        .environment("shop", "production", "")
        .start()
}

fn text<'a>(span: &'a Value, key: &str) -> &'a str {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["key"] == key);
    found
        .and_then(|one| one["value"]["stringValue"].as_str())
        .unwrap_or_default()
}

#[test]
fn a_deployment_is_a_trace_a_step_a_span_and_commands_know_theirs() {
    let collector = Service::start(Collector::default());
    let teal = traced(&collector);
    let app = teal.client("shop");
    let told = teal.sandbox.join("traceparent");
    app.recipe(&format!(
        "[build]\nbuild = 'printf %s \"$TRACEPARENT\" > {}'",
        told.display()
    ));
    app.git().commit("traced");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    collector.wait("the trace is there", |collector| {
        !collector.spans.is_empty()
    });
    let spans = collector.look(|collector| collector.spans.clone());
    let whole = &spans[0];
    assert_eq!(whole["name"], "deploy shop/production");
    assert_eq!(text(whole, "teal.outcome"), "live");
    assert!(whole.get("parentSpanId").is_none());
    let mut numbers = BTreeSet::new();
    for span in &spans {
        assert_eq!(span["traceId"], whole["traceId"]);
        assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
        assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
        assert!(numbers.insert(span["spanId"].to_string()), "{span}");
        let at = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        assert!(at("startTimeUnixNano") <= at("endTimeUnixNano"), "{span}");
        assert!(
            at("startTimeUnixNano") > 1_700_000_000_000_000_000,
            "{span}"
        );
    }
    let steps = &spans[1..];
    assert!(
        steps
            .iter()
            .all(|span| span["parentSpanId"] == whole["spanId"])
    );
    let build = steps.iter().find(|span| span["name"] == "build").unwrap();
    assert_eq!(text(build, "teal.step.result"), "ran");
    let expected = format!(
        "00-{}-{}-01",
        whole["traceId"].as_str().unwrap(),
        build["spanId"].as_str().unwrap()
    );
    assert_eq!(std::fs::read_to_string(told).unwrap(), expected);

    app.recipe("[build]\nbuild = \"exit 9\"");
    app.git().commit("broken");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    collector.wait("the failure is there", |collector| {
        collector
            .spans
            .iter()
            .any(|span| text(span, "teal.outcome") == "failed")
    });
    let spans = collector.look(|collector| collector.spans.clone());
    let failed = spans.iter().rfind(|span| span["name"] == "build").unwrap();
    assert_eq!(failed["status"]["code"], 2, "{failed}");
}

#[test]
fn a_collector_that_takes_its_time_delays_no_deployment_and_hears_of_the_next_one_later() {
    let collector = Service::start(Collector::default());
    collector.hold();
    let teal = traced(&collector);
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    collector.wait_for_held();
    // The collector has not answered yet, and the next deployment goes live all the same.
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.states(), ["live", "live"]);
    collector.release();
    collector.wait("both are told", |collector| {
        let whole = collector
            .spans
            .iter()
            .filter(|span| span.get("parentSpanId").is_none());
        let told: BTreeSet<String> = whole.map(|span| span["traceId"].to_string()).collect();
        told.len() == 2
    });
}

#[test]
fn without_a_collector_nobody_is_told_of_one() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let told = teal.sandbox.join("traceparent");
    app.recipe(&format!(
        "[build]\nbuild = 'printf %s \"${{TRACEPARENT:-none}}\" > {}'",
        told.display()
    ));
    app.git().commit("untraced");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(std::fs::read_to_string(told).unwrap(), "none");
}
