//! `teal doctor`, told of real mistakes: each is found, named with its place, and answered with what to type.

use crate::harness::{Outcome, SECRET, Sandbox, Teal, TealPlan};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// The exit code, and the findings of an area: health, what was seen, and the fix.
fn examined(teal: &Teal, area: &str) -> (i32, Vec<[String; 3]>) {
    let said = Outcome::of(&mut teal.command(["doctor", "--json"]));
    let examined: Value = serde_json::from_str(&said.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", said.stdout, said.stderr));
    let all = examined["findings"].as_array().unwrap().iter();
    let own = all.filter(|one| one["area"] == area);
    let words = own.map(|one| {
        ["health", "what", "fix"].map(|key| one[key].as_str().unwrap_or_default().to_owned())
    });
    (said.code, words.collect())
}

/// The one finding of the area.
#[track_caller]
fn only(teal: &Teal, area: &str) -> (i32, [String; 3]) {
    let (code, mut all) = examined(teal, area);
    assert_eq!(all.len(), 1, "{all:#?}");
    (code, all.remove(0))
}

fn shop() -> TealPlan {
    Teal::plan().environment("shop", "production", "domain = \"localhost\"")
}

#[test]
fn a_server_that_is_well_is_called_so_and_what_was_seen_fits_a_terminal() {
    let teal = shop().start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    for area in [
        "configuration",
        "server",
        "versions",
        "secrets",
        "ports",
        "services",
        "git",
        "names",
    ] {
        let (_, found) = examined(&teal, area);
        assert!(!found.is_empty(), "{area}");
        assert!(
            found.iter().all(|[health, ..]| health == "good"),
            "{area}: {found:#?}"
        );
    }
    let said = Outcome::of(&mut teal.command(["doctor"]));
    let folder = teal.sandbox.path().display().to_string();
    for line in said.stdout.lines() {
        // A path is not broken, so that it can be copied.
        assert!(
            line.chars().count() <= 80 || line.contains(&folder),
            "{line}"
        );
    }
}

#[test]
fn a_secret_that_others_may_read_is_an_error_of_the_configuration() {
    let sandbox = Sandbox::new();
    let token = sandbox.write("token", "secret");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let teal = shop().init(sandbox);
    let text = fs::read_to_string(teal.config()).unwrap();
    let app = format!(
        "[apps.shop]\nrepo = \"https://git.test/shop.git\"\ntoken = {{ file = \"{}\" }}\n",
        token.display()
    );
    fs::write(
        teal.config(),
        text.replace("[apps.shop.env", &format!("{app}\n[apps.shop.env")),
    )
    .unwrap();
    let (code, [health, what, fix]) = only(&teal, "configuration");
    assert_eq!((code, health.as_str()), (2, "problem"));
    assert!(what.ends_with("is open to others (mode 0644)"), "{what}");
    assert_eq!(fix, format!("run: chmod 600 {}", token.display()));
}

#[test]
fn a_folder_of_secrets_that_others_may_enter_is_told() {
    let teal = shop().init(Sandbox::new());
    let folder = teal.state_dir().join("env");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, [health, what, fix]) = only(&teal, "secrets");
    assert_eq!(health, "problem");
    assert!(
        what.ends_with("env is open to others (mode 0755)"),
        "{what}"
    );
    assert_eq!(fix, format!("chmod 700 {}", folder.display()));
}

#[test]
fn a_stranger_on_a_port_is_named() {
    let sandbox = Sandbox::new();
    let blue = sandbox.ports_in_a_row(2);
    let ports = format!(
        "domain = \"localhost\"\nports = {{ blue = {blue}, green = {} }}",
        blue + 1
    );
    let teal = Teal::plan()
        .environment("shop", "production", &ports)
        .init(sandbox);
    let _stranger = TcpListener::bind(("127.0.0.1", blue)).unwrap();
    let (code, [health, what, fix]) = only(&teal, "ports");
    assert_eq!((code, health.as_str()), (3, "problem"));
    let own = std::process::id();
    assert!(
        what.starts_with(&format!(
            "port {blue} (blue of shop/production) is held by process {own} (`"
        )),
        "{what}"
    );
    assert!(
        fix.starts_with("stop it, or give shop/production other `ports`"),
        "{fix}"
    );
}

