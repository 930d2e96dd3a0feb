//! The route in a user's own nginx: one file per environment, checked with `nginx -t`, reloaded, and seen to answer on a
//! loopback block of Teal's before it counts. Whatever fails, the old file is put back.
//!
//! `text` renders the files, `program` runs nginx, `witness` sees what came of it: by asking (`ask`) and by watching the
//! worker processes (`workers`).

mod ask;
mod error;
mod program;
mod text;
mod witness;
mod workers;

pub use error::NginxError;

use crate::config;
use crate::domain::{Color, EnvId, Route, RouteTable};
use crate::system::files::{self, AtPath};
use program::Program;
use std::path::{Path, PathBuf};
use tokio::sync::Mutex;
use witness::{Wanted, Witness};
use workers::Workers;

/// What is said of an nginx that was not told to read Teal's files.
const NOT_NAMED: &str = "its configuration names no file of Teal's";

/// Moves routes by writing files for a user's nginx.
#[derive(Debug)]
pub struct Nginx {
    settings: config::Nginx,
    state_file: PathBuf,
    program: Program,
    witness: Witness,
    // nginx checks and reloads all files at once: a second environment's unproven file must not be among them.
    turn: Mutex<()>,
}

/// A file on its way from one content to another.
struct Change {
    /// What changes, for messages.
    what: String,
    path: PathBuf,
    old: Option<String>,
    new: Option<String>,
}

/// Why a change failed, and whether nginx was told to read it.
struct Failed {
    cause: NginxError,
    reloaded: bool,
}

impl Nginx {
    /// Speaks to the nginx of these settings. The routes that it serves are kept in `state_file`.
    pub fn new(settings: config::Nginx, state_file: PathBuf) -> Self {
        Nginx {
            program: Program::new(settings.command.clone()),
            witness: Witness::new(settings.verify),
            settings,
            state_file,
            turn: Mutex::new(()),
        }
    }

    /// Makes sure that nginx runs, accepts its configuration, and reads Teal's files. It is never started from here.
    pub async fn ensure_running(&self) -> Result<(), NginxError> {
        let _turn = self.turn.lock().await;
        files::create_dir(&self.settings.conf_dir, 0o755)?;
        let new = Some(text::base(&self.settings));
        let change = self.change("Teal's own server block".to_owned(), "-base", new)?;
        if change.old == change.new {
            self.check().await.map_err(as_broken)?;
        } else {
            let accepted = match replace(&change.path, change.new.as_deref()) {
                Ok(()) => self.check().await,
                failed => failed,
            };
            if let Err(cause) = accepted {
                return Err(self.undo(change, Failed::before_reload(cause)).await);
            }
        }
        self.see_base().await
    }

    /// Looks, and changes nothing: whether nginx runs, accepts its configuration, and reads Teal's files.
    pub async fn look(&self) -> Result<(), NginxError> {
        self.check().await.map_err(as_broken)?;
        let answers = self.witness.base().await;
        if answers.is_err() {
            self.program.is_there().await?;
        }
        let conf_dir = self.settings.conf_dir.clone();
        if self.program.reads(text::BASE_MARK).await? {
            let verify = self.settings.verify;
            return answers.map_err(|seen| NginxError::NotLoaded { verify, seen });
        }
        match self.file("-base").exists() {
            true => Err(self.not_included(NOT_NAMED.to_owned())),
            false => Err(NginxError::NotWritten { conf_dir }),
        }
    }

    fn not_included(&self, seen: String) -> NginxError {
        NginxError::NotIncluded {
            verify: self.settings.verify,
            seen,
            conf_dir: self.settings.conf_dir.clone(),
        }
    }

    fn file(&self, key: &str) -> PathBuf {
        self.settings.conf_dir.join(format!("teal-{key}.conf"))
    }

    /// Makes nginx serve `changed` as `table` says, and returns once nothing else answers. When this returns an error,
    /// the old file is in its place again, or the error says that it is not. It must be awaited to its end.
    pub async fn apply(&self, table: &RouteTable, changed: &EnvId) -> Result<(), NginxError> {
        let _turn = self.turn.lock().await;
        let route = table.get(changed);
        let new = route.map(|route| text::environment(&self.settings, route, table.generation));
        let what = format!("the route of {changed}");
        let change = self.change(what, &changed.key(), new.transpose()?)?;
        if change.old.is_none() && change.new.is_none() {
            return self.remember(table);
        }
        match self.carry_out(&change, table, changed).await {
            Ok(()) => Ok(()),
            Err(failed) => Err(self.undo(change, failed).await),
        }
    }

    fn change(&self, what: String, key: &str, new: Option<String>) -> Result<Change, NginxError> {
        let path = self.file(key);
        let old = files::read_if_there(&path)?;
        Ok(Change {
            what,
            path,
            old,
            new,
        })
    }

