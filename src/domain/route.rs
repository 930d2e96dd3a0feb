use super::{Color, EnvId};
use serde::{Deserialize, Serialize};

/// Everything the proxy needs to serve on its own; the content of its one state file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Grows with every change; the proxy acknowledges this number.
    pub generation: u64,
    /// One entry per environment that has ever had a release, or is declared.
    pub routes: Vec<Route>,
}

impl RouteTable {
    /// The route of one environment.
    pub fn get(&self, env: &EnvId) -> Option<&Route> {
        self.routes.iter().find(|route| &route.env == env)
    }
}

/// Which color gets which share of an environment's traffic. The only thing that a switch changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Whose traffic.
    pub env: EnvId,
    /// The host names, lower-case, without port, that belong to it.
    pub domains: Vec<String>,
    /// Whether it also takes requests for host names that nobody claims.
    #[serde(default)]
    pub default: bool,
    /// Host names answered with a permanent redirect.
    #[serde(default)]
    pub redirects: Vec<Redirect>,
    /// Where each color's services listen, on 127.0.0.1.
    pub upstreams: Upstreams<Vec<u16>>,
    /// Percent of new requests per color; both zero: nothing is deployed yet.
    pub shares: Upstreams<u8>,
    /// How long a request waits for a service that does not accept connections, in milliseconds.
    pub hold_ms: u64,
    /// How long WebSockets of a color that lost its share may stay, in milliseconds.
    pub drain_websockets_ms: u64,
    /// New requests wait (for `hold_ms` at most) instead of being passed on: an exclusive service is being exchanged.
    #[serde(default)]
    pub paused: bool,
    /// New requests are answered 503 with the maintenance page.
    #[serde(default)]
    pub maintenance: bool,
}

impl Route {
    /// The color that gets all traffic; absent when nothing serves or the traffic is shared.
    pub fn active(&self) -> Option<Color> {
        Color::BOTH
            .into_iter()
            .find(|color| *self.shares.of(*color) == 100)
    }
}

/// A host name whose visitors are sent to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The name that is asked for.
    pub from: String,
    /// The name to go to.
    pub to: String,
}

/// One thing per color.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstreams<T> {
    /// Blue's.
    pub blue: T,
    /// Green's.
    pub green: T,
}

impl<T> Upstreams<T> {
    /// That color's.
    pub fn of(&self, color: Color) -> &T {
        match color {
            Color::Blue => &self.blue,
            Color::Green => &self.green,
        }
    }

    /// That color's, to change.
    pub fn of_mut(&mut self, color: Color) -> &mut T {
        match color {
            Color::Blue => &mut self.blue,
            Color::Green => &mut self.green,
        }
    }
}

impl Upstreams<u8> {
    /// All traffic to one color.
    pub fn all_to(color: Color) -> Self {
        let mut shares = Upstreams::default();
        *shares.of_mut(color) = 100;
        shares
    }
}
