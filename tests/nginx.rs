//! Routes in a real nginx: changed, proven, and put back.

use crate::harness::{self, Answer, App, Connection, Daemon, Load, Plan, Sandbox, get, redact};
use nix::sys::signal::Signal;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use teal::config;
use teal::domain::{Color, EnvId, Redirect, Route, RouteTable, Upstreams};
use teal::traffic::{Nginx, NginxError};

const HOST: &str = "shop.example";

/// A running nginx, Teal's hand on it, and a blue service `v1` and a green service `v2` behind it.
struct World {
    sandbox: Sandbox,
    nginx: harness::Nginx,
    teal: Nginx,
    public: SocketAddr,
    ports: Upstreams<Vec<u16>>,
    services: Vec<Daemon>,
    generation: u64,
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn shop() -> EnvId {
    "shop/production".parse().unwrap()
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let nginx = harness::Nginx::start(&sandbox);
        let app = App::python(&sandbox, "app");
        let ports = Upstreams {
            blue: vec![sandbox.port()],
            green: vec![sandbox.port()],
        };
        let mut services = vec![app.serve(&sandbox, ports.blue[0])];
        app.version("v2");
        services.push(app.serve(&sandbox, ports.green[0]));
        let public = loopback(sandbox.port());
        let settings = config::Nginx {
            conf_dir: nginx.conf_dir(),
            command: nginx.command(),
            listen: vec![public],
            verify: loopback(sandbox.port()),
        };
        let teal = Nginx::new(settings, sandbox.join("routes.json"));
        World {
            sandbox,
            nginx,
            teal,
            public,
            ports,
            services,
            generation: 0,
        }
    }

    /// With blue serving.
    async fn serving() -> Self {
        let mut world = World::new();
        world.teal.ensure_running().await.unwrap();
        world.switch(Color::Blue).await.unwrap();
        assert_eq!(world.visit(), "v1\n");
        world
    }

    fn route(&self, color: Color) -> Route {
        Route {
            env: shop(),
            domains: vec![HOST.to_owned()],
            default: false,
            redirects: Vec::new(),
            upstreams: self.ports.clone(),
            shares: Upstreams::all_to(color),
            hold_ms: 10_000,
            drain_websockets_ms: 60_000,
            paused: false,
            maintenance: false,
        }
    }

    async fn apply(&mut self, routes: Vec<Route>) -> Result<(), NginxError> {
        self.generation += 1;
        let table = RouteTable {
            generation: self.generation,
            routes,
        };
        self.teal.apply(&table, &shop()).await
    }

    async fn switch(&mut self, color: Color) -> Result<(), NginxError> {
        let route = self.route(color);
        self.apply(vec![route]).await
    }

    fn ask(&self, host: &str, path: &str) -> Answer {
        get(self.public, host, path).unwrap()
    }

    fn visit(&self) -> String {
        self.ask(HOST, "/").body
    }

    fn file(&self) -> PathBuf {
        self.nginx.conf_dir().join("teal-shop.production.conf")
    }

