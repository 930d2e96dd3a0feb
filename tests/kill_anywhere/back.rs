//! The same for what is not a push that goes well: a release that is taken back, rollbacks near and far, changed settings.

use super::{
    HOST, all_answered, at_each, chosen, is_over, one_serves, prepared, read_trace, visitors,
};
use crate::harness::{App, Daemon, LONG, Outcome, Teal, wait_until};
use nix::sys::signal::Signal;
use std::process::Command;

/// What happens while the server is killed, and what may serve afterwards.
struct Story {
    /// What there is before it.
    before: fn() -> (Teal, App),
    /// What somebody does.
    act: fn(&Teal, &App) -> Command,
    /// Whether this version is right for what the history says.
    serves: fn(&Teal, &str) -> bool,
}

/// These versions were pushed after `v1`; the server is stopped.
fn pushed(versions: &[&str]) -> (Teal, App) {
    let (mut teal, app) = prepared();
    teal.serve();
    for version in versions {
        app.version(version);
        assert_eq!(app.git().push(["production", "main"]).code, 0);
    }
    teal.stop(Signal::SIGTERM);
    (teal, app)
}

/// Whether anything of that kind was begun.
fn was_begun(teal: &Teal, kind: &str) -> bool {
    let is_of_it = |one: &serde_json::Value| one["kind"].to_string().contains(kind);
    teal.history().iter().any(is_of_it)
}

impl Story {
    fn places(&self) -> Vec<String> {
        let (mut teal, app) = (self.before)();
        let trace = teal.sandbox.join("trace");
        teal.serve_with(&[("TEAL_FAULT_TRACE", trace.to_str().unwrap())]);
        Outcome::of(&mut (self.act)(&teal, &app));
        self.ends_well(&teal, "nobody was killed");
        read_trace(&trace)
    }

    fn ends_well(&self, teal: &Teal, when: &str) {
        wait_until(LONG, &format!("all is over, {when}"), || {
            teal.history().iter().all(is_over)
        });
        one_serves(teal, when);
        let serves = teal.serves(HOST);
        let states = teal.states();
        assert!(
            (self.serves)(teal, &serves),
            "{when}: {serves} after {states:?}: {:#?}",
            teal.failures()
        );
    }

    fn killed_at(&self, place: usize, name: &str) {
        let when = format!("killed at place {place} ({name})");
        let (mut teal, app) = (self.before)();
        let visitors = visitors(&teal);
        teal.spawn_serve(&[("TEAL_FAULT_AT", &place.to_string())]);
        wait_until(LONG, "the server ends, or is ready", || {
            teal.log().contains("is ready") || teal.server().ended().is_some()
        });
        let mut acting = (self.act)(&teal, &app);
        let mut acting = Daemon::spawn("whoever acts", &mut acting);
        wait_until(LONG, "the server ends, or all is done", || {
            acting.ended().is_some() || teal.server().ended().is_some()
        });
        if teal.server().ended().is_none() {
            teal.stop(Signal::SIGKILL);
        }
        teal.serve();
        acting.finish();
        self.ends_well(&teal, &when);
        all_answered(visitors, &when);
    }

    fn killed_anywhere(&self) {
        let places = self.places();
        at_each(chosen(places.len()), |place| {
            let name = &places[place - 1];
            eprintln!("place {place} of {}: {name}", places.len());
            self.killed_at(place, name);
        });
    }
}

#[test]
fn a_release_that_is_taken_back_stays_taken_back() {
    let story = Story {
        before: || {
            let (teal, app) = prepared();
            // Its worker ends when it serves.
            let worker = "while [ ! -e after-$TEAL_DEPLOYMENT ]; do sleep 0.02; done; exit 7";
            app.recipe(&format!("[run]\nweb = \"exec python3 -u app.py\"\nworker = \"{worker}\"\nafter = \"touch after-$TEAL_DEPLOYMENT\""));
            app.version("v2");
            (teal, app)
        },
        act: |_, app| {
            let mut push = app.git().command();
            push.args(["push", "production", "main"]);
            push
        },
        serves: |teal, version| {
            version == "v1" && ["rolled_back", "live"].contains(&&*teal.states().pop().unwrap())
        },
    };
    story.killed_anywhere();
}

#[test]
fn a_rollback_to_the_release_before() {
    let story = Story {
        before: || pushed(&["v2"]),
        act: |teal, _| teal.command(["rollback", "production"]),
        serves: |teal, version| version == ["v2", "v1"][usize::from(was_begun(teal, "rollback"))],
    };
    story.killed_anywhere();
}

#[test]
fn a_rollback_to_a_backup() {
    let story = Story {
        before: || pushed(&["v2", "v3"]),
        act: |teal, _| teal.command(["rollback", "production", "--to", "1"]),
        serves: |teal, version| version == ["v3", "v1"][usize::from(was_begun(teal, "rollback"))],
    };
    story.killed_anywhere();
}

#[test]
fn a_changed_setting() {
    let story = Story {
        before: || pushed(&[]),
        act: |teal, _| teal.command(["env", "set", "production", "APP_COLOUR=red"]),
        serves: |teal, version| {
            let shown = teal.visit(HOST, "/env").body;
            let is_set = shown.contains("\"APP_COLOUR\": \"red\"");
            version == "v1" && is_set == was_begun(teal, "restart")
        },
    };
    story.killed_anywhere();
}
