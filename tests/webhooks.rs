//! Webhooks of each forge, against a repository that is really fetched over HTTP.

use crate::harness::{Answer, App, Connection, Delivery, Forge, SECRET, Sandbox, Sender, Teal};
use nix::sys::signal::Signal;
use serde_json::Value;

const HOST: &str = "production.shop.test";
const REPOSITORY: &str = "blue/shop";

/// A server that takes the webhooks of a forge, the forge, and an app whose remote `origin` is there.
struct World {
    teal: Teal,
    app: App,
    _forge: Forge,
    sender: Sender,
}

impl World {
    /// One that knows of pushes by webhooks alone.
    fn new(sender: Sender) -> World {
        World::with(sender, "0s")
    }

    /// One that also looks by itself, this often.
    fn with(sender: Sender, reconcile: &str) -> World {
        let sandbox = Sandbox::new();
        let (forge, app) = Forge::with_shop(&sandbox);
        let keys = forge.shop_keys(sender.word());
        let mut teal = Teal::plan()
            .top(&format!("reconcile = \"{reconcile}\""))
            .variable("SHOP_SECRET", SECRET)
            .app("shop", &keys)
            .environment("shop", "production", "tag = \"v*\"\nbranch = \"main\"")
            .init(sandbox);
        teal.serve();
        World {
            teal,
            app,
            _forge: forge,
            sender,
        }
    }

    /// Pushes to the forge, which is not Teal: nothing happens but that.
    fn push(&self, refspec: &str) -> String {
        self.app
            .git()
            .run(["push", "--quiet", "--force", "origin", refspec])
            .ok();
        self.app.git().head()
    }

    fn delivery(&self, ref_name: &str, commit: &str) -> Delivery {
        Delivery::push(self.sender, REPOSITORY, ref_name, commit)
    }

    #[track_caller]
    fn send(&self, delivery: &Delivery) -> Answer {
        delivery.send(self.teal.listen(), "shop")
    }