    fn content(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn shown(&self, error: &NginxError) -> String {
        redact(&error.to_string(), &self.sandbox)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_counts_once_only_the_new_color_answers() {
    let mut world = World::serving().await;
    let load = Load::start(Plan::get(world.public, HOST));
    load.wait_for_more(50);
    for color in [Color::Green, Color::Blue, Color::Green] {
        world.switch(color).await.unwrap();
        let version = if color == Color::Blue { "v1\n" } else { "v2\n" };
        for _ in 0..20 {
            assert_eq!(world.visit(), version);
        }
    }
    load.wait_for_more(50);
    let seen = load.stop();
    // Connections that nginx closes while a client is just sending are the known price of a reload; an answer that is
    // not the app's is not.
    assert!(seen.refused.is_empty(), "{seen:?}");
    assert!(
        seen.answered("v1") > 0 && seen.answered("v2") > 0,
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_began_before_the_switch_ends_where_it_began() {
    let mut world = World::serving().await;
    let public = world.public;
    let (began, has_begun) = std::sync::mpsc::channel();
    let held = thread::spawn(move || {
        let mut connection = Connection::open(public).unwrap();
        let first = connection.ask("GET", HOST, "/", "").unwrap();
        began.send(()).unwrap();
        (
            first.body,
            connection.ask("GET", HOST, "/hold", "").unwrap().body,
        )
    });
    has_begun.recv().unwrap();
    let service = &world.services[0];
    harness::wait_until(harness::LONG, "the request is held", || {
        service.output().contains("holding")
    });
    world.switch(Color::Green).await.unwrap();
    assert_eq!(world.visit(), "v2\n");
    let blue = world.ports.blue[0];
    world.sandbox.write(format!("served-{blue}/go"), "");
    let (before, during) = held.join().unwrap();
    assert_eq!((before.as_str(), during.as_str()), ("v1\n", "v1\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_of_somebody_elses_stops_the_switch_in_nginxs_words() {
    let mut world = World::serving().await;
    let before = world.content();
    fs::write(world.nginx.foreign(), "keepalive_timeou 5s;\n").unwrap();
    let error = world.switch(Color::Green).await.unwrap_err();
    let shown = world.shown(&error);
    assert!(
        shown.contains("unknown directive \"keepalive_timeou\" in [SANDBOX]/nginx/foreign.conf:1"),
        "{shown}"
    );
    assert!(shown.contains("not by this change"), "{shown}");
    assert_eq!(world.content(), before);
    assert_eq!(world.visit(), "v1\n");
    assert!(world.teal.ensure_running().await.is_err());

    fs::write(world.nginx.foreign(), "").unwrap();
    world.switch(Color::Green).await.unwrap();
    assert_eq!(world.visit(), "v2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nginx_refuses_is_put_back() {
    let mut world = World::serving().await;
    let before = world.content();
    let theirs = format!(
        "server {{ listen {} default_server; return 200 theirs; }}\n",
        world.public
    );
    fs::write(world.nginx.foreign(), theirs).unwrap();
    let route = Route {
        default: true,
        ..world.route(Color::Green)
    };
    let error = world.apply(vec![route]).await.unwrap_err();
    let shown = world.shown(&error);
    assert!(shown.contains("a duplicate default server for"), "{shown}");
    assert!(
        shown.starts_with("the route of shop/production was not changed"),
        "{shown}"
    );
    assert_eq!(world.content(), before);
    assert_eq!(world.visit(), "v1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_nginx_is_named_and_not_started() {
    let mut world = World::serving().await;
    let before = world.content();
    world.nginx.kill();
    let error = world.switch(Color::Green).await.unwrap_err();
    let shown = world.shown(&error);
    assert!(shown.contains("nginx is not running"), "{shown}");
    assert!(shown.contains("systemctl start nginx"), "{shown}");
    assert_eq!(world.content(), before);
    let error = world.teal.ensure_running().await.unwrap_err();
    assert!(matches!(error, NginxError::Dead { .. }), "{error}");

    world.nginx.run();
    assert_eq!(world.visit(), "v1\n");
    world.teal.ensure_running().await.unwrap();
    world.switch(Color::Green).await.unwrap();
    assert_eq!(world.visit(), "v2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_changes_nothing_is_noticed_and_undone() {
    let mut world = World::serving().await;
    let before = world.content();
    // A master that hangs takes the signal and does nothing, while its workers go on.
    world.nginx.signal(Signal::SIGSTOP);
    let error = world.switch(Color::Green).await.unwrap_err();
    world.nginx.signal(Signal::SIGCONT);
    let shown = world.shown(&error);
    assert!(
        shown.contains("generation 1 asks 127.0.0.1:[PORT]"),
        "{shown}"
    );
    assert_eq!(world.content(), before);
    assert_eq!(world.visit(), "v1\n");
    world.switch(Color::Green).await.unwrap();
    assert_eq!(world.visit(), "v2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_does_not_get_the_traffic() {
    let mut world = World::serving().await;
    world.services[1].stop(Signal::SIGKILL);
    let error = world.switch(Color::Green).await.unwrap_err();
    let shown = world.shown(&error);
    assert!(shown.contains("which did not answer"), "{shown}");
    harness::wait_until(harness::LONG, "blue serves", || world.visit() == "v1\n");

    // With blue gone as well there is nothing better to keep.
    world.services[0].stop(Signal::SIGKILL);
    world.switch(Color::Green).await.unwrap();
    let down = world.ask(HOST, "/");
    assert_eq!((down.status, down.header("retry-after")), (503, Some("1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_reloads_meanwhile_does_no_harm() {
    let mut world = World::serving().await;
    for color in [Color::Green, Color::Blue] {
        for _ in 0..3 {
            world.nginx.reload();
        }
        let person = world.nginx.command();
        let reloading = thread::spawn(move || {
            for _ in 0..5 {
                let mut command = std::process::Command::new(&person[0]);
                let done = command.args(&person[1..]).args(["-s", "reload"]).output();
                assert!(done.unwrap().status.success());
            }
        });
        world.switch(color).await.unwrap();
        reloading.join().unwrap();
    }
    assert_eq!(world.visit(), "v1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_nginx_that_does_not_read_teals_files_is_told_the_line_to_add() {
    let world = World::new();
    let main = fs::read_to_string(world.nginx.main_file()).unwrap();
    let without = main.replace("include conf.d/teal-*.conf;", "");
    fs::write(world.nginx.main_file(), without).unwrap();
    let error = world.teal.ensure_running().await.unwrap_err();
    let shown = world.shown(&error);
    assert!(
        shown.contains("include [SANDBOX]/nginx/conf.d/teal-*.conf;"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_tells_what_is_wrong_apart_and_changes_nothing() {
    let mut world = World::new();
    let seen = async |world: &World| world.teal.look().await.unwrap_err();
    let error = seen(&world).await;
    assert!(matches!(error, NginxError::NotWritten { .. }), "{error}");
    assert_eq!(fs::read_dir(world.nginx.conf_dir()).unwrap().count(), 0);

    world.teal.ensure_running().await.unwrap();
    world.teal.look().await.unwrap();
    let main = fs::read_to_string(world.nginx.main_file()).unwrap();
    let without = main.replace("include conf.d/teal-*.conf;", "");
    fs::write(world.nginx.main_file(), without).unwrap();
    let error = seen(&world).await;
    assert!(matches!(error, NginxError::NotIncluded { .. }), "{error}");

    world.nginx.kill();
    let error = seen(&world).await;
    assert!(matches!(error, NginxError::Dead { .. }), "{error}");
    world.nginx.run();
    fs::write(world.nginx.main_file(), main).unwrap();
    let error = seen(&world).await;
    assert!(matches!(error, NginxError::NotLoaded { .. }), "{error}");

    fs::write(world.nginx.foreign(), "bogus;").unwrap();
    let error = seen(&world).await;
    assert!(matches!(error, NginxError::Broken { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_are_told_apart_by_host_name() {
    let mut world = World::serving().await;
    let route = Route {
        redirects: vec![Redirect {
            from: "www.shop.example".to_owned(),
            to: HOST.to_owned(),
        }],
        ..world.route(Color::Green)
    };
    world.apply(vec![route.clone()]).await.unwrap();
    let redirected = world.ask("www.shop.example", "/a?b=c");
    assert_eq!(redirected.status, 308);
    let target = Some("http://shop.example/a?b=c");
    assert_eq!(redirected.header("location"), target);
    let stranger = world.ask("stranger.example", "/");
    assert_eq!(stranger.status, 404);
    assert!(
        stranger.body.contains("No app on this server"),
        "{stranger:?}"
    );

    let closed = Route {
        maintenance: true,
        ..route.clone()
    };
    world.apply(vec![closed]).await.unwrap();
    assert_eq!(world.ask(HOST, "/").status, 503);

    let empty = Route {
        shares: Upstreams::default(),
        ..route
    };
    world.apply(vec![empty]).await.unwrap();
    let nothing = world.ask(HOST, "/");
    assert_eq!(nothing.status, 503);
    assert!(nothing.body.contains("Nothing is deployed"), "{nothing:?}");

    world.apply(Vec::new()).await.unwrap();
    assert!(!world.file().exists());
    assert_eq!(world.ask(HOST, "/").status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_learn_who_asks_from_nginx_and_not_from_the_visitor() {
    let world = World::serving().await;
    let answer = world.ask(
        &format!("{HOST}\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6"),
        "/headers",
    );
    assert!(!answer.body.contains("6.6.6.6"), "{}", answer.body);
    assert!(
        answer.body.contains("\"X-Forwarded-For\", \"127.0.0.1\""),
        "{}",
        answer.body
    );
    assert!(
        answer.body.contains("\"Host\", \"shop.example\""),
        "{}",
        answer.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_change_side_by_side_without_harming_each_other() {
    let world = World::serving().await;
    let route = |env: &str, color| Route {
        env: env.parse().unwrap(),
        domains: vec![format!("{}.example", env.replace('/', "."))],
        ..world.route(color)
    };
    // The same words with the boundary elsewhere: files, upstreams and variables must not be shared.
    let (one, other) = (route("a-b/c", Color::Blue), route("a/b-c", Color::Green));
    let table = RouteTable {
        generation: 9,
        routes: vec![world.route(Color::Blue), one.clone(), other.clone()],
    };
    let both = tokio::join!(
        world.teal.apply(&table, &one.env),
        world.teal.apply(&table, &other.env)
    );
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(world.ask("a-b.c.example", "/").body, "v1\n");
    assert_eq!(world.ask("a.b-c.example", "/").body, "v2\n");
    assert_eq!(world.visit(), "v1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_named_and_the_old_route_stays() {
    let mut world = World::serving().await;
    let before = world.content();
    // Stands where the new content is prepared.
    let temporary = world
        .nginx
        .conf_dir()
        .join(".teal-shop.production.conf.new");
    fs::create_dir(&temporary).unwrap();
    let error = world.switch(Color::Green).await.unwrap_err();
    let shown = world.shown(&error);
    assert!(
        shown.contains("cannot write [SANDBOX]/nginx/conf.d/teal-shop.production.conf"),
        "{shown}"
    );
    assert!(
        shown.starts_with("the route of shop/production was not changed"),
        "{shown}"
    );
    assert_eq!(world.content(), before);
    assert_eq!(world.visit(), "v1\n");
}
