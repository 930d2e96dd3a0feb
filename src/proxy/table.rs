//! The route table in the form that requests are looked up in.

use super::stats::SiteStats;
use crate::domain::{Color, EnvId, Route, RouteTable};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// One generation of the routes. Never changed: a new one takes its place.
pub struct Table {
    /// Its number.
    pub generation: u64,
    sites: HashMap<EnvId, Arc<Site>>,
    hosts: HashMap<String, Target>,
    default: Option<Arc<Site>>,
}

/// One environment as one generation sees it.
pub struct Site {
    /// Where its traffic goes.
    pub route: Route,
    /// Its counters, shared by all generations.
    pub stats: Arc<SiteStats>,
}

/// What a host name leads to.
#[derive(Clone)]
pub enum Target {
    /// An environment.
    Site(Arc<Site>),
    /// Another host name.
    Redirect(Arc<str>),
}

impl Table {
    /// The table for these routes; `stats` finds or makes an environment's counters.
    pub fn new(routes: RouteTable, mut stats: impl FnMut(&EnvId) -> Arc<SiteStats>) -> Table {
        let mut table = Table {
            generation: routes.generation,
            sites: HashMap::new(),
            hosts: HashMap::new(),
            default: None,
        };
        for route in routes.routes {
            let stats = stats(&route.env);
            table.add(Arc::new(Site { route, stats }));
        }
        table
    }

    fn add(&mut self, site: Arc<Site>) {
        let EnvId { app, env } = &site.route.env;
        let local = format!("{env}.{app}.localhost");
        for name in site.route.domains.iter().chain([&local]) {
            let name = name.to_ascii_lowercase();
            self.hosts.insert(name, Target::Site(site.clone()));
        }
        for redirect in &site.route.redirects {
            let target = Target::Redirect(redirect.to.as_str().into());
            self.hosts
                .insert(redirect.from.to_ascii_lowercase(), target);
        }
        if site.route.default {
            self.default = Some(site.clone());
        }
        self.sites.insert(site.route.env.clone(), site);
    }

    /// What the host name (with or without port, in any case) leads to.
    pub fn find(&self, host: &str) -> Option<Target> {
        let name = without_port(host);
        let found = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            false => self.hosts.get(name),
            true => self.hosts.get(&name.to_ascii_lowercase()),
        };
        let default = || self.default.clone().map(Target::Site);
        found.cloned().or_else(default)
    }

    /// The environment's entry.
    pub fn site(&self, env: &EnvId) -> Option<&Arc<Site>> {
        self.sites.get(env)
    }

    /// Every environment's entry.
    pub fn sites(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.sites.values()
    }
}

impl Site {
    /// The color of a new request: `preferred` if it has a share, else by the shares; none when nothing is deployed.
    pub fn choose(&self, preferred: Option<Color>) -> Option<Color> {
        let shares = &self.route.shares;
        let (blue, green) = (u64::from(shares.blue), u64::from(shares.green));
        match (blue, green) {
            (0, 0) => None,
            (_, 0) => Some(Color::Blue),
            (0, _) => Some(Color::Green),
            _ if preferred.is_some() => preferred,
            _ => {
                // 61 has no factor in common with 100: every hundred turns meet every number once, well mixed.
                let drawn = self.stats.turn.fetch_add(1, Relaxed).wrapping_mul(61) % 100;
                let is_blue = drawn * (blue + green) < blue * 100;
                Some(if is_blue { Color::Blue } else { Color::Green })
            }
        }
    }

    /// The ports of a color's services, beginning with the one whose turn it is.
    pub fn ports(&self, color: Color) -> impl Iterator<Item = u16> {
        let ports = self.route.upstreams.of(color);
        let first = match ports.len() {
            0 | 1 => 0,
            many => self.stats.turn.fetch_add(1, Relaxed) as usize % many,
        };
        ports.iter().cycle().skip(first).take(ports.len()).copied()
    }
}

/// The name in `name:port`, and the address in `[address]:port`. A trailing dot means the same host.
pub fn without_port(host: &str) -> &str {
    let name = match host.strip_prefix('[') {
        Some(literal) => literal.split_once(']').map_or(host, |(address, _)| address),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Redirect, Upstreams};

    fn route(env: &str, domain: &str) -> Route {
        Route {
            env: env.parse().unwrap(),
            domains: vec![domain.to_owned()],
            default: false,
            redirects: vec![Redirect {
                from: format!("www.{domain}"),
                to: domain.to_owned(),
            }],
            upstreams: Upstreams {
                blue: vec![1, 2, 3],
                green: vec![4],
            },
            shares: Upstreams::all_to(Color::Blue),
            hold_ms: 0,
            drain_websockets_ms: 0,
            paused: false,
            maintenance: false,
        }
    }

    fn table(routes: Vec<Route>) -> Table {
        let routes = RouteTable {
            generation: 1,
            routes,
        };
        Table::new(routes, |_| Arc::default())
    }

    fn found(table: &Table, host: &str) -> String {
        match table.find(host) {
            None => "nothing".to_owned(),
            Some(Target::Redirect(to)) => format!("to {to}"),
            Some(Target::Site(site)) => site.route.env.to_string(),
        }
    }

    #[test]
    fn a_host_is_found_in_any_case_and_with_any_port() {
        let table = table(vec![
            route("arq/production", "arq-ai.ru"),
            route("six/staging", "::1"),
        ]);
        for (host, expected) in [
            ("arq-ai.ru", "arq/production"),
            ("ARQ-ai.RU:8080", "arq/production"),
            ("arq-ai.ru.", "arq/production"),
            ("www.arq-ai.ru", "to arq-ai.ru"),
            ("production.arq.localhost:80", "arq/production"),
            ("staging.six.localhost", "six/staging"),
            ("[::1]:8080", "six/staging"),
            ("[::1]", "six/staging"),
            ("other.ru", "nothing"),
            ("", "nothing"),
            ("[", "nothing"),
        ] {
            assert_eq!(found(&table, host), expected, "{host}");
        }
    }

    #[test]
    fn the_default_takes_what_nobody_claims() {
        let mut default = route("arq/production", "arq-ai.ru");
        default.default = true;
        let table = table(vec![default, route("b/staging", "b.ru")]);
        assert_eq!(found(&table, "other.ru"), "arq/production");
        assert_eq!(found(&table, "b.ru"), "b/staging");
    }

    #[test]
    fn shares_are_kept_exactly_over_a_hundred_requests() {
        let mut canary = route("a/production", "a.ru");
        canary.shares = Upstreams {
            blue: 90,
            green: 10,
        };
        let site = Site {
            route: canary,
            stats: Arc::default(),
        };
        let greens = (0..100).filter(|_| site.choose(None) == Some(Color::Green));
        assert_eq!(greens.count(), 10);
        assert_eq!(site.choose(Some(Color::Green)), Some(Color::Green));
    }

    #[test]
    fn ports_take_turns_and_each_is_tried_once() {
        let site = Site {
            route: route("a/production", "a.ru"),
            stats: Arc::default(),
        };
        let mut turns: Vec<Vec<u16>> = (0..3).map(|_| site.ports(Color::Blue).collect()).collect();
        turns.sort();
        assert_eq!(turns, [[1, 2, 3], [2, 3, 1], [3, 1, 2]]);
        assert_eq!(site.ports(Color::Green).collect::<Vec<_>>(), [4]);
    }
}
