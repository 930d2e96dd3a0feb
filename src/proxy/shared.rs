//! What all connections of the process share: the table in force, the counters, and whether the process is ending.

use super::stats::{SiteStats, Ticket};
use super::table::{Site, Table, Target};
use crate::domain::{Color, EnvId, RouteTable};
use crate::system::clock::monotonic_us;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{Ordering::SeqCst, fence};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Accepts connections.
    Serving,
    /// A successor accepts: each connection here is closed with its next answer, so that no client that is just sending
    /// finds it closed.
    Yielding,
    /// Ends: connections without a request are closed, the others after their answer.
    Finishing,
}

/// The state behind every connection.
pub struct Shared {
    table: ArcSwap<Table>,
    generation: watch::Sender<u64>,
    phase: watch::Sender<Phase>,
    stats: Mutex<HashMap<EnvId, Arc<SiteStats>>>,
}

/// What becomes of a request when it arrives, or tries again.
pub enum Admission {
    /// It goes to the ticket's color of the site.
    Enter(Arc<Site>, Ticket),
    /// It waits for another table.
    Wait(Arc<Site>),
    /// Its host name has moved.
    Redirect(Arc<str>),
    /// The environment is in maintenance.
    Maintenance,
    /// The environment has no release yet.
    NothingDeployed(EnvId),
    /// Nobody claims its host name.
    UnknownHost,
}

impl Shared {
    /// Serves by these routes.
    pub fn new(routes: RouteTable) -> Arc<Shared> {
        let shared = Shared {
            table: ArcSwap::from_pointee(Table::new(RouteTable::default(), |_| Arc::default())),
            generation: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Serving),
            stats: Mutex::default(),
        };
        shared.swap(routes);
        Arc::new(shared)
    }

    /// Puts new routes in force: requests that are admitted from now on see them. Callers take turns.
    pub fn swap(&self, routes: RouteTable) -> u64 {
        let generation = routes.generation;
        let next = Arc::new(Table::new(routes, |env| self.stats_of(env)));
        let before = self.table.load_full();
        let changed: Vec<_> = next
            .sites()
            .filter(|site| share_changed(&before, site))
            .collect();
        for site in &changed {
            let old = before.site(&site.route.env);
            let had_none = |color| old.is_none_or(|old| *old.route.shares.of(color) == 0);
            for color in Color::BOTH.into_iter().filter(|color| had_none(*color)) {
                site.stats.expect_first(color);
            }
        }
        self.table.store(next.clone());
        fence(SeqCst);
        for site in changed {
            site.stats.switched(generation, site.route.shares);
        }
        self.generation.send_replace(generation);
        generation
    }

    fn stats_of(&self, env: &EnvId) -> Arc<SiteStats> {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.entry(env.clone()).or_default().clone()
    }

    /// Decides about a request for this host. One that was on a color and could not reach it names that color, stays
    /// there while the color has a share, and is not counted as begun again.
    pub fn admit(&self, host: &str, tried: Option<Color>) -> Admission {
        loop {
            let table = self.table.load();
            let site = match table.find(host) {
                Some(Target::Site(site)) => site,
                Some(Target::Redirect(to)) => return Admission::Redirect(to),
                None => return Admission::UnknownHost,
            };
            if site.route.maintenance {
                return Admission::Maintenance;
            }
            if site.route.paused {
                return Admission::Wait(site);
            }
            let Some(color) = site.choose(tried) else {
                return Admission::NothingDeployed(site.route.env.clone());
            };
            let now = monotonic_us();
            let ticket = site.stats.enter(color);
            // Whoever swaps the table looks at the tickets afterwards. So either the ticket is seen there, or the new
            // table is seen here and the old color is left alone.
            fence(SeqCst);
            if !Arc::ptr_eq(&table, &self.table.load()) {
                continue;
            }
            if tried != Some(color) {
                ticket.begun(now);
            }
            return Admission::Enter(site, ticket);
        }
    }

    /// The table in force.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Wakes with every new table.
    pub fn tables(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Where the process is in its life.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Wakes when the process goes on to its next phase.
    pub fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Goes on to a later phase; never back.
    pub fn enter_phase(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        });
    }
}

fn share_changed(before: &Table, site: &Site) -> bool {
    match before.site(&site.route.env) {
        Some(old) => old.route.shares != site.route.shares,
        None => true,
    }
}