    /// Pushes `main`, delivers that, and waits until it is live; the answer.
    #[track_caller]
    fn deploy(&self, delivery_number: u32) -> Answer {
        let commit = self.push("main");
        let told = self.send(
            &self
                .delivery("refs/heads/main", &commit)
                .id(delivery_number),
        );
        assert_eq!(told.status, 202, "{}", told.body);
        let all = self.teal.states().len();
        self.teal.wait_for_states(&vec!["live"; all]);
        told
    }
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn every_forges_push_is_deployed_and_a_redelivery_changes_nothing() {
    for sender in Sender::ALL {
        let world = World::new(sender);
        let commit = world.push("main");
        let delivery = world.delivery("refs/heads/main", &commit);
        let told = world.send(&delivery);
        assert_eq!(told.status, 202, "{sender:?} {}", told.body);
        let begun = &json(&told)["deployments"][0];
        assert_eq!(begun["id"], 1);
        assert_eq!(begun["environment"], "shop/production");
        let page = format!("http://{}/", world.teal.listen());
        assert!(begun["url"].as_str().unwrap().starts_with(&page), "{begun}");
        world.teal.wait_for_states(&["live"]);
        assert_eq!(world.teal.serves(HOST), "v1", "{sender:?}");
        assert_eq!(world.teal.history()[0]["by"], "ada");

        let again = world.send(&delivery);
        assert_eq!((again.status, again.body), (202, told.body), "{sender:?}");
        // As a form it is signed otherwise, by each forge in its own way; it is the same delivery all the same.
        let as_form = world.send(&delivery.clone().form());
        assert_eq!(as_form.status, 202, "{sender:?} {}", as_form.body);
        assert_eq!(world.teal.states(), ["live"], "{sender:?}");
    }
}

#[test]
fn what_is_not_signed_with_the_secret_is_refused_and_leaves_no_trace() {
    for sender in Sender::ALL {
        let world = World::new(sender);
        let commit = world.push("main");
        let good = world.delivery("refs/heads/main", &commit);
        for bad in [
            good.clone().secret("another secret"),
            good.clone().secret("another").form(),
        ] {
            let refused = world.send(&bad);
            assert_eq!(refused.status, 401, "{sender:?} {}", refused.body);
        }
        // The refused id is not used up.
        assert_eq!(world.send(&good).status, 202, "{sender:?}");
        assert_eq!(world.teal.states().len(), 1, "{sender:?}");
    }
}

#[test]
fn a_replay_under_another_id_deploys_the_present_tip_only() {
    let world = World::new(Sender::GitHub);
    let first = world.push("main");
    world.deploy(1);
    let replayed = world.send(&world.delivery("refs/heads/main", &first).id(2));
    assert_eq!(replayed.status, 200, "{}", replayed.body);
    assert!(
        replayed.body.contains("already serves"),
        "{}",
        replayed.body
    );
    world.app.version("v2");
    world.deploy(3);
    assert_eq!(world.teal.serves(HOST), "v2");
    // An old delivery can never bring an old commit back.
    world.send(&world.delivery("refs/heads/main", &first).id(4));
    // Neither does it have the release that serves made once more.
    world.teal.wait_for_states(&["live", "live", "cancelled"]);
    let failures = world.teal.failures();
    let cause = failures[0]["cause"].as_str().unwrap();
    assert!(cause.contains("which serves already"), "{cause}");
    assert_eq!(world.teal.serves(HOST), "v2");
}

#[test]
fn deliveries_out_of_order_end_with_the_newest_commit() {
    let world = World::new(Sender::Gitea);
    let first = world.push("main");
    world.app.version("v2");
    let second = world.push("main");
    world.send(&world.delivery("refs/heads/main", &second).id(2));
    world.teal.wait_for_states(&["live"]);
    world.send(&world.delivery("refs/heads/main", &first).id(1));
    world.teal.wait_for_states(&["live", "cancelled"]);
    assert_eq!(world.teal.serves(HOST), "v2");
}

#[test]
fn a_merged_request_deploys_once() {
    for sender in Sender::ALL {
        let world = World::new(sender);
        let commit = world.push("main");
        let merged = world.send(&Delivery::merged(sender, REPOSITORY).id(8));
        assert_eq!(merged.status, 200, "{sender:?} {}", merged.body);
        assert_eq!(world.teal.states(), [""; 0], "{sender:?}");
        let pushed = world.send(&world.delivery("refs/heads/main", &commit).id(9));
        assert_eq!(pushed.status, 202, "{sender:?} {}", pushed.body);
        assert_eq!(world.teal.states().len(), 1, "{sender:?}");
    }
}

#[test]
fn what_means_nothing_here_is_answered_kindly() {
    let world = World::new(Sender::GitHub);
    let commit = world.push("main");
    let ok = |delivery: Delivery, word: &str| {
        let told = world.send(&delivery);
        assert_eq!(told.status, 200, "{}", told.body);
        assert!(told.body.contains(word), "{}", told.body);
    };
    let payload = serde_json::json!({ "zen": "Keep it simple.", "hook_id": 1 });
    ok(Delivery::of(Sender::GitHub, "ping", &payload), "hears you");
    ok(Delivery::of(Sender::GitHub, "star", &payload).id(2), "star");
    ok(
        world.delivery("refs/heads/experiment", &commit).id(3),
        "experiment maps to no environment",
    );
    ok(
        Delivery::deletion(Sender::GitHub, REPOSITORY, "refs/heads/main").id(4),
        "deleted",
    );
    ok(
        Delivery::push(Sender::GitHub, "mallory/shop", "refs/heads/main", &commit).id(5),
        "mallory/shop",
    );
    assert_eq!(world.teal.states(), [""; 0]);
}

#[test]
fn what_is_no_delivery_is_refused() {
    let world = World::new(Sender::GitHub);
    let commit = world.push("main");
    let good = world.delivery("refs/heads/main", &commit);
    assert_eq!(good.send(world.teal.listen(), "nosuch").status, 404);
    let foreign = Delivery::push(Sender::GitLab, REPOSITORY, "refs/heads/main", &commit);
    assert_eq!(world.send(&foreign).status, 400);
    let bare = world.teal.ask("POST", "/hooks/shop", "{}");
    assert_eq!(bare.status, 401, "{}", bare.body);
    let hostile = world.delivery("refs/heads/../../etc/passwd", &commit).id(7);
    assert_eq!(world.send(&hostile).status, 422);
    assert_eq!(world.teal.states(), [""; 0]);
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let world = World::new(Sender::GitHub);
    let mut open = Connection::open(world.teal.listen()).unwrap();
    // Nothing of the announced body is ever sent.
    let request = "POST /hooks/shop HTTP/1.1\r\nHost: teal\r\nX-GitHub-Event: push\r\n\
                   Content-Type: application/json\r\nContent-Length: 99000000\r\n\r\n";
    assert_eq!(open.send("POST", request).unwrap().status, 413);
}

#[test]
fn tags_are_deployed_as_the_commit_that_they_name() {
    for sender in Sender::ALL {
        let world = World::new(sender);
        let commit = world.app.git().head();
        world
            .app
            .git()
            .run(["tag", "-a", "v1.0", "-m", "the first"])
            .ok();
        world.push("v1.0");
        let tag = world.app.git().run(["rev-parse", "v1.0"]).ok();
        let told = world.send(&world.delivery("refs/tags/v1.0", tag.trim()));
        assert_eq!(told.status, 202, "{sender:?} {}", told.body);
        world.teal.wait_for_states(&["live"]);
        assert_eq!(
            world.teal.history()[0]["commit"],
            commit.as_str(),
            "{sender:?}"
        );
        assert_eq!(world.teal.serves(HOST), "v1");
    }
}

#[test]
fn a_push_whose_webhook_never_came_is_found_when_the_server_is_back() {
    let mut world = World::with(Sender::Forgejo, "1h");
    world.push("main");
    world.send(&world.delivery("refs/heads/main", &world.app.git().head()));
    world.teal.wait_for_states(&["live"]);
    world.teal.stop(Signal::SIGTERM);
    world.app.version("v2");
    world.push("main");
    assert_eq!(world.teal.serves(HOST), "v1");
    world.teal.serve();
    world.teal.wait_for_states(&["live", "live"]);
    assert_eq!(world.teal.serves(HOST), "v2");
    assert_eq!(world.teal.history()[1]["origin"], "reconcile");
}

#[test]
fn a_push_whose_webhook_never_came_is_found_by_and_by() {
    let world = World::with(Sender::GitLab, "200ms");
    world.push("main");
    world.teal.wait_for_states(&["live"]);
    world.app.version("v2");
    world.push("main");
    world.teal.wait_for_states(&["live", "live"]);
    assert_eq!(world.teal.serves(HOST), "v2");
    // What was rolled back is not brought live again, however often the forge is asked.
    world.teal.cli(["rollback", "production"]).ok();
    assert_eq!(world.teal.serves(HOST), "v1");
    world.app.version("v3");
    world.push("main");
    world
        .teal
        .wait_for_states(&["live", "live", "live", "live"]);
    assert_eq!(world.teal.serves(HOST), "v3");
}

#[test]
fn a_forge_that_cannot_be_reached_fails_the_deployment_and_says_so() {
    let mut world = World::new(Sender::GitHub);
    world.deploy(1);
    let commit = world.app.version("v2");
    world.push("main");
    let away = world.app.git().path().join("../forge/blue");
    std::fs::rename(&away, away.with_file_name("moved")).unwrap();
    let told = world.send(&world.delivery("refs/heads/main", &commit).id(2));
    assert_eq!(told.status, 202);
    world.teal.wait_for_states(&["live", "failed"]);
    let failure = world.teal.history()[1]["failure"].clone();
    assert_eq!(failure["step"], "fetch", "{failure}");
    assert_eq!(world.teal.serves(HOST), "v1");
    world.teal.stop(Signal::SIGTERM);
}
