//! Whatever comes through a door, the answer is a meaning or a refusal in one line.

use super::hook_protocol::{Line, Pushed, Update};
use super::samples::*;
use super::verdict::one_line;
use super::webhook::{Meaning, read};
use super::{check_ref_name, gates};
use crate::config::Forge;
use crate::domain::PushOptions;
use crate::noise::{Noise, rounds};
use crate::queue::shown_ref;
use http::HeaderValue;

#[test]
fn noise_never_panics_and_never_deploys_an_unsigned_body() {
    let mut noise = Noise::new(0x9e37_79b9_7f4a_7c15);
    let bodies = [
        ("push", push("refs/heads/main", COMMIT)),
        ("Push Hook", gitlab_push("refs/tags/v1", COMMIT, None)),
        ("pull_request", pull_request("closed", true)),
    ];
    for round in 0..rounds(3000) {
        let forge = FORGES[round % 4];
        let (event, payload) = noise.one_of(&bodies);
        let honest = payload.to_string().into_bytes();
        let mut body = honest.clone();
        noise.spoil(&mut body);
        // Signed noise: whatever it parses as, the answer is a meaning or a refusal with a one-line text.
        match read(&app(Some(forge)), &signed(forge, event, &body), &body) {
            Ok(delivery) => {
                if let Meaning::Push(push) = delivery.meaning {
                    assert!(check_ref_name(&push.ref_name).is_ok(), "{push:?}");
                    assert!(!push.by.contains(['\n', '\u{1b}']), "{push:?}");
                }
            }
            Err(refusal) => assert!(!refusal.to_string().contains('\n'), "{refusal}"),
        }
        // Headers of the honest body, some of them spoilt, with the spoilt body.
        let mut headers = signed(forge, event, &honest);
        for name in headers.keys().cloned().collect::<Vec<_>>() {
            let mut value = headers[&name].as_bytes().to_vec();
            if noise.below(3) == 0 {
                noise.spoil(&mut value);
            }
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(name, value);
            }
        }
        let result = read(&app(Some(forge)), &headers, &body);
        if body != honest && forge != Forge::GitLab {
            assert!(result.is_err(), "{result:?}");
        }
    }
}

#[test]
fn noise_about_deployments_names_an_environment_that_is_there_and_nothing_but_a_number_of_a_url() {
    let mut noise = Noise::new(5);
    let app = deploying_app();
    let bodies = [
        ("deployment", deployment()),
        ("deployment_protection_rule", question()),
    ];
    for _ in 0..rounds(3000) {
        let (event, payload) = noise.one_of(&bodies);
        let mut body = payload.to_string().into_bytes();
        noise.spoil(&mut body);
        let env = "shop/production".parse().unwrap();
        match read(&app, &signed(Forge::GitHub, event, &body), &body) {
            Ok(delivery) => match delivery.meaning {
                Meaning::Deployment(made) => {
                    assert_eq!(made.env, env);
                    assert!(check_ref_name(&format!("refs/heads/{}", made.ref_name)).is_ok());
                    assert!(!made.by.contains(['\n', '\u{1b}']), "{made:?}");
                }
                Meaning::Question(asked) => assert_eq!(asked.env, env),
                Meaning::Ignored(why) => assert!(!why.contains('\n'), "{why}"),
                other => panic!("{other:?}"),
            },
            Err(refusal) => assert!(!refusal.to_string().contains('\n'), "{refusal}"),
        }
    }
}

#[test]
fn a_ref_is_one_that_git_would_take_and_is_shown_on_one_line() {
    let mut noise = Noise::new(2);
    let good = [
        "refs/heads/main",
        "refs/tags/v1.2-rc_3",
        "refs/heads/feature/ä/x",
        "refs/deploy/production",
    ];
    for _ in 0..rounds(3000) {
        let bytes = noise.spoilt(&good);
        let Ok(name) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(
            !shown_ref(&name).contains(|c: char| c.is_control()),
            "{name:?}"
        );
        if check_ref_name(&name).is_ok() {
            assert!(git2::Reference::is_valid_name(&name), "{name:?}");
            assert!(!name.starts_with('-') && !name.contains(".."), "{name:?}");
        }
        let _ = gates::is_gated(&name, "refs/heads/main");
        let _ = gates::is_gated("refs/heads/main\nrefs/tags/v*\n", &name);
    }
}

#[test]
fn push_options_are_known_words_or_a_refusal_in_one_line() {
    let mut noise = Noise::new(3);
    let good = ["fast", "full", "redeploy", "skip-tests", "plan", "now"];
    for _ in 0..rounds(3000) {
        let words: Vec<String> = (0..noise.below(4))
            .map(|_| match noise.below(2) {
                0 => (*noise.one_of(&good)).to_owned(),
                _ => String::from_utf8_lossy(&noise.spoilt(&good)).into_owned(),
            })
            .collect();
        match PushOptions::parse(words.iter().map(String::as_str)) {
            Ok(options) => assert!(!(options.fast && options.full)),
            Err(why) => assert!(!why.contains(|c: char| c.is_control()), "{why:?}"),
        }
    }
}

#[test]
fn what_a_hook_says_and_hears_is_read_or_left_alone() {
    let mut noise = Noise::new(4);
    let commit = "1".repeat(40);
    let update = format!("{commit} {commit} refs/heads/main");
    let pushed = format!(
        r#"{{"app":"shop","options":["fast"],"updates":[{{"old":"{commit}","new":"{commit}","ref":"refs/heads/main"}}],"user":"ada","only":["staging"],"atomic":true}}"#
    );
    let lines = [
        r#"{"say":"fetch"}"#,
        r#""done""#,
        r#"{"verdict":{"ref":"refs/heads/main","ok":false,"reason":"no"}}"#,
        r#"{"fall_through":["refs/heads/x"]}"#,
    ];
    for _ in 0..rounds(3000) {
        if let Some(update) = Update::read(&noise.spoilt(&[&update])) {
            assert!(
                !update.old.contains(' ') && !update.new.contains(' '),
                "{update:?}"
            );
        }
        let _ = serde_json::from_slice::<Pushed>(&noise.spoilt(&[&pushed]));
        if let Ok(Line::Verdict(verdict)) = serde_json::from_slice(&noise.spoilt(&lines)) {
            let reason = one_line(&verdict.reason.unwrap_or_default());
            assert!(!reason.contains(|c: char| c.is_control()), "{reason:?}");
        }
    }
}
