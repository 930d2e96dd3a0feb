//! The route in a user's own nginx: one file per environment, checked with `nginx -t`, reloaded, and seen to answer on a
//! loopback block of Teal's before it counts. Whatever fails, the old file is put back.
//!
//! `text` renders the files, `program` runs nginx, `ask` sees what answers.

mod ask;
mod error;
mod program;
mod text;

pub use error::NginxError;

use crate::config;
use crate::domain::{EnvId, Route, RouteTable};
use crate::system::files::{self, AtPath};
use ask::{Block, Seen, accepts, ask};
use program::Program;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a reload may take to show.
const DEADLINE: Duration = Duration::from_secs(10);

/// The pause between two questions while the old workers are still there.
const PACE: Duration = Duration::from_millis(15);

/// Answers in a row, each over a new connection, after which no old worker accepts any more.
const IN_A_ROW: u32 = 8;

/// Moves routes by writing files for a user's nginx.
#[derive(Debug)]
pub struct Nginx {
    settings: config::Nginx,
    state_file: PathBuf,
    program: Program,
    // nginx checks and reloads all files at once: a second environment's unproven file must not be among them.
    turn: Mutex<()>,
}

/// What has to be seen before a change counts.
enum Wanted {
    /// No block of this environment.
    Gone,
    /// Its block of this generation, and these services behind it, which answer unless `silent` is allowed.
    Block {
        generation: String,
        upstreams: Vec<String>,
        silent: bool,
    },
}

impl Nginx {
    /// Speaks to the nginx of these settings. The routes it was last given are kept in `state_file`.
    pub fn new(settings: config::Nginx, state_file: PathBuf) -> Self {
        let program = Program::new(settings.command.clone());
        Nginx {
            settings,
            state_file,
            program,
            turn: Mutex::new(()),
        }
    }

    /// Makes sure that nginx runs, accepts its configuration, and reads Teal's files. It is never started from here.
    pub async fn ensure_running(&self) -> Result<(), NginxError> {
        let _turn = self.turn.lock().await;
        files::create_dir(&self.settings.conf_dir, 0o755)?;
        let base = self.settings.conf_dir.join("teal--base.conf");
        let content = text::base(&self.settings);
        let old = files::read_if_there(&base)?;
        if old.as_ref() == Some(&content) {
            self.check().await.map_err(as_broken)?;
        } else {
            let accepted = match replace(&base, Some(&content)) {
                Ok(()) => self.check().await,
                failed => failed,
            };
            if let Err(cause) = accepted {
                let what = "Teal's own server block";
                return Err(self.put_back(what, &base, old, cause, false).await);
            }
        }
        self.see_base().await
    }

    /// Makes nginx serve `changed` as `table` says. When this returns an error, the old file is in its place again, or
    /// the error says that it is not.
    pub async fn apply(&self, table: &RouteTable, changed: &EnvId) -> Result<(), NginxError> {
        let _turn = self.turn.lock().await;
        let path = self.file_of(changed);
        let old = files::read_if_there(&path)?;
        let route = table.get(changed);
        let new = match route {
            Some(route) => Some(text::environment(&self.settings, route, table.generation)?),
            None if old.is_none() => return self.remember(table),
            None => None,
        };
        let (result, reloaded) = match replace(&path, new.as_deref()) {
            Ok(()) => self.prove(table, changed, route).await,
            Err(error) => (Err(error), false),
        };
        match result.and_then(|()| self.remember(table)) {
            Ok(()) => Ok(()),
            Err(cause) => {
                let what = format!("the route of {changed}");
                Err(self.put_back(&what, &path, old, cause, reloaded).await)
            }
        }
    }

