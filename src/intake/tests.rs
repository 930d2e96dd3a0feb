//! Deliveries as forges send them, and as strangers forge them.

use super::Refusal;
use super::samples::*;
use super::webhook::{Delivery, Meaning, read};
use crate::config::Forge;
use crate::domain::Push;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

fn deliver(forge: Forge, event: &str, payload: &Value) -> Result<Delivery, Refusal> {
    let body = payload.to_string();
    read(
        &app(Some(forge)),
        &signed(forge, event, body.as_bytes()),
        body.as_bytes(),
    )
}

fn push_of(forge: Forge, ref_name: &str, commit: &str) -> Result<Delivery, Refusal> {
    match forge {
        Forge::GitLab => deliver(
            forge,
            "Push Hook",
            &gitlab_push(ref_name, commit, Some(commit)),
        ),
        _ => deliver(forge, "push", &push(ref_name, commit)),
    }
}

fn expect_push(delivery: Delivery) -> Push {
    match delivery.meaning {
        Meaning::Push(push) => push,
        other => panic!("{other:?}"),
    }
}

fn expect_ignored(delivery: Delivery) -> String {
    match delivery.meaning {
        Meaning::Ignored(why) => why,
        other => panic!("{other:?}"),
    }
}

fn status(result: Result<Delivery, Refusal>) -> u16 {
    result.unwrap_err().status().as_u16()
}

#[test]
fn every_forge_pushes_branches_and_tags() {
    for forge in FORGES {
        for ref_name in ["refs/heads/main", "refs/heads/feat/x", "refs/tags/v1"] {
            let delivery = push_of(forge, ref_name, COMMIT).unwrap();
            assert_eq!(delivery.forge, forge);
            let push = expect_push(delivery);
            assert_eq!(
                (push.ref_name.as_str(), push.by.as_str()),
                (ref_name, "ada")
            );
            assert_eq!(push.commit.as_str(), COMMIT);
        }
    }
}

#[test]
fn a_repetition_has_the_same_key_and_forges_do_not_share_keys() {
    let key = |forge| push_of(forge, "refs/heads/main", COMMIT).unwrap().key;
    assert_eq!(key(Forge::GitHub).as_deref(), Some("github:9:guid-1"));
    assert_eq!(key(Forge::Gitea).as_deref(), Some("gitea:guid-1"));
    assert_eq!(key(Forge::Forgejo).as_deref(), Some("gitea:guid-1"));
    assert_eq!(key(Forge::GitLab).as_deref(), Some("gitlab:guid-1"));
}

#[test]
fn a_deleted_ref_is_ignored_with_its_reason() {
    for forge in FORGES {
        let why = expect_ignored(push_of(forge, "refs/heads/old", ZEROS).unwrap());
        assert!(why.starts_with("refs/heads/old was deleted"), "{why}");
    }
    let gone = gitlab_push("refs/tags/v1", ZEROS, None);
    assert!(
        expect_ignored(deliver(Forge::GitLab, "Tag Push Hook", &gone).unwrap()).contains("deleted")
    );
}

#[test]
fn an_annotated_tag_of_gitlab_is_its_commit() {
    let tag = gitlab_push("refs/tags/v1", &"a".repeat(40), Some(COMMIT));
    let push = expect_push(deliver(Forge::GitLab, "Tag Push Hook", &tag).unwrap());
    assert_eq!(push.commit.as_str(), COMMIT);
}

#[test]
fn a_merge_is_left_to_its_own_push() {
    for forge in [Forge::GitHub, Forge::Gitea, Forge::Forgejo] {
        let merged = deliver(forge, "pull_request", &pull_request("closed", true)).unwrap();
        let why = expect_ignored(merged);
        assert!(why.contains("pull request 7 was merged into main"), "{why}");
        for (action, is_merged) in [("closed", false), ("opened", false)] {
            let why = expect_ignored(
                deliver(forge, "pull_request", &pull_request(action, is_merged)).unwrap(),
            );
            assert!(why.contains("not merged"), "{why}");
        }
    }
    let merged =
        json!({"object_attributes": {"iid": 4, "target_branch": "main", "action": "merge"}});
    let why = expect_ignored(deliver(Forge::GitLab, "Merge Request Hook", &merged).unwrap());
    assert!(
        why.contains("merge request 4 was merged into main"),
        "{why}"
    );
}

