//! The data plane's process: replaced, killed and started again, while visitors never stop asking.

use crate::harness::{App, Connection, Daemon, LONG, Load, Plan, Sandbox, Teal, get, wait_until};
use nix::sys::signal::Signal;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command as Program;
use std::time::Duration;
use teal::config;
use teal::domain::{Color, EnvId, Route, RouteTable, Upstreams};
use teal::traffic::{Command, Embedded, Measure, Reply, Traffic, TrafficError, ask, receipt};

const HOST: &str = "shop.example";

/// A state file, a blue service `v1` and a green service `v2`, and proxies that serve them.
struct World {
    sandbox: Sandbox,
    address: SocketAddr,
    table: RouteTable,
    _services: Vec<Daemon>,
}

fn shop() -> EnvId {
    "shop/production".parse().unwrap()
}

impl World {
    fn new() -> World {
        let sandbox = Sandbox::new();
        sandbox.dir("run");
        let app = App::python(&sandbox, "app");
        let (blue, green) = (sandbox.port(), sandbox.port());
        let mut services = vec![app.serve(&sandbox, blue)];
        app.version("v2");
        services.push(app.serve(&sandbox, green));
        let route = Route {
            env: shop(),
            domains: vec![HOST.to_owned()],
            default: false,
            redirects: Vec::new(),
            upstreams: Upstreams {
                blue: vec![blue],
                green: vec![green],
            },
            shares: Upstreams::all_to(Color::Blue),
            hold_ms: 20_000,
            drain_websockets_ms: 60_000,
            paused: false,
            maintenance: false,
        };
        let world = World {
            address: SocketAddr::from(([127, 0, 0, 1], sandbox.port())),
            sandbox,
            table: RouteTable {
                generation: 1,
                routes: vec![route],
            },
            _services: services,
        };
        world.write();
        world
    }

    fn write(&self) {
        let table = serde_json::to_vec(&self.table).unwrap();
        let new = self.sandbox.write("proxy.json.new", table);
        std::fs::rename(new, self.sandbox.join("proxy.json")).unwrap();
    }

    fn settings(&self) -> config::Embedded {
        config::Embedded::on(vec![self.address])
    }

    /// The proxy as the server sees it, started from this program.
    fn embedded(&self, program: &Path) -> Embedded {
        Embedded::new(program.to_owned(), &self.settings(), self.sandbox.path())
    }

    /// The seam that deployments go through, over the same files.
    fn traffic(&self) -> Traffic {
        let server = config::Server {
            people: Default::default(),
            notify: Vec::new(),
            log: config::LogFormat::Text,
            traces: None,
            file: self.sandbox.join("teal.toml"),
            state_dir: self.sandbox.path().to_owned(),
            listen: self.address,
            public_url: String::new(),
            public_page: false,
            ssh_host: None,
            build_slots: 1,
            reconcile: LONG,
            proxy: config::Proxy::Embedded(self.settings()),
            apps: Default::default(),
        };
        Traffic::open(&server).unwrap()
    }

