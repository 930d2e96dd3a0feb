//! `/metrics`, read as strictly as anybody may; and the examples of alerts and of a dashboard, which name nothing else.

use crate::harness::Teal;
use std::collections::{BTreeMap, BTreeSet};

/// One family: its type, and its samples by name and labels.
#[derive(Default)]
struct Family {
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads the text and holds it to the format and to the conventions of names.
#[track_caller]
fn read(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'));
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut series = BTreeSet::new();
    let (mut helped, mut current) = (None, String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help");
            assert!(!help.is_empty() && !families.contains_key(name), "{line}");
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(
                helped.as_deref(),
                Some(name),
                "the help comes first: {line}"
            );
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            for unit in ["_ms", "_us", "_milliseconds", "_percent", "_minutes", "_kb"] {
                assert!(!name.contains(unit), "not a base unit: {line}");
            }
            if kind == "histogram" {
                assert!(name.ends_with("_seconds"), "{line}");
            }
            assert!(name.starts_with("teal_"), "{line}");
            current = name.to_owned();
            let family = Family {
                kind: kind.to_owned(),
                ..Family::default()
            };
            assert!(families.insert(current.clone(), family).is_none(), "{line}");
        } else {
            let (name, labels, value) = sample(line);
            let family = families.get_mut(&current).expect("a family first");
            let endings: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            let fits = endings.iter().any(|end| name == format!("{current}{end}"));
            assert!(fits, "{line} stands in {current}");
            assert!(
                series.insert((name.clone(), labels.clone())),
                "twice: {line}"
            );
            assert!(value >= 0.0, "{line}");
            family.samples.push((name, labels, value));
        }
    }
    for (name, family) in families
        .iter()
        .filter(|(_, family)| family.kind == "histogram")
    {
        adds_up(name, family);
    }
    families
}

/// `name{label="value",…} number`
#[track_caller]
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let plain = |word: &str| {
        !word.is_empty()
            && !word.starts_with(|c: char| c.is_ascii_digit())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, inside) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').expect("a closing brace")),
        None => (series, ""),
    };
    assert!(plain(name), "{line}");
    let mut labels = BTreeMap::new();
    // No value of these scenarios holds a comma or a quote.
    for pair in inside.split(',').filter(|pair| !pair.is_empty()) {
        let (label, said) = pair.split_once('=').expect("a label");
        let said = said
            .strip_prefix('"')
            .and_then(|said| said.strip_suffix('"'));
        let said = said.unwrap_or_else(|| panic!("no quotes: {line}"));
        assert!(plain(label), "{line}");
        assert!(
            labels.insert(label.to_owned(), said.to_owned()).is_none(),
            "{line}"
        );
    }
    (name.to_owned(), labels, value.parse().expect("a number"))
}

/// Buckets never shrink, the last one is the count, and there is a sum.
#[track_caller]
fn adds_up(name: &str, family: &Family) {
    let mut by_labels: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    let mut totals = BTreeMap::new();
    let mut sums = BTreeSet::new();
    for (series, labels, value) in &family.samples {
        let mut labels = labels.clone();
        let bound = labels.remove("le");
        match (series.strip_prefix(name), bound) {
            (Some("_bucket"), Some(bound)) => {
                let bound = if bound == "+Inf" {
                    f64::INFINITY
                } else {
                    bound.parse().unwrap()
                };
                by_labels.entry(labels).or_default().push((bound, *value));
            }
            (Some("_count"), None) => drop(totals.insert(labels, *value)),
            (Some("_sum"), None) => drop(sums.insert(labels)),
            other => panic!("{name}: {other:?}"),
        }
    }
    for (labels, buckets) in &by_labels {
        assert!(
            buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
            "{name} {labels:?}"
        );
        let (bound, all) = buckets.last().unwrap();
        assert!(bound.is_infinite(), "{name} {labels:?}");
        assert_eq!(totals.get(labels), Some(all), "{name} {labels:?}");
        assert!(sums.contains(labels), "{name} {labels:?}");
    }
    assert_eq!(by_labels.len(), totals.len(), "{name}");
}

