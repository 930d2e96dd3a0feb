//! The API over the network: what it answers is what its description says, and a token may do what its owner may.

use crate::harness::{Answer, Connection, Description, Teal};
use serde_json::{Value, json};
use std::path::Path;

/// A request with this token, or none.
#[track_caller]
fn ask(teal: &Teal, token: Option<&str>, method: &str, path: &str, body: &str) -> Answer {
    let authorization = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Connection::open(teal.listen())
        .and_then(|mut open| open.send(method, &request))
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

#[track_caller]
fn token(teal: &Teal, name: &str, role: &str, env: Option<&str>) -> String {
    let mut words = vec!["user", "add", name, "--role", role];
    words.extend(env.map(|_| "--env"));
    words.extend(env);
    teal.json(words);
    let made = teal.json(["user", "token", "add", name, "--for", "a test"]);
    made["token"].as_str().expect("a token").to_owned()
}

fn description(teal: &Teal) -> Description {
    let answer = ask(teal, None, "GET", "/openapi.json", "");
    assert_eq!(answer.status, 200);
    Description::of(&answer.body)
}

/// A body that would do something, for each operation that takes one.
fn body(path: &str) -> String {
    let env = json!({ "env": "production" });
    let more = match path {
        "/maintenance" => json!({ "on": false }),
        "/variables" => json!({ "changes": { "COLOUR": "teal" } }),
        "/destroy" => json!({ "env": "old", "yes": true }),
        "/freeze" => json!({ "lift": true }),
        "/promote" => json!({ "from": "production", "to": "staging" }),
        _ => json!({}),
    };
    let mut whole = env;
    let fields = more.as_object().cloned().unwrap_or_default();
    whole.as_object_mut().unwrap().extend(fields);
    whole.to_string()
}

/// The path with a real number and what a query needs.
fn concrete(method: &str, path: &str, id: i64) -> String {
    let place = path.replace("{id}", &id.to_string());
    match (method, path) {
        ("GET", "/logs" | "/backups" | "/backups/verify" | "/variables" | "/plan") => {
            format!("{place}?env=production")
        }
        _ => place,
    }
}

#[test]
fn every_answer_is_as_it_is_described() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"develop\"")
        .environment("shop", "old", "branch = \"old\"")
        .start();
    let app = teal.client("shop");
    app.git().push(["production", "main"]).ok();
    app.version("v2");
    app.git().push(["production", "main"]).ok();
    app.fault("exit");
    app.git().push(["production", "main"]).ok();
    let described = description(&teal);
    let admin = token(&teal, "ann", "admin", None);
    let mut wrong = Vec::new();
    for (method, path) in described.operations() {
        let at = concrete(&method, &path, 3);
        let answer = ask(&teal, Some(&admin), &method, &at, &body(&path));
        // What is over can neither be cancelled nor approved; all else is done.
        let is_over = ["/cancel", "/approve", "/reject"].map(|end| path.ends_with(end));
        let expected = if is_over.contains(&true) { 409 } else { 200 };
        if answer.status != expected {
            wrong.push(format!("{method} {at}: {} {}", answer.status, answer.body));
            continue;
        }
        let (kind, schema) = described.answer(&method, &path, answer.status);
        let sent = answer.header("content-type").unwrap_or_default();
        if !sent.starts_with(kind) {
            wrong.push(format!("{method} {at}: it is {sent}, not {kind}"));
        }
        if kind == "application/json" {
            let value: Value = serde_json::from_str(&answer.body).unwrap();
            let misfits = described.misfits(schema, &value);
            wrong.extend(misfits.iter().map(|one| format!("{method} {at}: {one}")));
        }
        if ["/restart", "/rollback", "/promote", "/deployments"].contains(&path.as_str()) {
            let begun: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            if let Some(id) = begun["id"].as_i64() {
                // The next one finds it ended.
                ask(
                    &teal,
                    Some(&admin),
                    "GET",
                    &format!("/deployments/{id}/logs?follow=true"),
                    "",
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn refusals_are_as_they_are_described() {
    let teal = Teal::shop();
    let described = description(&teal);
    let look = token(&teal, "bob", "look", None);
    let mistakes = [
        (Some(&*look), "GET", "/deployments/{id}", 404),
        (Some(&*look), "GET", "/variables", 403),
        (Some("teal_wrong"), "GET", "/status", 401),
        (None, "GET", "/status", 401),
    ];
    for (token, method, path, status) in mistakes {
        let answer = ask(&teal, token, method, &concrete(method, path, 99), "");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let (_, schema) = described.answer(method, path, status);
        let value: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(described.misfits(schema, &value), Vec::<String>::new());
    }
}

#[test]
fn every_route_is_described() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/api/mod.rs");
    let source = std::fs::read_to_string(file).unwrap();
    let shared = source.split("fn shared()").nth(1).unwrap();
    let shared = shared.split("\n}").next().unwrap();
    let paths: Vec<&str> = shared
        .split('"')
        .filter(|piece| piece.starts_with('/'))
        .collect();
    assert!(paths.len() > 10, "{paths:?}");
    let text = include_str!("../src/web/api/openapi.json");
    let described = Description::of(text).operations();
    let missing: Vec<_> = paths
        .iter()
        .filter(|path| !described.iter().any(|(_, known)| known == *path))
        .collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
}

#[test]
fn who_may_look_changes_nothing() {
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"develop\"")
        .environment("shop", "old", "branch = \"old\"")
        .start();
    let app = teal.client("shop");
    app.git().push(["production", "main"]).ok();
    let described = description(&teal);
    let look = token(&teal, "bob", "look", Some("shop/production"));
    let elsewhere = token(&teal, "eve", "admin", Some("shop/staging"));
    let before = teal.history();
    for (method, path) in described.operations() {
        let at = concrete(&method, &path, 1);
        let changes = method == "POST";
        if changes || path == "/variables" {
            let answer = ask(&teal, Some(&look), &method, &at, &body(&path));
            assert_eq!(answer.status, 403, "{method} {at}: {}", answer.body);
        }
        if at.contains("production") || path.contains("{id}") || changes {
            let answer = ask(&teal, Some(&elsewhere), &method, &at, &body(&path));
            assert_eq!(answer.status, 403, "{method} {at}: {}", answer.body);
        }
    }
    assert_eq!(teal.history(), before);
    let status = ask(&teal, Some(&elsewhere), "GET", "/status", "");
    let status: Value = serde_json::from_str(&status.body).unwrap();
    assert_eq!(status["environments"].as_array().unwrap().len(), 1);
}

#[test]
fn guessing_tokens_ends_soon() {
    let teal = Teal::shop();
    for _ in 0..10 {
        assert_eq!(
            ask(&teal, Some("teal_guess"), "GET", "/status", "").status,
            401
        );
    }
    assert_eq!(
        ask(&teal, Some("teal_guess"), "GET", "/status", "").status,
        429
    );
}