    fn ask(&self, command: &Command) -> std::io::Result<Reply> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let socket = self.sandbox.join("run/proxy.sock");
        runtime.unwrap().block_on(ask(&socket, command, LONG))
    }

    fn pid(&self) -> Option<i32> {
        match self.ask(&Command::Identify) {
            Ok(Reply::Proxy(identity)) => Some(identity.pid as i32),
            _ => None,
        }
    }

    fn measure(&self) -> Measure {
        match self.ask(&Command::Measure { env: shop() }) {
            Ok(Reply::Measured { measure }) => *measure.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn drain(&self, color: Color, within: Duration) -> Reply {
        let within_ms = within.as_millis() as u64;
        let env = shop();
        self.ask(&Command::Drain {
            env,
            color,
            within_ms,
        })
        .unwrap()
    }

    /// Starts a proxy and waits until it is the one that answers.
    fn proxy(&self) -> Daemon {
        let mut command = Program::new(env!("CARGO_BIN_EXE_teal"));
        command
            .arg("proxy")
            .arg("--state")
            .arg(self.sandbox.join("proxy.json"))
            .arg("--socket")
            .arg(self.sandbox.join("run/proxy.sock"))
            .args(["--listen", &self.address.to_string()]);
        let mut proxy = Daemon::spawn("teal proxy", &mut command);
        let pid = proxy.pid();
        proxy.ready_when("the proxy answers", || self.pid() == Some(pid));
        proxy.says("proxy serves");
        proxy
    }

    fn switch_to(&mut self, color: Color) {
        self.table.generation += 1;
        self.table.routes[0].shares = Upstreams::all_to(color);
        self.write();
        let generation = self.table.generation;
        assert_eq!(
            self.ask(&Command::Reload).unwrap(),
            Reply::Serving { generation }
        );
    }

    fn load(&self, method: &'static str) -> Load {
        Load::start(Plan {
            method,
            ..Plan::get(self.address, HOST)
        })
    }
}

#[test]
fn replacing_the_proxy_under_load_refuses_and_loses_nothing() {
    let mut world = World::new();
    let mut first = world.proxy();
    let (gets, posts) = (world.load("GET"), world.load("POST"));
    gets.wait_for_more(100);
    posts.wait_for_more(100);
    let mut second = world.proxy();
    gets.wait_for_more(100);
    posts.wait_for_more(100);
    world.switch_to(Color::Green);
    assert_eq!(get(world.address, HOST, "/").unwrap().body.trim(), "v2");
    // Every client has been told with an answer to connect anew, so nothing is left for the first to wait for.
    wait_until(LONG, "the first has ended", || first.ended().is_some());
    assert!(first.ended().unwrap().success(), "{}", first.output());
    let mut third = world.proxy();
    wait_until(LONG, "the second has ended", || second.ended().is_some());
    gets.wait_for_more(100);
    posts.wait_for_more(100);
    for seen in [gets.stop(), posts.stop()] {
        assert_eq!(seen.failures(), 0, "{seen:?}");
    }
    let left = std::fs::read_dir(world.sandbox.join("run")).unwrap();
    let sockets = left
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains(".sock"));
    assert_eq!(sockets.count(), 1, "only the third one's");
    assert!(third.stop(Signal::SIGTERM).success());
}

#[test]
fn a_replaced_proxy_follows_switches_and_counts_until_its_last_client_has_gone() {
    let mut world = World::new();
    let mut first = world.proxy();
    let mut kept = Connection::open(world.address).unwrap();
    assert_eq!(kept.ask("GET", HOST, "/", "").unwrap().body.trim(), "v1");
    let _second = world.proxy();
    assert_eq!(world.measure().colors.blue.answered, 1, "the first one's");
    world.switch_to(Color::Green);
    let answer = kept.ask("GET", HOST, "/", "").unwrap();
    assert_eq!(answer.body.trim(), "v2", "through the first proxy");
    assert_eq!(answer.header("connection"), Some("close"));
    let silent = Reply::Left {
        requests: 0,
        tunnels: 0,
    };
    assert_eq!(world.drain(Color::Blue, LONG), silent);
    wait_until(LONG, "the first has ended", || first.ended().is_some());
}

#[test]
fn a_proxy_that_was_killed_serves_again_from_its_file_alone() {
    let mut world = World::new();
    let mut first = world.proxy();
    world.switch_to(Color::Green);
    first.stop(Signal::SIGKILL);
    assert!(get(world.address, HOST, "/").is_err());
    let _second = world.proxy();
    assert_eq!(get(world.address, HOST, "/").unwrap().body.trim(), "v2");
}

#[test]
fn a_table_that_cannot_be_read_changes_nothing() {
    let world = World::new();
    let _proxy = world.proxy();
    world.sandbox.write("proxy.json", "{ half");
    let Ok(Reply::Failed { cause }) = world.ask(&Command::Reload) else {
        panic!("it was taken");
    };
    assert!(cause.contains("proxy.json is not a route table"), "{cause}");
    assert_eq!(get(world.address, HOST, "/").unwrap().body.trim(), "v1");
}

#[test]
fn the_server_starts_its_proxy_once_and_replaces_it_when_the_program_is() {
    let world = World::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let here = Path::new(env!("CARGO_BIN_EXE_teal"));
    runtime
        .block_on(world.embedded(here).ensure_running())
        .unwrap();
    let first = world.pid().unwrap();
    runtime
        .block_on(world.embedded(here).ensure_running())
        .unwrap();
    assert_eq!(world.pid(), Some(first), "it runs already");
    let load = world.load("POST");
    load.wait_for_more(100);
    let newer = world.sandbox.join("teal");
    std::fs::copy(here, &newer).unwrap();
    runtime
        .block_on(world.embedded(&newer).ensure_running())
        .unwrap();
    assert_ne!(world.pid(), Some(first));
    load.wait_for_more(100);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
}

