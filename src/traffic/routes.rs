//! The route table and its file: every change is written before it is followed, and taken back when it is not.

use super::{Mover, TrafficError};
use crate::domain::{Color, EnvId, Route, RouteTable};
use crate::system::files::{self, AtPath};
use std::path::PathBuf;
use tokio::sync::{Mutex, MutexGuard};

/// The routes of all environments.
pub(super) struct Routes {
    file: PathBuf,
    table: Mutex<RouteTable>,
}

impl Routes {
    /// The routes as the file has them; none when there is no file yet. One that cannot be read is set aside: the journal
    /// knows what serves, so nothing hangs on it.
    pub(super) fn open(file: PathBuf) -> Result<Routes, TrafficError> {
        let text = files::read_if_there(&file)?.unwrap_or_default();
        let table = match serde_json::from_str(&text) {
            Ok(table) => table,
            Err(_) if text.is_empty() => RouteTable::default(),
            Err(error) => {
                let aside = file.with_extension("unreadable");
                std::fs::rename(&file, &aside).at("set aside", &file)?;
                tracing::error!(file = %file.display(), %error, aside = %aside.display(), "the routes cannot be read; they are made anew from what is committed, without maintenance");
                RouteTable::default()
            }
        };
        Ok(Routes {
            file,
            table: Mutex::new(table),
        })
    }

    /// Keeps the routes from changing while it is held.
    pub(super) async fn turn(&self) -> MutexGuard<'_, RouteTable> {
        self.table.lock().await
    }

    /// Writes the declared routes down where there are none yet, before anybody follows them.
    pub(super) async fn begin_with(&self, declared: Vec<Route>) -> Result<(), TrafficError> {
        let mut table = self.table.lock().await;
        if table.routes.is_empty() {
            let mut next = declared_over(&table, declared);
            next.generation += 1;
            self.write(&next).await?;
            *table = next;
        }
        Ok(())
    }

    /// The environment that gets requests, if any does.
    pub(super) async fn served(&self) -> Option<EnvId> {
        let table = self.table.lock().await;
        let served = |route: &&Route| Color::BOTH.iter().any(|color| *route.shares.of(*color) > 0);
        table
            .routes
            .iter()
            .find(served)
            .map(|route| route.env.clone())
    }

    pub(super) async fn get(&self, env: &EnvId) -> Option<Route> {
        self.table.lock().await.get(env).cloned()
    }

    pub(super) async fn apply(
        &self,
        env: &EnvId,
        change: impl FnOnce(&mut Route),
        mover: &Mover,
    ) -> Result<Route, TrafficError> {
        let mut table = self.table.lock().await;
        let mut next = table.clone();
        let unknown = || TrafficError::Unknown(env.clone());
        let route = next.routes.iter_mut().find(|route| route.env == *env);
        let route = route.ok_or_else(unknown)?;
        change(route);
        let route = route.clone();
        self.put(&mut table, next, std::slice::from_ref(env), mover)
            .await?;
        Ok(route)
    }

    pub(super) async fn declare(
        &self,
        declared: Vec<Route>,
        mover: &Mover,
    ) -> Result<(), TrafficError> {
        let mut table = self.table.lock().await;
        let next = declared_over(&table, declared);
        if next.routes == table.routes {
            return Ok(());
        }
        let before = |route: &&Route| table.get(&route.env) != Some(*route);
        let changed: Vec<EnvId> = next
            .routes
            .iter()
            .filter(before)
            .map(|route| route.env.clone())
            .collect();
        self.put(&mut table, next, &changed, mover).await
    }

    async fn put(
        &self,
        table: &mut RouteTable,
        mut next: RouteTable,
        changed: &[EnvId],
        mover: &Mover,
    ) -> Result<(), TrafficError> {
        next.generation = table.generation + 1;
        self.write(&next).await?;
        let Err(cause) = mover.follow(&next, changed).await else {
            *table = next;
            return Ok(());
        };
        // The proxy may have followed and only failed to say so: what is put back has a number of its own.
        table.generation = next.generation + 1;
        let back = match self.write(table).await {
            Ok(()) => mover.follow(table, changed).await,
            failed => failed,
        };
        let cause = Box::new(cause);
        Err(match back {
            Ok(()) => TrafficError::PutBack { cause },
            Err(again) => TrafficError::Uncertain {
                cause,
                again: Box::new(again),
            },
        })
    }

    async fn write(&self, table: &RouteTable) -> Result<(), TrafficError> {
        let content = serde_json::to_vec_pretty(table).map_err(|source| TrafficError::Table {
            path: self.file.clone(),
            source,
        })?;
        let file = self.file.clone();
        let written =
            tokio::task::spawn_blocking(move || files::write_atomic(&file, &content, 0o600));
        match written.await {
            Ok(written) => Ok(written?),
            Err(error) => Err(TrafficError::Proxy(format!("writing broke off: {error}"))),
        }
    }
}

