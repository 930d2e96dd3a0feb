use super::index::{Index, Kind, Stamp};
use super::look::Seen;
use super::{BUILD_HASH, CheckoutError};
use crate::release::walk::shown;
use crate::system::git::Repo;
use git2::Oid;
use std::collections::HashSet;
use std::ops::Range;

/// What is to be done about one path of the new tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// It is right already.
    Keep,
    /// It may be right: compare its content, write it if it is not.
    Check,
    /// Write it.
    Write,
}

/// Everything that a checkout will do, worked out before the first change.
pub(super) struct Plan {
    /// What the slot will hold; stamps of what is still to be written are empty.
    pub(super) index: Index,
    /// One act per entry of the index.
    pub(super) acts: Vec<Act>,
    /// What the new tree no longer has, and whether it was a folder: what is inside a folder comes after it.
    pub(super) removals: Vec<(Vec<u8>, bool)>,
    /// What people should know.
    pub(super) notes: Vec<String>,
}

/// No build nests folders this deep; a tree that does is made to exhaust whoever walks it.
const DEPTH: usize = 200;
/// Likewise for trees that contain each other and unfold to any number of files.
const ENTRIES: usize = 2_000_000;
/// And for long names deep down, all of which are kept: bytes of paths.
const PATHS: usize = 512 << 20;

impl Plan {
    /// Compares the tree with what the slot holds.
    pub(super) fn make(
        repo: &Repo,
        tree: Oid,
        old: &Index,
        seen: &[Seen],
    ) -> Result<Plan, CheckoutError> {
        let mut walk = Walk {
            repo,
            old,
            seen,
            plan: Plan {
                index: Index::nothing(),
                acts: Vec::new(),
                removals: Vec::new(),
                notes: Vec::new(),
            },
            path: Vec::new(),
        };
        if old.tree == Some(tree) {
            walk.keep(0..old.entries.len());
        } else {
            walk.folder(tree, 0..old.entries.len(), 0)?;
        }
        Ok(walk.plan)
    }

    /// Whether the slot is as it should be, as far as can be told without reading contents.
    pub(super) fn nothing_to_do(&self) -> bool {
        self.removals.is_empty() && self.acts.iter().all(|act| *act == Act::Keep)
    }

    /// Also removes what checkouts toward these trees may have left behind when they were interrupted.
    pub(super) fn remove_leftovers(
        &mut self,
        repo: &Repo,
        unfinished: &[Oid],
    ) -> Result<(), CheckoutError> {
        for tree in unfinished {
            let begun = match Plan::make(repo, *tree, &Index::nothing(), &[]) {
                Ok(begun) => begun,
                // Such a tree is refused before anything of it is written.
                Err(
                    CheckoutError::Name(_)
                    | CheckoutError::TooDeep { .. }
                    | CheckoutError::TooMany(_),
                ) => continue,
                Err(other) => return Err(other),
            };
            let wanted: HashSet<&[u8]> = self
                .index
                .entries
                .iter()
                .map(|entry| self.index.path(entry))
                .collect();
            let leftovers: Vec<_> = begun
                .index
                .entries
                .iter()
                .map(|entry| (begun.index.path(entry), entry.kind))
                .filter(|(path, _)| !wanted.contains(path))
                .map(|(path, kind)| (path.to_vec(), is_folder(kind)))
                .collect();
            self.removals.extend(leftovers);
        }
        Ok(())
    }
}

fn is_folder(kind: Kind) -> bool {
    matches!(kind, Kind::Folder | Kind::Module)
}

struct Walk<'a> {
    repo: &'a Repo,
    old: &'a Index,
    seen: &'a [Seen],
    plan: Plan,
    path: Vec<u8>,
}

/// One name of a tree.
struct Name {
    name: Vec<u8>,
    kind: Kind,
    id: Oid,
}