    /// Checks, reloads and sees; and whether nginx may have read the new file, so that undoing it needs a reload as well.
    async fn prove(
        &self,
        table: &RouteTable,
        changed: &EnvId,
        route: Option<&Route>,
    ) -> (Result<(), NginxError>, bool) {
        if let Err(error) = self.check().await {
            return (Err(error), false);
        }
        if let Err(error) = self.program.reload().await {
            return (Err(error), false);
        }
        let wanted = match route {
            None => Wanted::Gone,
            Some(route) => Wanted::Block {
                generation: table.generation.to_string(),
                upstreams: text::upstreams(route),
                silent: route.paused || !self.old_service_accepts(changed).await,
            },
        };
        (self.see(&text::verify_name(changed), &wanted).await, true)
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

    /// Whether the services of the last known route still listen. When they do not, there is nothing better to go back
    /// to, and a route to a service that is still starting stays.
    async fn old_service_accepts(&self, env: &EnvId) -> bool {
        let last = files::read_if_there(&self.state_file).ok().flatten();
        let table: Option<RouteTable> = last.and_then(|text| serde_json::from_str(&text).ok());
        let Some(route) = table.as_ref().and_then(|table| table.get(env)) else {
            return true;
        };
        let Some(color) = route.active() else {
            return true;
        };
        for port in route.upstreams.of(color) {
            if accepts(*port).await {
                return true;
            }
        }
        false
    }

    /// Waits until only what is wanted answers, several times in a row.
    async fn see(&self, name: &str, wanted: &Wanted) -> Result<(), NginxError> {
        let began = Instant::now();
        let mut in_a_row = 0;
        loop {
            let seen = ask(self.settings.verify, name).await;
            if wanted.is(&seen) {
                in_a_row += 1;
                if in_a_row == IN_A_ROW {
                    return Ok(());
                }
                continue;
            }
            in_a_row = 0;
            if began.elapsed() > DEADLINE {
                return Err(NginxError::NotTaken {
                    seconds: DEADLINE.as_secs(),
                    verify: self.settings.verify,
                    seen: seen.words(),
                });
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Sees the base block answer; reloads once if it does not yet.
    async fn see_base(&self) -> Result<(), NginxError> {
        if !self.program.reads(text::BASE_MARK).await? {
            return Err(self.not_included("its configuration names no file of Teal's".to_owned()));
        }
        let wanted = Wanted::Block {
            generation: text::BASE.to_owned(),
            upstreams: Vec::new(),
            silent: true,
        };
        if wanted.is(&ask(self.settings.verify, text::BASE_NAME).await) {
            return Ok(());
        }
        self.program.reload().await?;
        match self.see(text::BASE_NAME, &wanted).await {
            Err(NginxError::NotTaken { seen, .. }) => Err(self.not_included(seen)),
            seen => seen,
        }
    }

    fn not_included(&self, seen: String) -> NginxError {
        NginxError::NotIncluded {
            verify: self.settings.verify,
            seen,
            conf_dir: self.settings.conf_dir.clone(),
        }
    }

    /// Undoes a change and gives the error to return: `cause`, and that everything is as it was, or that it is not.
    async fn put_back(
        &self,
        what: &str,
        path: &Path,
        old: Option<String>,
        cause: NginxError,
        reloaded: bool,
    ) -> NginxError {
        let mut undone = replace(path, old.as_deref());
        if undone.is_ok() && reloaded {
            undone = self.program.reload().await;
        }
        let what = what.to_owned();
        match undone {
            Err(then) => NginxError::InDoubt {
                what,
                file: path.to_owned(),
                cause: Box::new(cause),
                then: Box::new(then),
            },
            Ok(()) => NginxError::PutBack {
                what,
                cause: Box::new(self.whose_fault(cause).await),
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
        Ok(files::write_atomic(
            &self.state_file,
            text.as_bytes(),
            0o600,
        )?)
    }

    fn file_of(&self, env: &EnvId) -> PathBuf {
        self.settings
            .conf_dir
            .join(format!("teal-{}.conf", env.key()))
    }
}

impl Wanted {
    fn is(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Wanted::Gone, Seen::Block(block)) => block.generation == text::BASE,
            (
                Wanted::Block {
                    generation,
                    upstreams,
                    silent,
                },
                Seen::Block(block),
            ) => {
                block.generation == *generation
                    && block.only_asks(upstreams)
                    && (*silent || upstreams.is_empty() || block.answered)
            }
            (_, Seen::Other(_)) => false,
        }
    }
}

impl Block {
    fn only_asks(&self, upstreams: &[String]) -> bool {
        self.upstreams.is_empty() == upstreams.is_empty()
            && self.upstreams.iter().all(|one| upstreams.contains(one))
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