#[test]
fn pings_and_strange_events_are_taken() {
    let ping = deliver(Forge::GitHub, "ping", &json!({"zen": "calm"})).unwrap();
    assert_eq!(ping.meaning, Meaning::Ping);
    for forge in FORGES {
        let why = expect_ignored(deliver(forge, "star\tgazing", &json!([])).unwrap());
        assert!(
            why.contains("deploys nothing") && !why.contains('\t'),
            "{why}"
        );
    }
}

#[test]
fn the_forge_must_be_the_configured_one_but_gitea_and_forgejo_are_one_family() {
    let body = push("refs/heads/main", COMMIT).to_string();
    for sender in FORGES {
        for expected in FORGES {
            let headers = signed(sender, "push", body.as_bytes());
            let result = read(&app(Some(expected)), &headers, body.as_bytes());
            let family = |forge| matches!(forge, Forge::Gitea | Forge::Forgejo);
            if sender == expected || (family(sender) && family(expected)) {
                assert!(result.is_ok(), "{sender:?} {result:?}");
            } else {
                let refusal = result.unwrap_err();
                let text = refusal.to_string();
                assert_eq!(refusal.status().as_u16(), 400, "{text}");
                assert!(
                    text.contains(&format!("{sender:?}"))
                        && text.contains(&format!("{expected:?}")),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn apps_without_a_forge_or_a_secret_take_nothing() {
    let body = push("refs/heads/main", COMMIT).to_string();
    let headers = signed(Forge::GitHub, "push", body.as_bytes());
    assert_eq!(status(read(&app(None), &headers, body.as_bytes())), 422);
    for secret in [None, Some(crate::config::Secret::new(""))] {
        let mut open = app(Some(Forge::GitHub));
        open.webhook_secret = secret;
        let mut headers = headers.clone();
        let empty_key = format!("sha256={}", hmac("", body.as_bytes()));
        headers.insert("x-hub-signature-256", empty_key.parse().unwrap());
        assert_eq!(status(read(&open, &headers, body.as_bytes())), 401);
    }
    assert_eq!(
        status(read(&app(Some(Forge::GitHub)), &HeaderMap::new(), b"{}")),
        401
    );
}

#[test]
fn what_does_not_vouch_for_the_body_is_refused() {
    let body = push("refs/heads/main", COMMIT).to_string();
    for (forge, header) in [
        (Forge::GitHub, "x-hub-signature-256"),
        (Forge::Gitea, "x-gitea-signature"),
        (Forge::Forgejo, "x-forgejo-signature"),
        (Forge::GitLab, "x-gitlab-token"),
    ] {
        let good = signed(forge, "push", body.as_bytes());
        let right = good.get(header).unwrap().clone();
        let right = right.to_str().unwrap();
        let (cut, twice, joined) = (
            &right[..right.len() - 2],
            format!("{right}{right}"),
            format!("{right}, {right}"),
        );
        for wrong in ["", "0", "sha256=", "sha1=ab", cut, &twice, &joined] {
            let mut headers = good.clone();
            headers.insert(header, HeaderValue::from_str(wrong).unwrap());
            let result = read(&app(Some(forge)), &headers, body.as_bytes());
            assert_eq!(status(result), 401, "{forge:?} {wrong:?}");
        }
        let mut headers = good.clone();
        headers.append(header, HeaderValue::from_str(right).unwrap());
        let result = read(&app(Some(forge)), &headers, body.as_bytes());
        assert_eq!(status(result), 401, "{forge:?} doubled");

        let mut headers = good.clone();
        headers.remove(header);
        headers.insert("x-hub-signature", HeaderValue::from_static("sha1=00"));
        let result = read(&app(Some(forge)), &headers, body.as_bytes());
        assert_eq!(status(result), 401, "{forge:?} SHA-1 only");
    }
}

#[test]
fn a_changed_body_is_refused() {
    for forge in [Forge::GitHub, Forge::Gitea, Forge::Forgejo] {
        let body = push("refs/heads/main", COMMIT).to_string();
        let headers = signed(forge, "push", body.as_bytes());
        let changed = body.replace("main", "evil");
        assert_eq!(
            status(read(&app(Some(forge)), &headers, changed.as_bytes())),
            401
        );
    }
}

#[test]
fn forms_are_signed_raw_by_github_and_decoded_by_gitea() {
    let payload = push("refs/heads/main", COMMIT).to_string();
    let form: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &payload)
        .finish();
    for (forge, right, wrong) in [
        (Forge::GitHub, form.as_bytes(), payload.as_bytes()),
        (Forge::Gitea, payload.as_bytes(), form.as_bytes()),
    ] {
        let send = |over: &[u8]| {
            let mut headers = signed(forge, "push", over);
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert("content-type", kind);
            read(&app(Some(forge)), &headers, form.as_bytes())
        };
        assert_eq!(expect_push(send(right).unwrap()).commit.as_str(), COMMIT);
        assert_eq!(status(send(wrong)), 401, "{forge:?}");
    }
}

#[test]
fn other_encodings_are_refused() {
    for (kind, body, expected) in [
        ("text/plain", "{}", 415),
        ("", "{}", 415),
        ("application/jsonp", "{}", 415),
        ("application/x-www-form-urlencoded", "a=1", 400),
        (
            "application/x-www-form-urlencoded",
            "payload=1&payload=2",
            400,
        ),
    ] {
        let mut headers = signed(Forge::GitHub, "push", body.as_bytes());
        headers.insert("content-type", HeaderValue::from_str(kind).unwrap());
        let result = read(&app(Some(Forge::GitHub)), &headers, body.as_bytes());
        assert_eq!(status(result), expected, "{kind} {body}");
    }
}

#[test]
fn signed_nonsense_is_told_from_missing_fields() {
    let send = |body: &[u8]| {
        read(
            &app(Some(Forge::GitHub)),
            &signed(Forge::GitHub, "push", body),
            body,
        )
    };
    for broken in [&b""[..], b"{", b"\xff\xfe", b"not json"] {
        assert_eq!(status(send(broken)), 400, "{broken:?}");
    }
    assert_eq!(status(send("[".repeat(100_000).as_bytes())), 422);
    for lacking in ["{}", "[]", r#"{"ref":1}"#] {
        assert_eq!(status(send(lacking.as_bytes())), 422, "{lacking}");
    }
}

#[test]
fn hostile_refs_and_commits_are_refused_or_carried_as_data() {
    let long = format!("refs/heads/{}", "a".repeat(4096));
    for ref_name in [
        "-h",
        "--upload-pack=x",
        "refs/heads/a\nb",
        "refs/heads/../x",
        &long,
    ] {
        for forge in FORGES {
            let refusal = push_of(forge, ref_name, COMMIT).unwrap_err();
            assert_eq!(refusal.status().as_u16(), 422);
            assert!(!refusal.to_string().contains('\n'));
        }
    }
    let carried = push_of(Forge::GitHub, "refs/heads/$(id);%n", COMMIT).unwrap();
    assert_eq!(expect_push(carried).ref_name, "refs/heads/$(id);%n");
    for commit in ["", "-h", "abc", &"g".repeat(40), &"a".repeat(64)] {
        assert_eq!(
            status(push_of(Forge::GitHub, "refs/heads/main", commit)),
            422
        );
    }
    let note = push_of(Forge::GitHub, "refs/pull/7/merge", COMMIT).unwrap();
    assert!(expect_ignored(note).contains("neither a branch nor a tag"));
}

#[test]
fn only_the_configured_repository_deploys() {
    let send = |remote: &str, name: &str| {
        let mut app = app(Some(Forge::GitHub));
        app.repo = Some(remote.to_owned());
        let mut payload = push("refs/heads/main", COMMIT);
        payload["repository"]["full_name"] = json!(name);
        let body = payload.to_string();
        let headers = signed(Forge::GitHub, "push", body.as_bytes());
        read(&app, &headers, body.as_bytes()).unwrap().meaning
    };
    for remote in [
        "https://forge.example/blue/shop",
        "https://forge.example/blue/shop.git/",
        "https://forge.example/git/Blue/Shop.git",
        "ssh://git@forge.example:2222/blue/shop.git",
        "git@forge.example:blue/shop.git",
    ] {
        assert!(
            matches!(send(remote, "blue/SHOP"), Meaning::Push(_)),
            "{remote}"
        );
        for other in ["red/shop", "lue/shop", "shop", "shop2", "", "x/blue/shop"] {
            match send(remote, other) {
                Meaning::Ignored(why) => assert!(why.contains("is deployed from"), "{why}"),
                meaning => panic!("{remote} {other}: {meaning:?}"),
            }
        }
    }
}

#[test]
fn a_name_cannot_carry_control_characters() {
    let mut payload = push("refs/heads/main", COMMIT);
    payload["pusher"]["name"] = json!("ada\n\u{1b}[31m\u{202e}".to_owned() + &"x".repeat(500));
    let by = expect_push(deliver(Forge::GitHub, "push", &payload).unwrap()).by;
    assert!(
        !by.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "{by:?}"
    );
    assert!(by.chars().count() <= 61);
}