#[test]
fn a_proxy_that_was_started_with_other_settings_is_replaced_once() {
    let world = World::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let here = Path::new(env!("CARGO_BIN_EXE_teal"));
    let ensure = |settings: &config::Embedded| {
        let proxy = Embedded::new(here.to_owned(), settings, world.sandbox.path());
        runtime.block_on(proxy.ensure_running()).unwrap();
        world.pid().unwrap()
    };
    let first = ensure(&world.settings());
    let changed = config::Embedded {
        trusted: vec![world.address.ip().into()],
        access_log: Some(world.sandbox.join("access.log")),
        ..world.settings()
    };
    let second = ensure(&changed);
    assert_ne!(second, first);
    assert_eq!(ensure(&changed), second);
    assert_eq!(get(world.address, HOST, "/").unwrap().status, 200);
    wait_until(LONG, "the answer is written down", || {
        let log = std::fs::read_to_string(world.sandbox.join("access.log"));
        log.is_ok_and(|log| log.contains("\"environment\":\"shop/production\""))
    });
}

#[test]
fn a_proxy_that_cannot_start_says_why() {
    let world = World::new();
    let _taken = std::net::TcpListener::bind(world.address).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let here = Path::new(env!("CARGO_BIN_EXE_teal"));
    let error = runtime
        .block_on(world.embedded(here).ensure_running())
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains(&world.address.to_string()), "{error}");
    assert!(error.contains("Address already in use"), "{error}");
}

#[test]
fn a_switch_is_applied_measured_and_drained() {
    let world = World::new();
    let _proxy = world.proxy();
    let traffic = world.traffic();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let load = world.load("GET");
    load.wait_for_more(100);
    runtime.block_on(async {
        let before = traffic.measure(&shop()).await.unwrap().unwrap();
        load.wait_for_more(100);
        let to_green = |route: &mut Route| route.shares = Upstreams::all_to(Color::Green);
        let route = traffic.apply(&shop(), to_green).await.unwrap();
        assert_eq!(route.active(), Some(Color::Green));
        assert_eq!(traffic.drained(&shop(), Color::Blue, LONG).await.unwrap(), Some(0));
        load.wait_for_more(100);
        let after = traffic.measure(&shop()).await.unwrap().unwrap();
        let receipt = receipt(&before, &after, Some(Color::Blue), Color::Green);
        assert!(receipt.requests.unwrap() >= 200, "{receipt:?}");
        assert_eq!((receipt.lost, receipt.overlap_us), (Some(0), Some(0)), "{receipt:?}");
        assert!(receipt.p99_before_us > Some(0) && receipt.p99_after_us > Some(0), "{receipt:?}");
        let metrics = traffic.metrics().await.unwrap().unwrap();
        let line = "teal_proxy_requests_lost_total{app=\"shop\",environment=\"production\",color=\"green\"} 0\n";
        assert!(metrics.contains(line), "{metrics}");
    });
    assert_eq!(load.stop().failures(), 0);
    assert_eq!(
        runtime
            .block_on(world.traffic().route(&shop()))
            .unwrap()
            .active(),
        Some(Color::Green)
    );
}

#[test]
fn a_change_that_nobody_follows_is_taken_back() {
    let world = World::new();
    let mut proxy = world.proxy();
    let traffic = world.traffic();
    proxy.stop(Signal::SIGKILL);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let to_green = |route: &mut Route| route.shares = Upstreams::all_to(Color::Green);
    let error = runtime
        .block_on(traffic.apply(&shop(), to_green))
        .unwrap_err();
    assert!(matches!(error, TrafficError::Uncertain { .. }), "{error}");
    assert!(error.to_string().contains("proxy.sock"), "{error}");
    let _proxy = world.proxy();
    assert_eq!(get(world.address, HOST, "/").unwrap().body.trim(), "v1");
    assert_eq!(
        runtime.block_on(traffic.route(&shop())).unwrap().active(),
        Some(Color::Blue)
    );
}

#[test]
fn a_server_shows_its_counters_to_prometheus() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.serves("production.shop.test"), "v1");
    let shown = get(teal.listen(), "teal", "/metrics").unwrap();
    assert_eq!(shown.status, 200);
    let labels = "app=\"shop\",environment=\"production\"";
    for line in [
        format!("teal_deployments{{{labels},state=\"live\"}} 1"),
        "teal_proxy_up 1".to_owned(),
        format!("teal_proxy_requests_lost_total{{{labels},color=\"blue\"}} 0"),
    ] {
        let said = shown.body.lines().any(|said| said == line);
        assert!(said, "{line} not in\n{}", shown.body);
    }
}
