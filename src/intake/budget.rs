//! How much of other people's deliveries is held in memory at a time. Nothing is known of a delivery before its last byte,
//! so each one may be 25 MB: a few slow senders must not fill the memory, nor take the room from those who are quick.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of unfinished deliveries in all.
const ALL: usize = 256 << 20;

/// Bytes of unfinished deliveries from one address: two of the longest.
const PER_PEER: usize = 64 << 20;

/// The memory for deliveries; clones share it.
#[derive(Clone, Default)]
pub struct Budget(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Budget {
    /// Nothing yet, for a delivery from this address.
    pub(super) fn share(&self, peer: IpAddr) -> Share {
        Share {
            budget: self.clone(),
            peer,
            held: 0,
        }
    }

    fn change(&self, peer: IpAddr, change: impl FnOnce(usize, usize) -> Option<usize>) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = held.values().sum();
        let own = held.get(&peer).copied().unwrap_or(0);
        match change(all, own) {
            Some(0) => {
                held.remove(&peer);
                true
            }
            Some(now) => {
                held.insert(peer, now);
                true
            }
            None => false,
        }
    }
}

/// What one delivery holds; given back when it is dropped.
pub(super) struct Share {
    budget: Budget,
    peer: IpAddr,
    held: usize,
}

impl Share {
    /// Takes so many bytes more, while there is room.
    pub fn take(&mut self, bytes: usize) -> bool {
        let there_is = self.budget.change(self.peer, |all, own| {
            let fits = all + bytes <= ALL && own + bytes <= PER_PEER;
            fits.then_some(own + bytes)
        });
        if there_is {
            self.held += bytes;
        }
        there_is
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let held = self.held;
        self.budget
            .change(self.peer, |_, own| Some(own.saturating_sub(held)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_cannot_take_the_room_of_the_others() {
        let budget = Budget::default();
        let peer = |last: u8| IpAddr::from([127, 0, 0, last]);
        let mut greedy: Vec<Share> = (0..4).map(|_| budget.share(peer(1))).collect();
        let taken = greedy
            .iter_mut()
            .filter_map(|share| share.take(25 << 20).then_some(()));
        assert_eq!(taken.count(), 2);
        let mut other = budget.share(peer(2));
        assert!(other.take(25 << 20));
        drop(greedy);
        assert!(budget.share(peer(1)).take(PER_PEER));
        let mut all: Vec<Share> = (2..9).map(|last| budget.share(peer(last))).collect();
        let taken = all
            .iter_mut()
            .filter_map(|share| share.take(40 << 20).then_some(()));
        assert_eq!(taken.count(), 5);
        drop((other, all));
        assert!(budget.0.lock().unwrap().is_empty());
    }
}
