//! The connections that are open at a time, and who goes when there are too many: first whoever has been there longest
//! without ever asking anything, then whoever asks nothing now, then whoever is slow to send what it asks with. Nobody
//! whose request is being answered ever goes.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Connections that were told to leave and have not yet: so many more may be open for a moment.
const LEAVING: usize = 16;
/// How often those who have asked are looked over when nobody leaves by himself.
const LOOK: Duration = Duration::from_millis(50);
/// So many of them are looked at for one newcomer, so that a full house costs a newcomer little.
const LOOKED_AT: usize = 256;

/// What a chair's state is made of: its open requests, those of them whose bodies have not come yet, and whether it has to
/// go. They are one number, so that nobody is sent away by what was true a moment ago.
const OPEN: u64 = 1;
const SENDING: u64 = 1 << 31;
const GONE: u64 = 1 << 62;

/// The room there is for connections, and who sits in it.
pub struct Seats<K> {
    /// In all.
    most: usize,
    /// For one peer.
    per_peer: usize,
    taken: Arc<Taken<K>>,
}

struct Taken<K> {
    house: Mutex<House<K>>,
    freed: Notify,
}

/// Who sits where. The keys rise, so that who comes first in a map has been there longest.
struct House<K> {
    next: u64,
    /// Open connections, with those that have to go and have not yet.
    open: usize,
    /// Those that stay.
    staying: usize,
    by: HashMap<K, usize>,
    /// Those that have not been seen to ask anything.
    new: BTreeMap<u64, Guest<K>>,
    /// Those that have asked.
    known: BTreeMap<u64, Guest<K>>,
}

type Guest<K> = (K, Arc<Chair>);

/// What one connection is doing.
#[derive(Debug)]
struct Chair {
    key: AtomicU64,
    state: AtomicU64,
    /// Whether it ever asked.
    asked: AtomicBool,
    /// Whether it has asked since it was last looked at.
    lately: AtomicBool,
    leave: Notify,
}

/// One connection's seat; free again when it is dropped.
pub struct Seat<K: Eq + Hash + Clone> {
    peer: K,
    chair: Arc<Chair>,
    taken: Arc<Taken<K>>,
}

/// A request with a complete head: its connection stays until it is dropped.
#[derive(Debug)]
pub struct Asking(Arc<Chair>);

/// A request's body on its way: until it is dropped, its connection may still have to go.
pub struct Sending(Arc<Chair>);

impl<K: Eq + Hash + Clone> Seats<K> {
    /// Room for so many connections in all, and so many of one peer.
    pub fn new(most: usize, per_peer: usize) -> Seats<K> {
        let house = House {
            next: 0,
            open: 0,
            staying: 0,
            by: HashMap::new(),
            new: BTreeMap::new(),
            known: BTreeMap::new(),
        };
        Seats {
            most: most.max(1),
            per_peer: per_peer.max(1),
            taken: Arc::new(Taken {
                house: Mutex::new(house),
                freed: Notify::new(),
            }),
        }
    }

    /// A seat for one more connection of this peer. When all are taken, somebody has to go who is in no request; nothing
    /// when there is nobody.
    pub async fn take(&self, peer: K) -> Option<Seat<K>> {
        while !self.make_room(&peer)? {
            // Those who were told to leave do so within moments; a wake that is missed costs a look.
            let _ = tokio::time::timeout(LOOK, self.taken.freed.notified()).await;
        }
        Some(self.squeeze(peer))
    }

    /// A seat, whether or not there is room.
    pub fn squeeze(&self, peer: K) -> Seat<K> {
        let chair = Arc::new(Chair {
            key: AtomicU64::new(0),
            state: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            lately: AtomicBool::new(false),
            leave: Notify::new(),
        });
        let mut house = self.taken.lock();
        house.open += 1;
        house.staying += 1;
        *house.by.entry(peer.clone()).or_default() += 1;
        let key = house.key();
        chair.key.store(key, Relaxed);
        house.new.insert(key, (peer.clone(), chair.clone()));
        Seat {
            peer,
            chair,
            taken: self.taken.clone(),
        }
    }

    /// Whether there is room now, after somebody was told to leave where that was necessary; nothing when nobody can be.
    fn make_room(&self, peer: &K) -> Option<bool> {
        let mut house = self.taken.lock();
        if house.by.get(peer).is_some_and(|own| *own >= self.per_peer) {
            house.send_away(Some(peer)).then_some(())?;
        }
        if house.staying >= self.most {
            house.send_away(None).then_some(())?;
        }
        Some(house.open < self.most.saturating_add(LEAVING))
    }
}