impl Mover {
    async fn follow(&self, table: &RouteTable, changed: &[EnvId]) -> Result<(), TrafficError> {
        match self {
            Mover::Embedded(proxy) => proxy.reload(table.generation).await,
            Mover::Nginx(nginx) => {
                for env in changed {
                    nginx.apply(table, env).await?;
                }
                Ok(())
            }
        }
    }
}

/// The table with what is declared, and with what only deployments change as it was. An environment that is declared no
/// more keeps serving the names that nobody else claims now.
fn declared_over(table: &RouteTable, declared: Vec<Route>) -> RouteTable {
    let is_declared = |env: &EnvId| declared.iter().any(|route| route.env == *env);
    let claimed = |name: &String| declared.iter().any(|route| route.domains.contains(name));
    let defaulted = declared.iter().any(|route| route.default);
    let mut routes: Vec<Route> = Vec::new();
    for mut old in table.routes.iter().cloned() {
        if !is_declared(&old.env) {
            old.domains.retain(|name| !claimed(name));
            old.redirects.retain(|redirect| !claimed(&redirect.from));
            old.default &= !defaulted;
            routes.push(old);
        }
    }
    routes.extend(
        declared
            .iter()
            .cloned()
            .map(|route| match table.get(&route.env) {
                Some(old) => kept_over(old, route),
                None => route,
            }),
    );
    routes.sort_by(|one, other| one.env.cmp(&other.env));
    RouteTable {
        generation: table.generation,
        routes,
    }
}

fn kept_over(old: &Route, mut route: Route) -> Route {
    route.shares = old.shares;
    route.maintenance = old.maintenance;
    route.paused = old.paused;
    for color in Color::BOTH {
        // A service that runs listens where it was started, whatever the configuration says by now.
        if *old.shares.of(color) > 0 {
            *route.upstreams.of_mut(color) = old.upstreams.of(color).clone();
        }
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Upstreams;

    fn route(env: &str, domain: &str, blue: u16) -> Route {
        Route {
            env: env.parse().unwrap(),
            domains: vec![domain.to_owned()],
            default: false,
            redirects: Vec::new(),
            upstreams: Upstreams {
                blue: vec![blue],
                green: vec![blue + 1],
            },
            shares: Upstreams::default(),
            hold_ms: 0,
            drain_websockets_ms: 0,
            paused: false,
            maintenance: false,
        }
    }

    #[test]
    fn what_deployments_change_outlives_a_new_configuration() {
        let mut old = route("a/production", "old.ru", 10);
        old.shares = Upstreams::all_to(Color::Green);
        old.maintenance = true;
        let table = RouteTable {
            generation: 7,
            routes: vec![old],
        };
        let next = declared_over(&table, vec![route("a/production", "new.ru", 20)]);
        let route = &next.routes[0];
        assert_eq!(route.domains, ["new.ru"]);
        assert_eq!(route.shares, Upstreams::all_to(Color::Green));
        assert!(route.maintenance);
        assert_eq!(route.upstreams.green, [11], "serves, so it stays");
        assert_eq!(route.upstreams.blue, [20]);
        assert_eq!(next.generation, 7);
    }

    #[test]
    fn a_name_that_another_claims_is_given_away() {
        let table = RouteTable {
            generation: 1,
            routes: vec![route("gone/production", "a.ru", 10)],
        };
        let next = declared_over(&table, vec![route("a/production", "a.ru", 20)]);
        let gone = next.get(&"gone/production".parse().unwrap()).unwrap();
        assert!(gone.domains.is_empty());
        assert_eq!(next.routes.len(), 2);
    }
}