impl Walk<'_> {
    /// Plans one folder of the new tree against the entries (`old`) that the index has inside it.
    fn folder(&mut self, tree: Oid, old: Range<usize>, depth: usize) -> Result<(), CheckoutError> {
        if depth > DEPTH {
            return Err(CheckoutError::TooDeep {
                path: shown(&self.path),
                limit: DEPTH,
            });
        }
        let mut at = old.start;
        for name in self.names(tree, depth)? {
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name.name);
            while at < old.end && self.old_path(at) < self.path.as_slice() {
                at = self.drop_old(at);
            }
            let matching =
                (at < old.end && self.old_path(at) == self.path.as_slice()).then_some(at);
            if let Some(found) = matching {
                at = self.after(found);
            }
            self.name(&name, matching, depth)?;
            self.path.truncate(length);
        }
        while at < old.end {
            at = self.drop_old(at);
        }
        Ok(())
    }

    fn name(&mut self, name: &Name, old: Option<usize>, depth: usize) -> Result<(), CheckoutError> {
        let same = old.filter(|at| {
            let entry = &self.old.entries[*at];
            entry.kind == name.kind && entry.id == name.id
        });
        if let Some(at) = same {
            self.keep(at..self.after(at));
            return self.count();
        }
        let place = self
            .plan
            .index
            .push(name.kind, name.id, Stamp::default(), &self.path);
        // A folder whose content differs is not itself to be written, as long as it is there.
        let stands = old.is_some_and(|at| {
            self.seen[at] == Seen::Same
                && is_folder(self.old.entries[at].kind)
                && is_folder(name.kind)
        });
        self.plan
            .acts
            .push(if stands { Act::Keep } else { Act::Write });
        self.count()?;
        if name.kind == Kind::Module {
            self.plan.notes.push(format!(
                "`{}` is a submodule: left empty",
                shown(&self.path)
            ));
        }
        let below = match old {
            Some(at) if self.old.entries[at].kind == Kind::Folder => at + 1..self.after(at),
            _ => 0..0,
        };
        if name.kind == Kind::Folder {
            self.folder(name.id, below, depth + 1)?;
            self.plan.index.entries[place].below =
                (self.plan.index.entries.len() - place - 1) as u32;
        } else if name.kind == Kind::Module {
            // A folder that became a submodule stands, so what was tracked in it has to go one by one.
            let mut at = below.start;
            while at < below.end {
                at = self.drop_old(at);
            }
        }
        Ok(())
    }

    /// Takes entries over as they are, and notes those that no longer look as they did.
    fn keep(&mut self, range: Range<usize>) {
        for at in range {
            let entry = self.old.entries[at];
            let place =
                self.plan
                    .index
                    .push(entry.kind, entry.id, entry.stamp, self.old.path(&entry));
            self.plan.index.entries[place].below = entry.below;
            self.plan.acts.push(match self.seen[at] {
                Seen::Same => Act::Keep,
                Seen::Suspect => Act::Check,
                Seen::Gone => Act::Write,
            });
        }
    }

    /// Plans the removal of an entry and all below it; says where the next one is.
    fn drop_old(&mut self, at: usize) -> usize {
        let after = self.after(at);
        for gone in at..after {
            if self.seen[gone] != Seen::Gone {
                let entry = &self.old.entries[gone];
                let path = self.old.path(entry).to_vec();
                self.plan.removals.push((path, is_folder(entry.kind)));
            }
        }
        after
    }

    fn after(&self, at: usize) -> usize {
        at + 1 + self.old.entries[at].below as usize
    }

    fn old_path(&self, at: usize) -> &[u8] {
        self.old.path(&self.old.entries[at])
    }

    fn count(&self) -> Result<(), CheckoutError> {
        if self.plan.acts.len() > ENTRIES || self.plan.index.path_bytes() > PATHS {
            return Err(CheckoutError::TooMany(ENTRIES));
        }
        Ok(())
    }

    /// The names of one tree in byte order, each of them checked.
    fn names(&mut self, tree: Oid, depth: usize) -> Result<Vec<Name>, CheckoutError> {
        let found = self.repo.git().find_tree(tree).map_err(
            self.repo
                .error(format!("read the folder `{}`", shown(&self.path))),
        )?;
        let mut names = Vec::with_capacity(found.len());
        for entry in found.iter() {
            let name = entry.name_bytes();
            if depth == 0 && name == BUILD_HASH.as_bytes() {
                self.plan.notes.push(format!(
                    "the repository's own `{BUILD_HASH}` is left out: the name is the server's"
                ));
                continue;
            }
            if !is_fit(name) {
                let mut path = self.path.clone();
                path.push(b'/');
                path.extend_from_slice(name);
                return Err(CheckoutError::Name(shown(&path)));
            }
            names.push(Name {
                name: name.to_vec(),
                kind: kind_of(entry.filemode_raw()),
                id: entry.id(),
            });
        }
        names.sort_by(|a, b| a.name.cmp(&b.name));
        match names.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(CheckoutError::Name(shown(&pair[0].name))),
            None => Ok(names),
        }
    }
}

/// The longest name that Linux gives to a file, in bytes.
const NAME: usize = 255;

fn is_fit(name: &[u8]) -> bool {
    name.len() <= NAME
        && !matches!(name, b"" | b"." | b"..")
        && !name.eq_ignore_ascii_case(b".git")
        && !name.contains(&b'/')
        && !name.contains(&0)
}

fn kind_of(mode: i32) -> Kind {
    match mode & 0o170_000 {
        0o040_000 => Kind::Folder,
        0o120_000 => Kind::Link,
        0o160_000 => Kind::Module,
        _ if mode & 0o100 != 0 => Kind::Program,
        _ => Kind::File,
    }
}