impl<K> Taken<K> {
    fn lock(&self) -> MutexGuard<'_, House<K>> {
        self.house.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> House<K> {
    fn key(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Tells somebody to leave, somebody of this peer's if one is named. False when nobody can be told.
    fn send_away(&mut self, of: Option<&K>) -> bool {
        let leaving = self
            .newcomer(of)
            .or_else(|| self.known_one(of, Chair::dismiss_idle))
            .or_else(|| self.known_one(of, Chair::dismiss_sending));
        let Some((peer, chair)) = leaving else {
            return false;
        };
        self.forget(&peer, chair.key.load(Relaxed));
        chair.leave.notify_one();
        true
    }

    /// Who has been here longest without ever asking. Those who have asked meanwhile become known.
    fn newcomer(&mut self, of: Option<&K>) -> Option<Guest<K>> {
        let mut asked = Vec::new();
        let found = self.new.iter().find(|(key, (peer, chair))| {
            if chair.asked.load(Relaxed) {
                asked.push(**key);
                return false;
            }
            of.is_none_or(|of| of == peer) && chair.dismiss_idle()
        });
        let found = found.map(|(_, guest)| guest.clone());
        for key in asked {
            if let Some(guest) = self.new.remove(&key) {
                self.seat_last(guest);
            }
        }
        found
    }

    /// The first of those who have asked that `dismiss` succeeds with; who asked lately is passed over once.
    fn known_one(&mut self, of: Option<&K>, dismiss: impl Fn(&Chair) -> bool) -> Option<Guest<K>> {
        for _ in 0..self.known.len().min(LOOKED_AT) * 2 {
            let (_, guest) = self.known.pop_first()?;
            let (peer, chair) = &guest;
            let lately = chair.lately.swap(false, Relaxed);
            let goes = of.is_none_or(|of| of == peer) && !lately && dismiss(chair);
            if goes {
                return Some(guest);
            }
            self.seat_last(guest);
        }
        None
    }

    fn seat_last(&mut self, guest: Guest<K>) {
        let key = self.key();
        guest.1.key.store(key, Relaxed);
        self.known.insert(key, guest);
    }

    fn forget(&mut self, peer: &K, key: u64) {
        self.new.remove(&key);
        self.known.remove(&key);
        self.staying = self.staying.saturating_sub(1);
        if let Some(own) = self.by.get_mut(peer) {
            *own -= 1;
            if *own == 0 {
                self.by.remove(peer);
            }
        }
    }
}

impl Chair {
    /// Decides that it goes, unless a request is open; from then on none can begin.
    fn dismiss_idle(&self) -> bool {
        let idle = self.state.compare_exchange(0, GONE, AcqRel, Relaxed);
        idle.is_ok()
    }

    /// Decides that it goes, if all its open requests are still on their way here.
    fn dismiss_sending(&self) -> bool {
        let state = self.state.load(Acquire);
        let is_sending = state < GONE && state % SENDING == state / SENDING;
        let gone = || {
            self.state
                .compare_exchange(state, state | GONE, AcqRel, Relaxed)
        };
        is_sending && gone().is_ok()
    }

    fn is_gone(&self) -> bool {
        self.state.load(Acquire) >= GONE
    }
}

impl<K: Eq + Hash + Clone> Seat<K> {
    /// A request with a complete head begins; nothing when the connection has to go.
    pub fn ask(&self) -> Option<Asking> {
        if self.chair.state.fetch_add(OPEN, AcqRel) >= GONE {
            return None;
        }
        self.chair.asked.store(true, Relaxed);
        self.chair.lately.store(true, Relaxed);
        Some(Asking(self.chair.clone()))
    }

    /// Ends when the connection has to go.
    pub async fn told_to_leave(&self) {
        self.chair.leave.notified().await;
    }
}

impl Asking {
    /// Its body is on its way.
    pub fn sending(&self) -> Sending {
        self.0.state.fetch_add(SENDING, AcqRel);
        Sending(self.0.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.state.fetch_sub(OPEN, AcqRel);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.state.fetch_sub(SENDING, AcqRel);
    }
}

impl<K: Eq + Hash + Clone> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut house = self.taken.lock();
        house.open = house.open.saturating_sub(1);
        if !self.chair.is_gone() {
            let key = self.chair.key.load(Relaxed);
            house.forget(&self.peer, key);
        }
        drop(house);
        self.taken.freed.notify_one();
    }
}

impl<K: Eq + Hash + Clone> std::fmt::Debug for Seat<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Seat").field(&self.chair).finish()
    }
}

#[cfg(test)]
mod tests;