#[test]
fn a_hook_that_is_not_teals_is_told_and_init_puts_it_right() {
    let teal = shop().init(Sandbox::new());
    let hook = teal.repository("shop").join("hooks/post-receive");
    fs::remove_file(&hook).unwrap();
    symlink("/opt/old/teal-hook", &hook).unwrap();
    let (_, found) = examined(&teal, "git");
    let [health, what, fix] = &found[1];
    assert_eq!(health, "problem");
    assert!(
        what.ends_with("its hook post-receive is /opt/old/teal-hook"),
        "{what}"
    );
    assert!(fix.starts_with("teal init"), "{fix}");
    teal.cli(["init"]).ok();
    let (_, found) = examined(&teal, "git");
    assert!(
        found.iter().all(|[health, ..]| health == "good"),
        "{found:#?}"
    );
}

#[test]
fn an_expired_certificate_and_a_domain_without_one_are_told() {
    let sandbox = Sandbox::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(["old.test".to_owned()]).unwrap();
    wanted.not_before = rcgen::date_time_ymd(2019, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let cert = sandbox.write("cert.pem", wanted.self_signed(&key).unwrap().pem());
    let file = sandbox.write("key.pem", key.serialize_pem());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (http, https) = (sandbox.port(), sandbox.port());
    let proxy = format!(
        "[proxy]\nlisten = [\"127.0.0.1:{http}\"]\ntls = {{ listen = [\"127.0.0.1:{https}\"], certificates = [ {{ cert = \"{}\", key = \"{}\" }} ] }}",
        cert.display(),
        file.display()
    );
    let teal = shop().top(&proxy).init(sandbox);
    let (_, found) = examined(&teal, "certificates");
    let [expired, lacking] = found.as_slice() else {
        panic!("{found:#?}")
    };
    assert_eq!(expired[0], "problem");
    assert!(expired[1].contains("(old.test) ended on 20"), "{expired:?}");
    assert_eq!(lacking[1], "no certificate is for localhost");
}

#[test]
fn a_server_that_is_down_is_told_with_all_that_can_be_seen_without_it() {
    let mut teal = shop().start();
    teal.stop(Signal::SIGTERM);
    let (code, [health, what, fix]) = only(&teal, "server");
    assert_eq!((code, health.as_str()), (3, "problem"));
    assert!(what.contains("the server cannot be reached"), "{what}");
    assert!(fix.contains("systemctl start teal"), "{fix}");
    // The proxy lives on, and is not taken for a stranger.
    let (_, [health, ..]) = only(&teal, "ports");
    assert_eq!(health, "good");
    fs::write(teal.config(), "lisen = 1\n").unwrap();
    let (code, [_, what, _]) = only(&teal, "configuration");
    assert_eq!(code, 2);
    assert!(what.contains("lisen"), "{what}");
}

#[test]
fn a_delivery_to_oneself_shows_whether_forges_come_in() {
    for kind in ["github", "forgejo", "gitlab"] {
        let keys = format!(
            "forge = \"{kind}\"\nrepo = \"http://127.0.0.1:9/blue/shop.git\"\nwebhook_secret = {{ env = \"HOOK\" }}"
        );
        let plan = || shop().variable("HOOK", SECRET).app("shop", &keys);
        let teal = plan().top("reconcile = \"0s\"").start();
        let (code, [health, what, _]) = only(&teal, "webhooks");
        assert_eq!((code, health.as_str()), (1, "good"), "{what}");
        let (_, [health, what, _]) = only(&teal, "repositories");
        assert_eq!(health, "problem", "{what}");
        assert!(
            what.contains("could not fetch from http://127.0.0.1:9"),
            "{what}"
        );
        drop(teal);
        let teal = plan()
            .top("reconcile = \"0s\"\npublic_url = \"http://127.0.0.1:9\"")
            .start();
        let (_, [health, what, fix]) = only(&teal, "webhooks");
        assert_eq!(health, "problem");
        assert!(
            what.contains("does not come in: it cannot be reached"),
            "{what}"
        );
        assert!(fix.starts_with("`public_url` has to lead to"), "{fix}");
    }
}

#[test]
fn a_current_that_was_moved_by_hand_is_put_right_by_what_is_said() {
    let teal = shop().start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let current = teal.root("shop", "production").join("current");
    fs::remove_file(&current).unwrap();
    symlink("releases/green", &current).unwrap();
    let (_, [health, what, fix]) = only(&teal, "services");
    assert_eq!(health, "warning", "{what}");
    assert!(what.contains("current was moved by hand"), "{what}");
    assert!(fix.starts_with("teal restart shop/production"), "{fix}");
    teal.cli(["restart", "shop/production"]).ok();
    let (_, [health, what, _]) = only(&teal, "services");
    assert_eq!(health, "good", "{what}");
}

#[test]
fn what_root_made_in_somebody_elses_state_is_told_and_root_prepares_it_as_its_owner() {
    if !nix::unistd::getuid().is_root() {
        eprintln!("skipped: only root can act for somebody else");
        return;
    }
    let teal = shop().init(Sandbox::new());
    let everybody = PermissionsExt::from_mode(0o755);
    fs::set_permissions(teal.sandbox.path(), everybody).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let chown = |path: &Path| nix::unistd::chown(path, Some(nobody.uid), Some(nobody.gid)).unwrap();
    let state = teal.state_dir();
    chown(&state);
    for part in fs::read_dir(&state).unwrap() {
        chown(&part.unwrap().path());
    }
    let (_, found) = examined(&teal, "secrets");
    let repository = teal.repository("shop").display().to_string();
    let told = |[health, what, _]: &[String; 3]| {
        health == "problem"
            && *what
                == format!(
                    "{repository} belongs to root, and {} to nobody",
                    state.display()
                )
    };
    assert!(found.iter().any(told), "{found:#?}");
    fs::remove_dir_all(&repository).unwrap();
    teal.cli(["init"]).ok();
    let uid = fs::metadata(&repository).unwrap().uid();
    assert_eq!(uid, nobody.uid.as_raw());
}

#[test]
fn a_folder_that_the_server_may_not_make_is_told_with_what_makes_it() {
    if !nix::unistd::getuid().is_root() {
        eprintln!("skipped: only root can leave a folder to somebody else");
        return;
    }
    let teal = shop().init(Sandbox::new());
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    nix::unistd::chown(&teal.state_dir(), Some(nobody.uid), Some(nobody.gid)).unwrap();
    let (_, [health, what, fix]) = only(&teal, "folders");
    let root = teal.root("shop", "production").display().to_string();
    assert_eq!(health, "warning");
    assert!(what.ends_with("nobody may not make it"), "{what}");
    assert_eq!(fix, format!("sudo install -d -o nobody -g nobody {root}"));
}

#[test]
fn what_holds_a_port_of_nginxs_is_told_teals_own_proxy_by_name() {
    let sandbox = Sandbox::new();
    let teal = shop().init(sandbox);
    let public = teal.proxy().port();
    let text = fs::read_to_string(teal.config()).unwrap();
    let (before, after) = text.split_once("[proxy]\n").unwrap();
    let rest = after.split_once("\n\n").map_or("", |(_, rest)| rest);
    let verify = teal.sandbox.port();
    let folder = teal.sandbox.dir("conf.d");
    let nginx = format!(
        "{before}[proxy]\nkind = \"nginx\"\nconf_dir = \"{}\"\ncommand = [\"/nonexistent/nginx\"]\n\
         listen = [\"127.0.0.1:{public}\"]\nverify = \"127.0.0.1:{verify}\"\n\n{rest}",
        folder.display()
    );
    let mut teal = teal;
    teal.serve();
    fs::write(teal.config(), nginx).unwrap();
    let (_, [health, what, fix]) = only(&teal, "ports");
    assert_eq!(health, "problem", "{what}");
    assert!(
        what.contains("Teal's own proxy, left from before"),
        "{what}"
    );
    assert!(fix.starts_with("systemctl stop teal; kill "), "{fix}");
    let (_, [health, what, fix]) = only(&teal, "nginx");
    assert_eq!(health, "problem", "{what}");
    assert!(
        what.starts_with("cannot run `/nonexistent/nginx -t`"),
        "{what}"
    );
    assert!(fix.contains("`[proxy] command`"), "{fix}");
}
