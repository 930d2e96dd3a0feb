//! Listings made of other ones: with a part replaced, or without some files.

use super::listing::Listing;
use super::node::{Kind, Node, Stamp};

impl Listing {
    /// This listing without some of its files.
    pub(super) fn without(&self, gone: &[usize]) -> Listing {
        let mut left = Listing::beside(self);
        let mut open: Vec<(usize, usize)> = Vec::new();
        for at in 0..self.nodes.len() {
            while let Some((end, place)) = open.last().copied()
                && end <= at
            {
                left.close(place);
                open.pop();
            }
            if gone.binary_search(&at).is_err() {
                let place = left.push(self.nodes[at], self.path(at));
                if self.nodes[at].kind == Kind::Folder {
                    open.push((self.range(at).end, place));
                }
            }
        }
        for (_, place) in open.into_iter().rev() {
            left.close(place);
        }
        left
    }

    /// This listing with a part of it replaced, or left out.
    pub(in crate::release) fn with(&self, path: &[u8], part: Option<&Listing>) -> Listing {
        let mut grafted = Listing::beside(self);
        let mut part = part.cloned();
        if let Some(part) = &mut part {
            let numbers: Vec<u32> = part
                .holders
                .iter()
                .map(|name| grafted.holder_number(name))
                .collect();
            for node in &mut part.nodes {
                node.holder = numbers.get(node.holder as usize).copied().unwrap_or(0);
            }
        }
        let top = (!self.nodes.is_empty()).then_some(0);
        graft(&mut grafted, self, top, 0, path, part.as_ref());
        grafted.drop_idle_holders();
        grafted
    }
}

/// Copies a folder of `old` whose path is the first `done` bytes of `path`, with `part` in the place that `path` names.
fn graft(
    into: &mut Listing,
    old: &Listing,
    at: Option<usize>,
    done: usize,
    path: &[u8],
    part: Option<&Listing>,
) {
    if done == path.len() {
        if let Some(part) = part {
            into.take(part, 0);
        }
        return;
    }
    let unknown = Node {
        kind: Kind::Folder,
        mode: 0,
        size: 0,
        modified: 0,
        hash: [0; 32],
        stamp: Stamp::UNKNOWN,
        holder: 0,
        below: 0,
        start: 0,
        length: 0,
    };
    let folder = at.filter(|at| old.nodes[*at].kind == Kind::Folder);
    let mut own = folder.map_or(unknown, |at| old.nodes[at]);
    // What is in the folder is not as it was listed any more.
    own.stamp = Stamp::UNKNOWN;
    let place = into.push(own, &path[..done]);
    let start = if done == 0 { 0 } else { done + 1 };
    let end = path[start..]
        .iter()
        .position(|byte| *byte == b'/')
        .map_or(path.len(), |slash| start + slash);
    let name = &path[start..end];
    let children: Vec<usize> = folder.map_or(Vec::new(), |at| old.children(at).collect());
    for child in children.iter().filter(|child| old.name(**child) < name) {
        into.take(old, *child);
    }
    let there = children.iter().find(|child| old.name(**child) == name);
    graft(into, old, there.copied(), end, path, part);
    for child in children.iter().filter(|child| old.name(**child) > name) {
        into.take(old, *child);
    }
    into.close(place);
}

#[cfg(test)]
mod tests {
    use super::super::listing::tests::{file, folder, sample};
    use super::*;

    fn paths(listing: &Listing) -> Vec<String> {
        let path = |at| String::from_utf8(listing.path(at).to_vec()).unwrap();
        (0..listing.nodes.len()).map(path).collect()
    }

    #[test]
    fn a_part_is_put_in_its_place() {
        let mut part = Listing::default();
        part.holder_number("two");
        part.push(folder(), b"b/d");
        part.push(file(), b"b/d/y");
        part.close(0);
        let grafted = sample().with(b"b/d", Some(&part));
        assert_eq!(paths(&grafted), ["", "a", "b", "b/d", "b/d/y", "b/x", "c"]);
        assert_eq!(grafted.nodes[0].below, 6);
        let at = grafted.find(b"b/d").unwrap();
        assert_eq!((grafted.holder(at), grafted.holder(0)), ("two", "one"));
        assert_eq!(
            grafted.nodes[grafted.find(b"b").unwrap()].stamp,
            Stamp::UNKNOWN
        );
        let without = grafted.without(&[4, 5]);
        assert_eq!(paths(&without), ["", "a", "b", "b/d", "c"]);
        assert_eq!(
            without.nodes.iter().map(|n| n.below).collect::<Vec<_>>(),
            [4, 0, 1, 0, 0]
        );
        let gone = grafted.with(b"b/d", None);
        assert_eq!(paths(&gone), paths(&sample()));
        let fresh = Listing::default().with(b"b/d", Some(&part));
        assert_eq!(paths(&fresh), ["", "b", "b/d", "b/d/y"]);
        assert_eq!(part.find(b"b/d/y"), Some(1));
        assert_eq!(part.find(b"b/e"), None);
    }
}
