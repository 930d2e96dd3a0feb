use super::good;
use crate::config::*;
use crate::domain::{Color, EnvId, Mode};
use insta::assert_snapshot;
use std::path::Path;
use std::time::Duration;

fn id(text: &str) -> EnvId {
    text.parse().unwrap()
}

#[test]
fn an_environment_needs_nothing_but_its_name() {
    let server = good("state_dir = '/state'\n[apps.arq.environments.production]\n");
    let env = server.environment(&id("arq/production")).unwrap();
    assert_eq!(env.refs, [RefRule::Branch("main".to_owned())]);
    assert_eq!(env.root, Path::new("/srv/arq"));
    assert_eq!((env.ports.blue, env.ports.green), (3001, 3002));
    assert_eq!(
        (env.mode, env.on_push, env.backups),
        (Mode::Fast, OnPush::Report, 5)
    );
    let seconds = [
        env.drain,
        env.drain_websockets,
        env.hold,
        env.keep_warm,
        env.observe,
        env.reconcile,
    ];
    assert_eq!(seconds.map(|d| d.as_secs()), [30, 60, 10, 600, 30, 300]);
    assert!(env.domains.is_empty() && env.redirects.is_empty());
    assert_eq!(server.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(server.public_url, "http://127.0.0.1:9000");
    assert_eq!((server.build_slots, server.ssh_host), (1, None));
    assert!(
        matches!(server.proxy, Proxy::Embedded(embedded) if embedded.listen[0].to_string() == "0.0.0.0:80")
    );
}

#[test]
fn every_key_is_read() {
    let server = good(
        r#"
        state_dir = "/state/"
        apps_dir = "/apps"
        listen = "127.0.0.1:9001"
        public_url = "https://deploy.example.com/"
        ssh_host = "Git.Example.com"
        build_slots = 3
        reconcile = "1h"
        [proxy]
        kind = "nginx"
        conf_dir = "/etc/nginx/teal"
        command = ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"]
        listen = "0.0.0.0:80"
        verify = "127.0.0.1:9078"
        [apps.arq]
        forge = "gitea"
        repo = "https://git.example.com/arq/arq.git"
        webhook_secret = { env = "HOOK" }
        token = { env = "HOOK" }
        [apps.arq.environments.production]
        branch = ["main", "release/**"]
        tag = "v*"
        ports = { blue = 4001, green = 4002 }
        domains = ["Example.com", "www.example.com"]
        redirect = { "old.example.com" = "example.com" }
        mode = "full"
        on_push = "gate"
        drain = "5s"
        drain_websockets = "6s"
        hold = "7s"
        keep_warm = "8m"
        observe = "9s"
        backups = 2
        reconcile = "0s"
        [apps.arq.environments.staging]
        branch = "develop"
        domain = "staging.example.com"
        redirect = ["test.example.com"]
        "#,
    );
    assert_eq!(server.state_dir, Path::new("/state"));
    assert_eq!(server.public_url, "https://deploy.example.com");
    assert_eq!(server.ssh_host.as_deref(), Some("git.example.com"));
    let Proxy::Nginx(nginx) = &server.proxy else {
        panic!("{:?}", server.proxy)
    };
    assert_eq!((nginx.command.len(), nginx.verify.port()), (3, 9078));
    let app = server.apps.values().next().unwrap();
    assert_eq!(app.webhook_secret.as_ref().unwrap().expose(), "s3cret");
    assert!(matches!(&app.credentials, Credentials::Token(token) if token.expose() == "s3cret"));
    let [production, staging] = &app.environments[..] else {
        panic!("{:?}", app.environments)
    };
    assert_eq!(production.refs.len(), 3);
    assert_eq!(production.domains, ["example.com", "www.example.com"]);
    assert_eq!(
        (
            production.redirects[0].from.as_str(),
            production.redirects[0].to.as_str()
        ),
        ("old.example.com", "example.com")
    );
    assert_eq!(
        (production.mode, production.on_push),
        (Mode::Full, OnPush::Gate)
    );
    assert_eq!(
        (production.reconcile, production.keep_warm),
        (Duration::ZERO, Duration::from_secs(480))
    );
    assert_eq!(staging.root, Path::new("/apps/arq-staging"));
    assert_eq!(staging.reconcile, Duration::from_secs(3600));
    assert_eq!(staging.redirects[0].to, "staging.example.com");
    assert!(!format!("{server:?}").contains("s3cret"));
}

#[test]
fn ports_are_given_in_the_order_of_the_file_around_those_that_are_named() {
    let server = good(
        "[apps.zoo.environments.production]\n[apps.arq.environments.staging]\nbranch='x'\n\
         [apps.bee.environments.production]\nports = { blue = 3004, green = 3010 }\n",
    );
    let ports = |name: &str| server.environment(&id(name)).unwrap().ports;
    assert_eq!(
        (ports("zoo/production").blue, ports("zoo/production").green),
        (3001, 3002)
    );
    assert_eq!(
        (ports("arq/staging").blue, ports("arq/staging").green),
        (3005, 3006)
    );
}

#[test]
fn several_services_of_a_color_take_the_next_ports() {
    let server = good(
        "[apps.a.environments.production]\nports = { blue = 4000, green = 4010 }\n\
         [apps.b.environments.production]\nports = { blue = 65535, green = 5002 }\n",
    );
    let a = id("a/production");
    assert_eq!(
        server.ports(&a, Color::Blue, 3).unwrap(),
        [4000, 4001, 4002]
    );
    assert_eq!(server.ports(&a, Color::Green, 1).unwrap(), [4010]);
    assert_snapshot!(server.ports(&a, Color::Blue, 11).unwrap_err(), @"11 services of a/production need the ports 4000 to 4010, but 4010 belongs to green of a/production; leave room between the ports in teal.toml");
    assert_snapshot!(server.ports(&id("b/production"), Color::Blue, 2).unwrap_err(), @"2 services of b/production do not fit above port 65535");
    assert_snapshot!(server.ports(&id("c/production"), Color::Blue, 1).unwrap_err(), @"there is no environment c/production");
}

#[test]
fn refs_map_by_name_and_by_pattern() {
    let server = good(
        "[apps.a.environments.production]\nbranch = 'main'\ntag = 'v*'\n\
         [apps.a.environments.staging]\nbranch = ['main', 'feature/*']\n\
         [apps.a.environments.every]\nbranch = 'team/**'\n",
    );
    let app = server.apps.values().next().unwrap();
    let names = |name: &str| {
        let envs = app.environments_for(name).into_iter();
        envs.map(|env| env.id.env.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (name, expected) in [
        ("refs/heads/main", "production staging"),
        ("refs/heads/Main", ""),
        ("refs/heads/mainly", ""),
        ("refs/tags/main", ""),
        ("refs/tags/v1.2", "production"),
        ("refs/tags/v1/2", ""),
        ("refs/heads/v1", ""),
        ("refs/heads/feature/x", "staging"),
        ("refs/heads/feature/x/y", ""),
        ("refs/heads/team/x/y", "every"),
        ("refs/notes/main", ""),
        ("main", ""),
        ("", ""),
    ] {
        assert_eq!(names(name), expected, "{name}");
    }
}

#[test]
fn a_server_without_a_file_says_where_it_looked() {
    let error = ConfigError::NotFound {
        looked: vec!["teal.toml".into(), "/etc/teal/teal.toml".into()],
    };
    assert_snapshot!(error, @"there is no teal.toml: looked for teal.toml, /etc/teal/teal.toml; name one with `--config`, or let `teal init` write one");
}
