//! Releases that run as a user of their own.

use crate::harness::{App, Teal};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const HOST: &str = "production.shop.test";
const USER: &str = "nobody";

/// A server whose production runs as somebody else; only root can.
fn apart() -> Option<(Teal, App)> {
    if !nix::unistd::getuid().is_root() {
        eprintln!("skipped: only a server that runs as root can run releases as somebody else");
        return None;
    }
    let teal = Teal::shop_with(&format!("run_as = \"{USER}\""));
    // What leads to the releases can be entered by everybody, as /srv can.
    fs::set_permissions(teal.sandbox.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let app = teal.client("shop");
    Some((teal, app))
}

fn uid() -> u32 {
    let user = nix::unistd::User::from_name(USER).unwrap().unwrap();
    user.uid.as_raw()
}

fn slot_file(teal: &Teal, color: &str, name: &str) -> String {
    let path = teal
        .root("shop", "production")
        .join("releases")
        .join(color)
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn commands_and_services_are_that_users_and_reach_nothing_of_teals() {
    let Some((teal, app)) = apart() else { return };
    let state = teal.state_dir().display().to_string();
    let try_all = format!(
        "(id -un; id -G; echo $HOME; grep NoNewPrivs /proc/self/status) > facts; \
         (cat {state}/teal.db || cat {state}/env/* || cat {state}/logs/*/* || ls {state}/cache) > leak 2>/dev/null; \
         (touch ../../current/x || touch ../../shared/deploy.log || touch {state}/x || rm ../../shared/deploy.log) 2>/dev/null && echo yes > wrote; \
         touch $HOME/here && echo kept > uploads/one; true"
    );
    app.recipe(&format!("[build]\nbuild = \"\"\"{try_all}\"\"\"\n"));
    let recipe = fs::read_to_string(app.path().join(".teal.toml")).unwrap();
    fs::write(
        app.path().join(".teal.toml"),
        recipe.replace("[run]\n", "[run]\nshared = [\"uploads\"]\n"),
    )
    .unwrap();
    app.version("v1");
    let pushed = app.git().push(["production", "main"]);
    assert!(pushed.stderr.contains("LIVE"), "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v1");

    let facts = slot_file(&teal, "blue", "facts");
    let facts: Vec<&str> = facts.lines().collect();
    let gid = nix::unistd::User::from_name(USER).unwrap().unwrap().gid;
    assert_eq!(facts[..2], [USER, &gid.to_string()]);
    assert_eq!(
        facts[2],
        teal.root("shop", "production")
            .join(".home")
            .display()
            .to_string()
    );
    assert_eq!(facts[3], "NoNewPrivs:\t1");
    assert_eq!(slot_file(&teal, "blue", "leak"), "");
    let root = teal.root("shop", "production");
    assert!(!root.join("releases/blue/wrote").exists());
    assert_eq!(
        fs::read_to_string(root.join("shared/uploads/one")).unwrap(),
        "kept\n"
    );

    // The slot is theirs to write, and nobody else's; what Teal needs stays Teal's.
    let owner = |path: &str| fs::symlink_metadata(root.join(path)).unwrap();
    for path in [
        "releases/blue",
        "releases/blue/app.py",
        "releases/blue/uploads",
        "shared/uploads",
    ] {
        assert_eq!(owner(path).uid(), uid(), "{path}");
        assert!(
            owner(path).is_symlink() || owner(path).mode() & 0o022 == 0,
            "{path}"
        );
    }
    for path in [
        "",
        "releases",
        "shared",
        ".backups",
        "shared/deploy.log",
        "shared/blue-service.log",
    ] {
        assert_eq!(owner(path).uid(), 0, "{path}");
    }
    let pid = fs::read_to_string(root.join("shared/blue.pid")).unwrap();
    let pid = pid.trim();
    assert_eq!(fs::metadata(format!("/proc/{pid}")).unwrap().uid(), uid());
}

#[test]
fn the_next_release_the_way_back_and_one_off_commands_are_that_users_too() {
    let Some((teal, app)) = apart() else { return };
    for version in ["v1", "v2", "v3"] {
        app.version(version);
        let pushed = app.git().push(["production", "main"]);
        assert!(pushed.stderr.contains("LIVE"), "{}", pushed.stderr);
    }
    let back = teal.cli(["rollback", "production", "--to", "1"]);
    assert_eq!(back.code, 0, "{}{}", back.stdout, back.stderr);
    assert_eq!(teal.serves(HOST), "v1");
    let said = teal.cli([
        "run",
        "production",
        "--",
        "sh",
        "-c",
        "id -un; cat version.txt",
    ]);
    assert_eq!(said.ok().lines().collect::<Vec<_>>(), [USER, "v1"]);
}

#[test]
fn a_user_whom_nobody_knows_is_said_at_the_start() {
    let mut teal = Teal::plan()
        .environment("shop", "production", "run_as = \"no-such-user\"")
        .init(crate::harness::Sandbox::new());
    teal.spawn_serve(&[]);
    teal.server()
        .says("shop/production cannot run as `no-such-user`: this machine has no such user");
}
