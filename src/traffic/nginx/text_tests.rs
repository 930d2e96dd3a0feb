use super::*;
use crate::domain::Upstreams;

fn settings() -> config::Nginx {
    config::Nginx {
        conf_dir: "/etc/nginx/teal".into(),
        command: vec!["nginx".to_owned()],
        listen: vec!["0.0.0.0:80".parse().unwrap(), "[::]:80".parse().unwrap()],
        verify: "127.0.0.1:9001".parse().unwrap(),
    }
}

fn route() -> Route {
    Route {
        env: "shop/production".parse().unwrap(),
        domains: vec!["shop.example".to_owned(), "*.shop.example".to_owned()],
        default: false,
        redirects: vec![Redirect {
            from: "www.shop.example".to_owned(),
            to: "shop.example".to_owned(),
        }],
        upstreams: Upstreams {
            blue: vec![3001],
            green: vec![3002, 3003],
        },
        shares: Upstreams::all_to(Color::Green),
        hold_ms: 10_000,
        drain_websockets_ms: 60_000,
        paused: false,
        maintenance: false,
    }
}

fn file(route: &Route) -> String {
    environment(&settings(), route, 7).unwrap()
}

#[test]
fn only_the_color_with_the_share_is_in_the_upstream() {
    let text = file(&route());
    assert!(
        text.contains("server 127.0.0.1:3002 weight=1 max_fails=0;"),
        "{text}"
    );
    assert!(
        text.contains("server 127.0.0.1:3003 weight=1 max_fails=0;"),
        "{text}"
    );
    assert!(!text.contains("3001"), "{text}");
    assert_eq!(upstreams(&route()), ["127.0.0.1:3002", "127.0.0.1:3003"]);
}

#[test]
fn shares_are_divided_among_the_processes_of_a_color() {
    let shared = Route {
        shares: Upstreams {
            blue: 90,
            green: 10,
        },
        ..route()
    };
    assert_eq!(weighted(&shared), [(3001, 180), (3002, 10), (3003, 10)]);
}

#[test]
fn without_a_release_and_in_maintenance_visitors_get_503() {
    let nothing = Route {
        shares: Upstreams::default(),
        ..route()
    };
    let text = file(&nothing);
    assert!(text.contains("return 503 \"Nothing is deployed"), "{text}");
    assert!(!text.contains("upstream teal_"), "{text}");

    let closed = Route {
        maintenance: true,
        ..route()
    };
    let text = file(&closed);
    assert!(text.contains("return 503 \"Under maintenance"), "{text}");
    // A release can be deployed meanwhile, and is seen on the loopback.
    assert_eq!(text.matches("proxy_pass").count(), 1, "{text}");
}

#[test]
fn names_that_differ_stay_different() {
    let variable = |env: &str| {
        let named = Route {
            env: env.parse().unwrap(),
            ..route()
        };
        let names = Names::of(&named).unwrap();
        (names.connection, names.upstream)
    };
    let (one, other) = (variable("a-b/c"), variable("a/b-c"));
    assert_ne!(one.0, other.0);
    assert_ne!(one.1, other.1);
}

#[test]
fn a_value_that_is_not_one_word_is_refused() {
    for hostile in [
        "a;b", "a b", "a}b", "a\"b", "a'b", "a\nb", "$host", "a{", "", "#", "~.*",
    ] {
        let domain = Route {
            domains: vec![hostile.to_owned()],
            ..route()
        };
        let redirect = Route {
            redirects: vec![Redirect {
                from: "www.shop.example".to_owned(),
                to: hostile.to_owned(),
            }],
            ..route()
        };
        for route in [domain, redirect] {
            let error = environment(&settings(), &route, 7).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