/// The value of the one sample with these labels.
#[track_caller]
fn value(families: &BTreeMap<String, Family>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let all = families.values().flat_map(|family| &family.samples);
    let has = |own: &BTreeMap<String, String>| {
        labels
            .iter()
            .all(|(label, said)| own.get(*label).map(String::as_str) == Some(*said))
    };
    let found: Vec<f64> = all
        .filter(|(own, given, _)| own == name && has(given))
        .map(|(_, _, value)| *value)
        .collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
    found[0]
}

#[test]
fn what_happened_is_counted_by_the_conventions_and_over_restarts() {
    let mut teal = Teal::shop();
    let before = read(&teal.ask("GET", "/metrics", "").body);
    let ended = "teal_deployments_ended_total";
    assert_eq!(value(&before, ended, &[("outcome", "failed")]), 0.0);
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    app.recipe("[build]\nbuild = \"exit 9\"");
    app.git().commit("broken");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    for round in 0..2 {
        let now = read(&teal.ask("GET", "/metrics", "").body);
        for (outcome, count) in [("live", 1.0), ("failed", 1.0), ("rolled_back", 0.0)] {
            assert_eq!(
                value(&now, ended, &[("outcome", outcome)]),
                count,
                "{outcome}, {round}"
            );
        }
        assert_eq!(value(&now, "teal_push_to_live_seconds_count", &[]), 1.0);
        assert_eq!(
            value(
                &now,
                "teal_step_duration_seconds_count",
                &[("step", "build")]
            ),
            1.0
        );
        assert_eq!(
            value(
                &now,
                "teal_steps_total",
                &[("step", "build"), ("result", "failed")]
            ),
            1.0
        );
        assert_eq!(value(&now, "teal_cutover_requests_lost_total", &[]), 0.0);
        assert_eq!(value(&now, "teal_serving_differs", &[("app", "shop")]), 1.0);
        assert_eq!(
            value(&now, "teal_route_share_ratio", &[("color", "blue")]),
            1.0
        );
        assert_eq!(value(&now, "teal_builds_running", &[]), 0.0);
        assert!(value(&now, "teal_last_live_timestamp_seconds", &[]) > 1.7e9);
        // Asked once more, and asked by the next server, nothing is counted twice.
        if round == 0 {
            teal.stop(nix::sys::signal::Signal::SIGTERM);
            teal.serve();
        }
    }
}

#[test]
fn the_examples_of_alerts_and_of_a_dashboard_name_what_is_there() {
    let teal = Teal::plan()
        .variable("HOOK", "http://127.0.0.1:9/")
        .environment("shop", "production", "")
        .top("[[notify]]\nname = \"team\"\nkind = \"mattermost\"\nwebhook = { env = \"HOOK\" }")
        .start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let families = read(&teal.ask("GET", "/metrics", "").body);
    let dashboard = include_str!("../config/grafana.json");
    serde_json::from_str::<serde_json::Value>(dashboard).unwrap();
    let alerts = include_str!("../config/alerts.yml");
    for (file, text) in [("grafana.json", dashboard), ("alerts.yml", alerts)] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<&str> = words.filter(|word| word.starts_with("teal_")).collect();
        assert!(named.len() > 8, "{file}: {named:?}");
        for name in named {
            let all = families.values().flat_map(|family| &family.samples);
            assert!(
                all.into_iter().any(|(own, _, _)| own == name),
                "{file} names {name}"
            );
        }
    }
}

#[test]
fn the_servers_log_says_of_each_line_which_deployment_it_is_about() {
    let mut teal = Teal::plan()
        .top("log = \"json\"")
        .environment("shop", "production", "")
        .start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    teal.server().says("LIVE: ");
    let log = teal.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let own: Vec<_> = lines
        .iter()
        .filter(|line| line["deployment"] == 1)
        .collect();
    assert!(own.len() > 5, "{log}");
    for line in own {
        assert_eq!(line["environment"], "shop/production", "{line}");
        assert!(
            line["level"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
    }
}