    /// Writes, checks, reloads, sees, remembers.
    async fn carry_out(
        &self,
        change: &Change,
        table: &RouteTable,
        changed: &EnvId,
    ) -> Result<(), Failed> {
        replace(&change.path, change.new.as_deref()).map_err(Failed::before_reload)?;
        self.check().await.map_err(Failed::before_reload)?;
        let old = self.witness.workers().await;
        self.program.reload().await.map_err(Failed::before_reload)?;
        let wanted = match table.get(changed) {
            None => Wanted::Gone,
            Some(route) => Wanted::Block {
                generation: table.generation.to_string(),
                upstreams: text::upstreams(route),
                silent: self.may_be_silent(route).await,
            },
        };
        let name = text::verify_name(changed);
        let seen = self.witness.see(&name, &wanted, &old).await;
        seen.and_then(|()| self.remember(table))
            .map_err(|cause| Failed {
                cause,
                reloaded: true,
            })
    }

    async fn check(&self) -> Result<(), NginxError> {
        let said = self.program.check().await?;
        match said.done {
            true => Ok(()),
            false => Err(NginxError::Refused {
                command: said.command,
                words: said.words,
            }),
        }
    }

    /// Whether a route counts although its services do not answer: it sends visitors nowhere else than before, or none
    /// at all, or the services it takes them from are gone as well, so that there is nothing better to go back to.
    async fn may_be_silent(&self, route: &Route) -> bool {
        let last = files::read_if_there(&self.state_file).ok().flatten();
        let table: Option<RouteTable> = last.and_then(|text| serde_json::from_str(&text).ok());
        let old = table.as_ref().and_then(|table| table.get(&route.env));
        let serving = |route: &Route| {
            let colors = Color::BOTH.into_iter();
            let used = colors.filter(|color| *route.shares.of(*color) > 0);
            used.flat_map(|color| route.upstreams.of(color).clone())
                .collect::<Vec<u16>>()
        };
        let before = old.map(serving).unwrap_or_default();
        if route.paused || route.maintenance || before == serving(route) {
            return true;
        }
        for port in &before {
            if ask::accepts(*port).await {
                return false;
            }
        }
        !before.is_empty()
    }

    /// Sees the base block answer; reloads once if it does not yet.
    async fn see_base(&self) -> Result<(), NginxError> {
        if !self.program.reads(text::BASE_MARK).await? {
            return Err(self.not_included(NOT_NAMED.to_owned()));
        }
        if self.witness.base().await.is_ok() {
            return Ok(());
        }
        self.program.reload().await?;
        let nobody = Workers::default();
        let seen = self
            .witness
            .see(text::BASE_NAME, &Wanted::base(), &nobody)
            .await;
        match seen {
            Err(NginxError::NotTaken { seen, .. }) => Err(self.not_included(seen)),
            seen => seen,
        }
    }

    /// Puts the old file back and gives the error to return: that everything is as it was, or that it is not.
    async fn undo(&self, change: Change, failed: Failed) -> NginxError {
        // Where nothing can be written, the old file is still there, and must not be written either.
        let mut undone = match files::read_if_there(&change.path) {
            Ok(now) if now == change.old => Ok(()),
            _ => replace(&change.path, change.old.as_deref()),
        };
        if undone.is_ok() && failed.reloaded {
            let undesired = self.witness.workers().await;
            undone = self.program.reload().await;
            self.witness.replaced(&undesired).await;
        }
        match undone {
            Ok(()) => NginxError::PutBack {
                what: change.what,
                cause: Box::new(self.whose_fault(failed.cause).await),
            },
            Err(then) => NginxError::InDoubt {
                what: change.what,
                file: change.path,
                cause: Box::new(failed.cause),
                then: Box::new(then),
            },
        }
    }

    /// A check that fails without the new file as well was not failed by the new file.
    async fn whose_fault(&self, cause: NginxError) -> NginxError {
        match cause {
            NginxError::Refused { .. } if self.check().await.is_err() => as_broken(cause),
            cause => cause,
        }
    }

    fn remember(&self, table: &RouteTable) -> Result<(), NginxError> {
        let text = serde_json::to_string_pretty(table).map_err(|error| files::FileError {
            act: "write",
            path: self.state_file.clone(),
            source: error.into(),
        })?;
        files::write_atomic(&self.state_file, text.as_bytes(), 0o600)?;
        Ok(())
    }
}

impl Failed {
    fn before_reload(cause: NginxError) -> Self {
        Failed {
            cause,
            reloaded: false,
        }
    }
}

/// Gives a file this content, or removes it.
fn replace(path: &Path, content: Option<&str>) -> Result<(), NginxError> {
    match content {
        Some(content) => files::write_atomic(path, content.as_bytes(), 0o644)?,
        None => files::remove_if_there(path).at("remove", path)?,
    }
    Ok(())
}

fn as_broken(error: NginxError) -> NginxError {
    match error {
        NginxError::Refused { command, words } => NginxError::Broken { command, words },
        other => other,
    }
}
