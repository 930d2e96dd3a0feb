use globset::{Glob, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How one commit of an app is installed, built, tested, migrated, started and probed: what `.teal.toml` says, completed
/// by what the repository's own files tell. Commands are shell lines written by the app's authors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The folder of a monorepo that is the app, relative to the repository; `.` otherwise. Never leaves the repository.
    pub dir: String,
    /// Folders below `dir` whose programs every command may name (`.venv/bin`); they come first in `PATH`.
    pub path: Vec<String>,
    /// The commands that prepare the release.
    pub steps: Steps,
    /// The processes that run, by name; `web` is the one that is probed and gets traffic. Without `web` the release is
    /// a worker only, and health means that it keeps running.
    pub processes: BTreeMap<String, Process>,
    /// Paths below `dir`, kept in `shared/` and linked into every release.
    pub shared: Vec<String>,
    /// Runs in the new release before the switch.
    pub before: Option<String>,
    /// Runs in the new release after the switch; its failure is noted, not undone.
    pub after: Option<String>,
    /// How readiness is recognised.
    pub health: Health,
    /// The deadline of each command.
    pub timeouts: Timeouts,
    /// Where each value came from, by dotted key (`build.install`): what `teal plan` prints.
    pub origins: BTreeMap<String, Origin>,
    /// What people should know and nothing refuses: "`engines.node` asks for 22, this server has 20.1.0".
    pub warnings: Vec<String>,
}

impl Recipe {
    /// Whether install, build and test may see this variable of the app's configuration.
    pub fn build_sees(&self, name: &str) -> bool {
        let matches = |pattern: &String| {
            Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(name))
        };
        self.steps.env.iter().any(matches)
    }
}

impl Steps {
    /// The files, relative to the app's folder, whose change needs no rebuild.
    pub fn ignored(&self) -> GlobSet {
        glob_set(&self.ignore)
    }

    /// The files, relative to the app's folder, that decide whether the migration has to run again.
    pub fn migration_files(&self) -> GlobSet {
        glob_set(&self.migrate_inputs)
    }
}

/// The patterns were checked when the recipe was read; one that is none after all matches nothing.
fn glob_set(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in patterns
        .iter()
        .filter_map(|pattern| Glob::new(pattern).ok())
    {
        set.add(glob);
    }
    set.build().unwrap_or_default()
}

/// The commands that prepare a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Installs dependencies.
    pub install: Option<String>,
    /// The files, below `dir`, that decide whether `install` has to run again: lockfiles and manifests.
    pub lockfiles: Vec<String>,
    /// The folders (with yarn's Plug'n'Play also a file, `.pnp.cjs`) that `install` fills, below `dir`: `node_modules`,
    /// `.venv`.
    pub deps: Vec<String>,
    /// Builds.
    pub build: Option<String>,
    /// The folders that `build` fills (`dist`, `target/release`), below `dir`.
    pub outputs: Vec<String>,
    /// Runs the app's tests.
    pub test: Option<String>,
    /// Globs of files whose change needs no rebuild.
    pub ignore: Vec<String>,
    /// Names or globs of the app's configuration that install, build and test may see.
    pub env: Vec<String>,
    /// Moves the database forward, before the service starts.
    pub migrate: Option<String>,
    /// The files that decide whether `migrate` has to run again; empty: it always runs.
    pub migrate_inputs: Vec<String>,
    /// Makes a restore point before `migrate`.
    pub migrate_backup: Option<String>,
}

/// One kind of process of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The shell line that starts it.
    pub command: String,
    /// How old and new share the switch.
    pub on_switch: OnSwitch,
    /// How many of it run.
    pub count: u16,
}

/// How a process of the old release makes room for the one of the new release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnSwitch {
    /// Both run beside each other for a while.
    #[default]
    Overlap,
    /// The old one is stopped, then the new one is started, at the switch.
    Handover,
    /// The old one is stopped before migrate, the new one started after the switch; a rollback reverses it.
    Exclusive,
}

/// How readiness of `web` is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The path to ask for. Given: ready is 2xx without a redirect. Absent: `GET /` and any answer below 500.
    pub path: Option<String>,
    /// JSON fields of the answer that must have these values.
    pub expect: BTreeMap<String, serde_json::Value>,
    /// How long readiness may take.
    pub timeout: Duration,
}

/// The deadlines of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Of `install`.
    pub install: Duration,
    /// Of `build`.
    pub build: Duration,
    /// Of `test`.
    pub test: Duration,
    /// Of `migrate` and its backup.
    pub migrate: Duration,
    /// Of `before` and `after`.
    pub hooks: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Timeouts {
            install: minutes(15),
            build: minutes(30),
            test: minutes(30),
            migrate: minutes(15),
            hooks: minutes(5),
        }
    }
}

impl Timeouts {
    /// Each with the name that `.teal.toml` gives it.
    pub(super) fn by_name(&self) -> [(&'static str, Duration); 5] {
        [
            ("install", self.install),
            ("build", self.build),
            ("test", self.test),
            ("migrate", self.migrate),
            ("hooks", self.hooks),
        ]
    }

    /// Sets the one of that name.
    pub(super) fn set(&mut self, name: &str, value: Duration) {
        match name {
            "install" => self.install = value,
            "build" => self.build = value,
            "test" => self.test = value,
            "migrate" => self.migrate = value,
            _ => self.hooks = value,
        }
    }
}

/// Where a value of the recipe came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The value as text, for people.
    pub value: String,
    /// The file and, where it helps, the place in it: "package-lock.json", ".teal.toml line 4", "default".
    pub from: String,
}
