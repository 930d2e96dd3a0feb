use super::*;
use crate::cli::samples::{self, MINUTE, NOW};
use crate::domain::{Color, State, Step};
use crate::traffic::Measure;
use crate::web::types::{Builds, UntoldTarget};

fn measure(at_s: u64, begun: u64) -> Measure {
    let mut measure = Measure {
        at_us: at_s * 1_000_000,
        ..Measure::default()
    };
    measure.colors.blue.begun = begun;
    measure.colors.blue.server_errors = begun / 200;
    for _ in 0..begun {
        measure.colors.blue.latency.record(12_000);
    }
    measure
}

fn status() -> Status {
    let mut production = samples::environment(
        "arq/production",
        vec![
            samples::slot(
                Color::Blue,
                42,
                "1a2b3c4d5",
                "Fix the login form on small screens and elsewhere",
            ),
            samples::slot(Color::Green, 41, "99887766a", "Before"),
        ],
    );
    production.since_ms = Some(NOW - 120 * MINUTE);
    production.warm_until_ms = Some(NOW + 7 * MINUTE);
    let mut staging = samples::environment(
        "arq/staging",
        vec![samples::slot(Color::Blue, 40, "77aa00bb1", "Try")],
    );
    let mut open = samples::deployment(44, "arq/staging", State::Running);
    open.started_ms = Some(NOW - 12_000);
    staging.open = vec![open];
    let mut shop = samples::environment("shop/production", vec![samples::empty(Color::Blue)]);
    shop.active = None;
    Status {
        version: "0.1.0".to_owned(),
        pid: 1,
        lock: None,
        environments: vec![production, staging, shop],
        builds: Builds {
            slots: 1,
            building: Vec::new(),
            waiting: Vec::new(),
        },
        untold: vec![UntoldTarget {
            target: "team".to_owned(),
            waiting: 2,
            failing: Some("it answered 401 Unauthorized".to_owned()),
            failing_since_ms: Some(NOW - 5 * MINUTE),
            given_up: Vec::new(),
            gave_up_because: None,
        }],
        unconfigured: Vec::new(),
    }
}

fn now(at_s: u64, begun: u64) -> Vec<Now> {
    vec![
        Now {
            env: "arq/production".parse().unwrap(),
            measure: Some(measure(at_s, begun)),
            steps: Vec::new(),
        },
        Now {
            env: "arq/staging".parse().unwrap(),
            measure: None,
            steps: vec![StepNow {
                deployment: 44,
                step: Step::Build,
                since_ms: NOW - 4_200,
                usual_ms: Some(8_000),
            }],
        },
    ]
}

#[test]
fn a_glance_shows_what_serves_its_traffic_what_runs_and_who_was_not_told() {
    let status = status();
    let mut seen = Seen::default();
    seen.add(&now(0, 0));
    let latest = now(10, 420);
    seen.add(&latest);
    let view = View {
        status: &status,
        now: &latest,
        seen: &seen,
        now_ms: NOW,
    };
    let head = head(&view, 80).text;
    assert!(
        head.starts_with("Teal 0.1.0 · 0 of 1 build slots in use  "),
        "{head}"
    );
    assert_eq!(measure_text_width(&head), 80);
    let lines: Vec<String> = body(&view, 80)
        .iter()
        .map(|line| {
            line.iter()
                .map(|part| part.text.as_str())
                .collect::<String>()
        })
        .map(|line| line.trim_end().to_owned())
        .collect();
    let wide = |line: &&String| measure_text_width(line) > 80;
    assert_eq!(lines.iter().find(wide), None);
    insta::assert_snapshot!(lines.join("\n"), @r"

    arq/production   live            2 h  1a2b3c4d5 Fix the login form on small scr…
      blue  100 % ██████████    42.0/s  p50  12 ms  p99  12 ms  2 errors
      green   0 % ░░░░░░░░░░ warm 7 min  99887766a

    arq/staging      live                 77aa00bb1 Try
      blue  100 % ██████████
      44 build ██████░░░░ 4.2 s of about 8.0 s: 1a2b3c4d5 of main by ada

    shop/production  empty                nothing yet

    warning: team cannot be told for 5 min, 2 messages wait: it answered 401
    Unauthorized
    ");
}
