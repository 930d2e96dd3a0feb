//! Where requests go, and what a change of that costs.
//!
//! The routes of all environments are one table in one file. A change writes the file first, whole and durable, and then
//! has the one who moves the traffic (Teal's own proxy, or an nginx) follow it; when that fails, the old routes are put
//! back and the error says so. Changes take turns, and one that has begun is carried through even if nobody waits for
//! it any more.

mod control;
mod embedded;
mod error;
mod histogram;
mod measure;
mod nginx;
mod receipt;
mod routes;

pub use control::{Command, Identity, Reply, THIS_PROGRAM, ask, build_of, line, read};
pub use embedded::Embedded;
pub use error::TrafficError;
pub use histogram::{BUCKETS, Histogram, bucket};
pub use measure::{ColorMeasure, Measure, Switch};
pub use nginx::{Nginx, NginxError};
pub use receipt::receipt;

use crate::config;
use crate::domain::{Color, EnvId, Route};
use routes::Routes;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the routes are kept, inside the state folder.
pub const STATE_FILE: &str = "proxy.json";

/// The traffic of all environments.
#[derive(Clone)]
pub struct Traffic(Arc<Inner>);

struct Inner {
    routes: Routes,
    mover: Mover,
}

/// Who moves the traffic.
enum Mover {
    Embedded(Embedded),
    Nginx(Nginx),
}

impl Traffic {
    /// The traffic as the configuration wants it moved, with the routes as they were left.
    pub fn open(server: &config::Server) -> Result<Traffic, TrafficError> {
        let file = server.state_dir.join(STATE_FILE);
        let mover = match &server.proxy {
            config::Proxy::Embedded(settings) => {
                let program = PathBuf::from(THIS_PROGRAM);
                Mover::Embedded(Embedded::new(program, settings, &server.state_dir))
            }
            config::Proxy::Nginx(settings) => {
                Mover::Nginx(Nginx::new(settings.clone(), file.clone()))
            }
        };
        let routes = Routes::open(file)?;
        Ok(Traffic(Arc::new(Inner { routes, mover })))
    }

    /// Writes the routes down where nothing is known of any yet. Who moves the traffic begins with them.
    pub async fn begin_with(&self, routes: Vec<Route>) -> Result<(), TrafficError> {
        let inner = self.0.clone();
        carried_through(async move { inner.routes.begin_with(routes).await }).await
    }

    /// An environment that gets requests, if any does.
    pub async fn served(&self) -> Option<EnvId> {
        self.0.routes.served().await
    }

    /// Sees to it that somebody moves the traffic: starts the proxy, or replaces one of another build without refusing
    /// a connection.
    pub async fn ensure_running(&self) -> Result<(), TrafficError> {
        let inner = self.0.clone();
        carried_through(async move {
            let _turn = inner.routes.turn().await;
            match &inner.mover {
                Mover::Embedded(proxy) => proxy.ensure_running().await,
                Mover::Nginx(nginx) => Ok(nginx.ensure_running().await?),
            }
        })
        .await
    }

    /// Waits until the proxy is gone; under nginx, which is somebody else's, for ever.
    pub async fn gone(&self) {
        match &self.0.mover {
            Mover::Embedded(proxy) => proxy.gone().await,
            Mover::Nginx(_) => std::future::pending().await,
        }
    }

    /// Makes these routes known, as the configuration declares them. What only deployments change stays as it was:
    /// shares, maintenance, and the ports of a color that gets requests.
    pub async fn declare(&self, routes: Vec<Route>) -> Result<(), TrafficError> {
        let inner = self.0.clone();
        carried_through(async move { inner.routes.declare(routes, &inner.mover).await }).await
    }

    /// Changes one environment's route. When this returns, requests that begin from now on follow the new route, and
    /// it outlives a power cut.
    pub async fn apply(
        &self,
        env: &EnvId,
        change: impl FnOnce(&mut Route) + Send + 'static,
    ) -> Result<Route, TrafficError> {
        let (inner, env) = (self.0.clone(), env.clone());
        carried_through(async move { inner.routes.apply(&env, change, &inner.mover).await }).await
    }

    /// The environment's route, if it is known.
    pub async fn route(&self, env: &EnvId) -> Option<Route> {
        self.0.routes.get(env).await
    }

    /// The environment's counters; nothing under nginx, which has none.
    pub async fn measure(&self, env: &EnvId) -> Result<Option<Measure>, TrafficError> {
        match &self.0.mover {
            Mover::Embedded(proxy) => proxy.measure(env).await,
            Mover::Nginx(_) => Ok(None),
        }
    }

    /// The requests in flight on a color; nothing under nginx.
    pub async fn in_flight(&self, env: &EnvId, color: Color) -> Result<Option<u64>, TrafficError> {
        let measure = self.measure(env).await?;
        Ok(measure.map(|measure| measure.colors.of(color).in_flight))
    }

    /// Waits until nothing is in flight on the color, upgraded connections counted in, but no longer than `within`. How
    /// much is left; nothing under nginx, which does not say.
    pub async fn drained(
        &self,
        env: &EnvId,
        color: Color,
        within: Duration,
    ) -> Result<Option<u64>, TrafficError> {
        match &self.0.mover {
            Mover::Embedded(proxy) => proxy.drained(env, color, within).await.map(Some),
            Mover::Nginx(_) => Ok(None),
        }
    }

    /// The proxy's counters in the text format of Prometheus; nothing under nginx.
    pub async fn metrics(&self) -> Result<Option<String>, TrafficError> {
        match &self.0.mover {
            Mover::Embedded(proxy) => proxy.metrics().await.map(Some),
            Mover::Nginx(_) => Ok(None),
        }
    }

    /// The addresses that the proxy accepts on; none under nginx, whose own they are.
    pub async fn listening(&self) -> Result<Vec<SocketAddr>, TrafficError> {
        match &self.0.mover {
            Mover::Embedded(proxy) => proxy.listening().await,
            Mover::Nginx(_) => Ok(Vec::new()),
        }
    }
}

/// Runs to its end even if the one who waits for it is gone.
async fn carried_through<T: Send + 'static>(
    work: impl Future<Output = Result<T, TrafficError>> + Send + 'static,
) -> Result<T, TrafficError> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => Err(TrafficError::Proxy(format!(
            "the change broke off: {error}"
        ))),
    }
}
