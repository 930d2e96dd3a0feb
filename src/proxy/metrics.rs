//! The counters in the text format of Prometheus.

use crate::domain::{Color, EnvId};
use crate::traffic::{ColorMeasure, Measure};
use std::fmt::{Display, Write};

/// The upper ends of the latency buckets, in microseconds.
const BUCKETS_US: [u64; 12] = [
    1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// A counter's name, its kind, what it means, and where it is.
type Family = (
    &'static str,
    &'static str,
    &'static str,
    fn(&ColorMeasure) -> u64,
);

const FAMILIES: [Family; 7] = [
    (
        "requests_total",
        "counter",
        "Requests given to the color.",
        |c| c.begun,
    ),
    (
        "requests_in_flight",
        "gauge",
        "Requests without a complete answer.",
        |c| c.in_flight,
    ),
    ("answers_total", "counter", "Answers by the service.", |c| {
        c.answered
    }),
    (
        "server_errors_total",
        "counter",
        "Answers 5xx by the service.",
        |c| c.server_errors,
    ),
    (
        "connect_failures_total",
        "counter",
        "Connections that the service did not accept.",
        |c| c.connect_failures,
    ),
    (
        "requests_lost_total",
        "counter",
        "Requests without an answer, or with a gateway error.",
        |c| c.lost,
    ),
    ("tunnels", "gauge", "Open upgraded connections.", |c| {
        c.tunnels
    }),
];

/// All counters of these environments.
pub fn exposition(environments: &[(EnvId, Measure)]) -> String {
    let mut text = String::new();
    for (name, kind, help, counter) in FAMILIES {
        head(&mut text, name, kind, help);
        each_color(environments, |labels, color| {
            line(&mut text, name, labels, counter(color));
        });
    }
    let name = "latency_seconds";
    head(
        &mut text,
        name,
        "histogram",
        "From a request's arrival to the head of its answer.",
    );
    each_color(environments, |labels, color| {
        latency(&mut text, labels, color)
    });
    text
}

fn each_color(environments: &[(EnvId, Measure)], mut each: impl FnMut(&str, &ColorMeasure)) {
    for (env, measure) in environments {
        for color in Color::BOTH {
            // The names are plain words: nothing in them needs an escape.
            let labels = format!(
                "app=\"{}\",environment=\"{}\",color=\"{color}\"",
                env.app, env.env
            );
            each(&labels, measure.colors.of(color));
        }
    }
}

fn latency(text: &mut String, labels: &str, color: &ColorMeasure) {
    for us in BUCKETS_US {
        let seconds = us as f64 / 1e6;
        let labels = format!("{labels},le=\"{seconds}\"");
        line(
            text,
            "latency_seconds_bucket",
            &labels,
            color.latency.within(us),
        );
    }
    let all = color.latency.count();
    line(
        text,
        "latency_seconds_bucket",
        &format!("{labels},le=\"+Inf\""),
        all,
    );
    line(text, "latency_seconds_count", labels, all);
    let sum = color.latency_sum_us as f64 / 1e6;
    line(text, "latency_seconds_sum", labels, sum);
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "# HELP teal_proxy_{name} {help}\n# TYPE teal_proxy_{name} {kind}"
    );
}

fn line(text: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(text, "teal_proxy_{name}{{{labels}}} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_color_has_every_counter() {
        let mut measure = Measure::default();
        measure.colors.green.begun = 7;
        measure.colors.green.latency.record(1_500);
        measure.colors.green.latency_sum_us = 1_500;
        let text = exposition(&[("arq/production".parse().unwrap(), measure)]);
        let labels = "app=\"arq\",environment=\"production\",color=\"green\"";
        for line in [
            "# TYPE teal_proxy_requests_total counter".to_owned(),
            format!("teal_proxy_requests_total{{{labels}}} 7"),
            format!("teal_proxy_latency_seconds_bucket{{{labels},le=\"0.001\"}} 0"),
            format!("teal_proxy_latency_seconds_bucket{{{labels},le=\"0.002\"}} 1"),
            format!("teal_proxy_latency_seconds_bucket{{{labels},le=\"+Inf\"}} 1"),
            format!("teal_proxy_latency_seconds_sum{{{labels}}} 0.0015"),
        ] {
            assert!(
                text.lines().any(|said| said == line),
                "{line} not in\n{text}"
            );
        }
        assert_eq!(
            text.matches("color=\"blue\"").count(),
            text.matches("color=\"green\"").count()
        );
    }
}
