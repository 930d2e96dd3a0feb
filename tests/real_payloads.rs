//! Deliveries that real forges sent, where a folder of them is at hand: `TEAL_REAL_PAYLOADS` names it, with one folder
//! per forge (`github/push-branch.json`, …). What a file means is in its name. A `.headers.txt` beside a file holds the
//! headers it came with, signed with the secret `s3cret`.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use teal::config::{App, Credentials, Forge, Secret};
use teal::intake::webhook::{Delivery, Meaning, read};

const SECRET: &str = "s3cret";

#[test]
fn real_deliveries_mean_what_their_names_say() {
    let Some(folder) = std::env::var_os("TEAL_REAL_PAYLOADS") else {
        let note = "TEAL_REAL_PAYLOADS is not set: no real payloads were read\n";
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        return;
    };
    let mut seen = 0;
    for (name, forge) in [
        ("github", Forge::GitHub),
        ("gitea", Forge::Gitea),
        ("forgejo", Forge::Forgejo),
        ("gogs", Forge::Gitea),
        ("gitlab", Forge::GitLab),
    ] {
        for file in payloads(&Path::new(&folder).join(name)) {
            check(name, forge, &file);
            seen += 1;
        }
    }
    assert!(seen > 0, "{} holds no payloads", folder.display());
}

fn payloads(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.to_str().unwrap();
            name.ends_with(".json") || name.ends_with(".form.txt")
        })
        .collect();
    files.sort();
    files
}

fn check(sender: &str, forge: Forge, file: &Path) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let stem = name.trim_end_matches(".json").trim_end_matches(".form.txt");
    let body = fs::read(file).unwrap();
    let payload = payload(name, &body);
    let headers = captured(file, stem).unwrap_or_else(|| made(sender, event(sender, stem), &body));
    let app = app(forge, &payload);
    let delivery =
        read(&app, &headers, &body).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
    assert!(delivery.key.is_some(), "{name}");
    assert_meaning(stem, &payload, &delivery);

    let mut unsigned = headers.clone();
    for header in headers
        .keys()
        .filter(|header| header.as_str().contains("signature") || header.as_str().contains("token"))
    {
        unsigned.remove(header);
    }
    let refusal = read(&app, &unsigned, &body).unwrap_err();
    assert_eq!(refusal.status().as_u16(), 401, "{name}: {refusal}");
}

fn payload(name: &str, body: &[u8]) -> Value {
    if name.ends_with(".json") {
        return serde_json::from_slice(body).unwrap();
    }
    let (_, payload) = form_urlencoded::parse(body)
        .find(|(field, _)| field == "payload")
        .unwrap();
    serde_json::from_str(&payload).unwrap()
}

fn app(forge: Forge, payload: &Value) -> App {
    let full_name = payload["repository"]["full_name"]
        .as_str()
        .or(payload["project"]["path_with_namespace"].as_str());
    App {
        name: "shop".parse().unwrap(),
        forge: Some(forge),
        repo: full_name.map(|name| format!("https://forge.example/{name}.git")),
        webhook_secret: Some(Secret::new(SECRET)),
        credentials: Credentials::None,
        api: None,
        largest_push: 1 << 30,
        environments: Vec::new(),
    }
}

fn assert_meaning(stem: &str, payload: &Value, delivery: &Delivery) {
    let ignored = |word: &str| match &delivery.meaning {
        Meaning::Ignored(why) => assert!(why.contains(word), "{stem}: {why}"),
        other => panic!("{stem}: {other:?}"),
    };
    if stem.contains("ping") {
        assert_eq!(delivery.meaning, Meaning::Ping, "{stem}");
    } else if stem.contains("delete") {
        ignored("delete");
    } else if stem.contains("merged") || stem.contains("merge_request-merge") {
        // "unmerged" says "was not merged", "merged" says whose push deploys it.
        ignored(if stem.contains("unmerged") {
            "not merged"
        } else {
            "own push deploys it"
        });
    } else if stem.contains("push") {
        let Meaning::Push(push) = &delivery.meaning else {
            panic!("{stem}: {:?}", delivery.meaning);
        };
        let commit = payload["checkout_sha"]
            .as_str()
            .or(payload["after"].as_str());
        assert_eq!(
            Some(push.ref_name.as_str()),
            payload["ref"].as_str(),
            "{stem}"
        );
        assert_eq!(Some(push.commit.as_str()), commit, "{stem}");
        assert_ne!(push.by, "somebody", "{stem}");
    } else {
        ignored("deploys nothing");
    }
}

/// The event's name as the forge sends it, from the file's name.
fn event(sender: &str, stem: &str) -> &'static str {
    let word = stem.split('-').next().unwrap();
    match (sender, word) {
        ("gitlab", "push") => "Push Hook",
        ("gitlab", "tag_push") => "Tag Push Hook",
        ("gitlab", "merge_request") => "Merge Request Hook",
        ("gitlab", "pipeline") => "Pipeline Hook",
        (_, "push") => "push",
        (_, "ping") => "ping",
        (_, "pull_request") => "pull_request",
        (_, "create") => "create",
        (_, "delete") => "delete",
        (_, "status") => "status",
        (_, "deployment") => "deployment",
        (_, "deployment_status") => "deployment_status",
        (_, "installation") => "installation",
        (_, "workflow_run") => "workflow_run",
        other => panic!("no event is known for {other:?}"),
    }
}

/// The headers that a file was captured with.
fn captured(file: &Path, stem: &str) -> Option<HeaderMap> {
    let text = fs::read_to_string(file.with_file_name(format!("{stem}.headers.txt"))).ok()?;
    let pairs = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    Some(
        pairs
            .map(|(name, value)| {
                let name: HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(value.trim()).unwrap())
            })
            .collect(),
    )
}

/// The headers that this forge would have sent.
fn made(sender: &str, event: &str, body: &[u8]) -> HeaderMap {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    let hex = hex::encode(mac.finalize().into_bytes());
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        let name: HeaderName = name.parse().unwrap();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    };
    set("content-type", "application/json");
    match sender {
        "github" => {
            set("x-github-event", event);
            set("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
            set("x-github-hook-id", "292430182");
            set("x-hub-signature-256", &format!("sha256={hex}"));
        }
        "gitlab" => {
            set("x-gitlab-event", event);
            set("idempotency-key", "1ebd8f12-1d7d-4f7a-9a6b-2a8d2f6b9f01");
            set("x-gitlab-token", SECRET);
        }
        relative => {
            set("x-github-event", event);
            set(&format!("x-{relative}-event"), event);
            set(
                &format!("x-{relative}-delivery"),
                "f6266f16-1bf3-46a5-9ea4-602e06ead473",
            );
            set(&format!("x-{relative}-signature"), &hex);
        }
    }
    headers
}
