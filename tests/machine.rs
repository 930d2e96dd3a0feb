//! What Teal needs of the machine around it: the examples for systemd and nginx are sound, and Teal keeps its side.

use crate::harness::{Daemon, Nginx, Outcome, Sandbox, Teal, program};
use nix::sys::signal::Signal;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

const UNIT: &str = include_str!("../config/teal.service");
const FRONT: &str = include_str!("../config/nginx-in-front.conf");

/// The values of a key of the unit.
fn values(key: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn the_unit_lets_services_outlive_the_server() {
    for (key, value) in [
        ("Type", "notify"),
        ("Restart", "always"),
        ("KillMode", "process"),
        ("OOMPolicy", "continue"),
        ("Delegate", "yes"),
        // The name by which the server knows a group that is not to be nested in.
        ("DelegateSubgroup", "server.teal"),
        ("PrivateTmp", "no"),
        ("AmbientCapabilities", "CAP_NET_BIND_SERVICE"),
        ("StateDirectory", "teal"),
        ("User", "teal"),
    ] {
        assert_eq!(values(key), [value], "{key}");
    }
    // A read-only group tree would take the services' own groups away.
    assert!(values("ProtectControlGroups").is_empty());
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit() {
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    }
    let sandbox = Sandbox::new();
    let unit = UNIT
        .replace("/usr/local/bin/teal", env!("CARGO_BIN_EXE_teal"))
        .replace("User=teal\nGroup=teal\n", "");
    let file = sandbox.write("teal.service", unit);
    let said = Outcome::of(verify.arg(file));
    // Older ones do not know where the server's own group is said, and go on without.
    let stderr: Vec<&str> = { said.stderr.lines() }
        .filter(|line| !(line.contains("Unknown key") && line.contains("'DelegateSubgroup'")))
        .collect();
    assert_eq!((said.code, stderr), (0, Vec::new()));
}

#[test]
fn the_server_tells_its_manager_when_it_is_ready_and_when_it_stops() {
    let mut teal = Teal::plan()
        .environment("shop", "production", "")
        .init(Sandbox::new());
    let path = teal.sandbox.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(crate::harness::LONG))
        .unwrap();
    let heard = || {
        let mut bytes = [0; 64];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    teal.serve_with(&[("NOTIFY_SOCKET", &path.display().to_string())]);
    assert_eq!(heard(), "READY=1");
    teal.stop(Signal::SIGTERM);
    assert_eq!(heard(), "STOPPING=1");
}

#[test]
fn what_is_deployed_does_not_inherit_the_right_to_low_ports() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can hand out capabilities");
        return;
    }
    let server = Teal::plan()
        .environment("shop", "production", "")
        .init(Sandbox::new());
    let mut command = Command::new(program("setpriv"));
    let serve = server.command(["serve"]);
    command
        .args([
            "--inh-caps=+net_bind_service",
            "--ambient-caps=+net_bind_service",
        ])
        .arg(serve.get_program())
        .args(serve.get_args())
        .envs(
            serve
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    let mut daemon = Daemon::spawn("teal serve", &mut command);
    daemon.says("is ready");
    let ambient = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapAmb:"));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    assert_ne!(ambient(daemon.pid()), 0, "the server itself has it");
    let app = server.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let pid = server.root("shop", "production").join("shared/blue.pid");
    let pid: i32 = std::fs::read_to_string(pid)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert_eq!(ambient(pid), 0, "the service has it not");
    daemon.stop(Signal::SIGTERM);
}

#[test]
fn nginx_accepts_the_example_and_brings_visitors_to_the_release_that_serves() {
    let mut teal = Teal::plan()
        .environment("shop", "production", "domain = \"shop.example.com\"")
        .start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let tls = teal.sandbox.port();
    let plain = teal.sandbox.port();
    let mine = FRONT
        .replace("127.0.0.1:8080", &teal.proxy().to_string())
        .replace("127.0.0.1:9000", &teal.listen().to_string())
        .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{tls};"))
        .replace("listen 80;", &format!("listen 127.0.0.1:{plain};"));
    // Certificates are the reader's own.
    let mine: Vec<&str> = mine
        .lines()
        .filter(|line| !line.trim_start().starts_with("ssl_certificate"))
        .collect();
    let mut nginx = Nginx::new(&teal.sandbox);
    teal.sandbox
        .write("nginx/conf.d/teal-front.conf", mine.join("\n"));
    nginx.run();
    let at = |port: u16, host: &str, path: &str| {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        crate::harness::get(address, host, path).unwrap()
    };
    let answer = at(tls, "shop.example.com", "/");
    assert_eq!((answer.status, answer.body.trim()), (200, "v1"));
    assert_eq!(at(plain, "shop.example.com", "/").status, 301);
    let hook = at(tls, "deploy.example.com", "/hooks/nobody");
    assert_ne!(hook.status, 502, "{}", hook.body);
    assert_eq!(at(tls, "deploy.example.com", "/api/v1/status").status, 404);
    teal.stop(Signal::SIGTERM);
}
