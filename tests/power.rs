//! The power is cut at any instant of a deployment: only what was synced is left, on a real file system. After the machine is
//! up again the committed release serves, whole, and what its pusher was told still holds.
//!
//! The suite tries some of the instants, chosen by a printed seed; `scripts/faults.sh --power` tries all of them.

use crate::harness::{App, Disk, LONG, Sandbox, Teal, seed, wait_until};
use crate::kill_anywhere::{at_each, chosen, consistent, is_over, places};
use nix::sys::signal::Signal;

const HOST: &str = "production.shop.test";

/// A server on a disk of its own that serves `v1`, stopped and synced; and, elsewhere, the app with `v2` committed.
struct World {
    disk: Disk,
    teal: Teal,
    app: App,
    _away: Sandbox,
}

impl World {
    fn new(kind: &'static str) -> Option<World> {
        let sandbox = Sandbox::new();
        let disk = Disk::below(&sandbox, kind)?;
        let away = Sandbox::new();
        let mut teal = Teal::plan()
            .environment("shop", "production", "")
            .init(sandbox);
        teal.serve();
        let app = App::python(&away, "work");
        let repository = teal.repository("shop").display().to_string();
        app.git()
            .run(["remote", "add", "production", &repository])
            .ok();
        let pushed = app.git().push(["production", "main"]);
        assert_eq!(pushed.code, 0, "{}", pushed.stderr);
        teal.stop(Signal::SIGTERM);
        disk.settle(&teal.sandbox);
        app.version("v2");
        Some(World {
            disk,
            teal,
            app,
            _away: away,
        })
    }

    fn cut(&mut self) {
        self.disk.cut(&self.teal.sandbox);
        self.teal.reboot();
    }

    /// The machine comes up again: what is committed serves, and the next push is deployed.
    fn comes_back(&mut self, when: &str, told: &str) {
        self.cut();
        self.teal.serve();
        // What landed is deployed, whether or not anybody was told so before the cut; the rest never was.
        let landed = self.teal.tip("shop", "refs/heads/main") == Some(self.app.git().head());
        let expected = if landed { "v2" } else { "v1" };
        assert!(landed || !told.contains("LIVE:"), "{when}: {told}");
        wait_until(LONG, &format!("{expected} serves, {when}"), || {
            self.teal.history().iter().all(is_over) && self.teal.serves(HOST) == expected
        });
        consistent(&self.teal, when);
        self.app.version("v3");
        let pushed = self.app.git().push(["production", "main"]);
        assert_eq!(pushed.code, 0, "{when}: {}", pushed.stderr);
        assert_eq!(self.teal.serves(HOST), "v3", "{when}: {}", pushed.stderr);
    }
}

fn cut_at(place: usize, name: &str, kind: &'static str) {
    let Some(mut world) = World::new(kind) else {
        return;
    };
    let when = format!("the power was cut at place {place} ({name}) on {kind}");
    world
        .teal
        .spawn_serve(&[("TEAL_FAULT_AT", &place.to_string())]);
    let pushed = world.app.git().push(["production", "main"]);
    wait_until(LONG, &format!("the server ends, {when}"), || {
        let history = world.teal.cli(["history", "-n", "1", "--json"]);
        let over = history.stdout.contains("\"live\"") && world.teal.serves(HOST) == "v2";
        over || world.teal.server().ended().is_some()
    });
    world.comes_back(&when, &pushed.stderr);
}

#[test]
fn the_power_is_cut_at_any_place() {
    let places = places();
    let first = seed() as usize;
    at_each(chosen(places.len()), |place| {
        let name = &places[place - 1];
        let kind = Disk::KINDS[(first + place) % Disk::KINDS.len()];
        eprintln!("place {place} of {}: {name} on {kind}", places.len());
        cut_at(place, name, kind);
    });
}

#[test]
fn what_was_restored_from_a_backup_outlives_a_power_cut() {
    for kind in Disk::KINDS {
        let Some(mut world) = World::new(kind) else {
            return;
        };
        world.teal.serve();
        for version in ["v2", "v3"] {
            world.app.version(version);
            assert_eq!(world.app.git().push(["production", "main"]).code, 0);
        }
        world.disk.settle(&world.teal.sandbox);
        world.teal.cli(["rollback", "production", "--to", "1"]).ok();
        assert_eq!(world.teal.serves(HOST), "v1");
        world.cut();
        world.teal.serve();
        assert_eq!(world.teal.serves(HOST), "v1", "{kind}");
        consistent(&world.teal, kind);
    }
}

#[test]
fn values_that_were_set_outlive_a_power_cut() {
    for kind in Disk::KINDS {
        let Some(mut world) = World::new(kind) else {
            return;
        };
        world.teal.serve();
        world
            .teal
            .cli(["env", "set", "production", "APP_COLOUR=red"])
            .ok();
        world.cut();
        world.teal.serve();
        let env = world.teal.visit(HOST, "/env").body;
        assert!(env.contains("\"APP_COLOUR\": \"red\""), "{kind}: {env}");
        consistent(&world.teal, kind);
    }
}

#[test]
fn a_disk_that_can_only_be_read_any_more_takes_nothing_from_what_serves() {
    let Some(mut world) = World::new("ext4") else {
        return;
    };
    world.teal.serve();
    let visitors = world.teal.load(HOST);
    if !world.disk.breaks(&world.teal.sandbox) {
        eprintln!("skipped: this kernel breaks no file system on demand");
        return;
    }
    let pushed = world.app.git().push(["production", "main"]);
    assert_ne!(pushed.code, 0, "{}", pushed.stderr);
    let asked = world.teal.cli(["rollback", "production"]);
    assert!(asked.stderr.contains("can only be read"), "{asked:?}");
    assert!(world.teal.cli(["status"]).ok().contains("live"));
    world.teal.stop(Signal::SIGKILL);
    world.teal.spawn_serve(&[]);
    wait_until(LONG, "the server says why it cannot start", || {
        world.teal.server().ended().is_some()
    });
    let log = world.teal.log();
    assert!(log.contains("serve.lock: Read-only file system"), "{log}");
    visitors.wait_for_more(50);
    let seen = visitors.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
    world.comes_back("after the disk was mended", &pushed.stderr);
}
