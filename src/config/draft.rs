use super::runtime::{Want, first_version, mismatch};
use super::{
    ConfigError, Health, NothingToRun, OnSwitch, Origin, Process, Recipe, Steps, Timeouts, values,
};
use std::fmt::Display;
use std::time::Duration;

/// A recipe in the making. Whatever is written later wins: defaults, then detection, then `Procfile`, then `.teal.toml`.
pub(super) struct Draft {
    pub recipe: Recipe,
    /// Why a file that looks like an app does not tell how it is started.
    pub missing: Vec<String>,
    /// The start command of an app of this kind, for the error that nothing says how it is started.
    pub example: &'static str,
    /// The versions of runtimes that the repository asks for.
    pub wants: Vec<Want>,
    /// What people should know about a detected value, by its key, unless they have written another one.
    doubts: Vec<(&'static str, String)>,
    /// The programs that the detected commands start, with the file that asks for them.
    pub tools: Vec<(&'static str, String)>,
}

impl Draft {
    /// What holds when nothing is said.
    pub fn new(dir: String) -> Self {
        let mut draft = Draft {
            recipe: Recipe {
                dir: dir.clone(),
                path: Vec::new(),
                steps: Steps::default(),
                processes: Default::default(),
                shared: Vec::new(),
                before: None,
                after: None,
                health: Health {
                    path: None,
                    expect: Default::default(),
                    timeout: Duration::from_secs(60),
                },
                timeouts: Timeouts::default(),
                origins: Default::default(),
                warnings: Vec::new(),
            },
            missing: Vec::new(),
            example: "[run]\nweb = \"node server.js\"",
            wants: Vec::new(),
            doubts: Vec::new(),
            tools: Vec::new(),
        };
        draft.note("dir", dir, "default");
        draft.note("health.path", "GET / answers below 500", "default");
        draft.note("health.timeout", "60s", "default");
        let timeouts = draft.recipe.timeouts;
        for (key, value) in timeouts.by_name() {
            draft.note(
                &format!("timeouts.{key}"),
                values::duration_text(value),
                "default",
            );
        }
        draft
    }

    /// Remembers where a value came from.
    pub fn note(&mut self, key: &str, value: impl Display, from: impl Display) {
        let origin = Origin {
            value: value.to_string(),
            from: from.to_string(),
        };
        self.recipe.origins.insert(key.to_owned(), origin);
    }

    /// Something that people should know.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.recipe.warnings.push(text.into());
    }

    /// Something that people should know as long as the value of this key is the detected one.
    pub fn doubt(&mut self, key: &'static str, text: impl Into<String>) {
        self.doubts.push((key, text.into()));
    }

    /// A program that a detected command starts.
    pub fn tool(&mut self, program: &'static str, because: &str) {
        if !self.tools.iter().any(|(known, _)| *known == program) {
            self.tools.push((program, because.to_owned()));
        }
    }

    /// Installs dependencies; after what was detected before.
    pub fn install(&mut self, command: &str, lockfiles: Vec<String>, deps: &[&str], from: &str) {
        let steps = &mut self.recipe.steps;
        steps.install = Some(joined(steps.install.take(), command));
        steps.lockfiles.extend(lockfiles);
        steps
            .deps
            .extend(deps.iter().map(|path| (*path).to_owned()));
        let (install, lockfiles) = (steps.install.clone(), steps.lockfiles.join(", "));
        let deps = steps.deps.join(", ");
        let from = self.also("build.install", from);
        self.note("build.install", install.unwrap_or_default(), &from);
        self.note("build.lockfiles", lockfiles, &from);
        self.note("build.deps", deps, &from);
    }

    /// Builds; after what was detected before.
    pub fn build(&mut self, command: &str, from: &str) {
        let build = joined(self.recipe.steps.build.take(), command);
        self.recipe.steps.build = Some(build.clone());
        let from = self.also("build.build", from);
        self.note("build.build", build, from);
    }

    /// Folders that the build fills.
    pub fn outputs(&mut self, folders: &[String], from: &str) {
        self.recipe.steps.outputs.extend(folders.iter().cloned());
        let all = self.recipe.steps.outputs.join(", ");
        let from = self.also("build.outputs", from);
        self.note("build.outputs", all, from);
    }

    /// One process with the defaults.
    pub fn process(&mut self, name: &str, command: &str, from: &str) {
        let process = Process {
            command: command.to_owned(),
            on_switch: OnSwitch::Overlap,
            count: 1,
        };
        self.note(&format!("run.{name}"), command, from);
        self.recipe.processes.insert(name.to_owned(), process);
    }

    /// `web`, as a kind of app starts it. When two kinds could, the later one is taken and people are told.
    pub fn web(&mut self, command: &str, from: &str) {
        if let Some(other) = self.recipe.origins.get("run.web") {
            let text = format!(
                "{} and {from} both could start `web`; {from} is taken, `[run] web` in .teal.toml decides",
                other.from
            );
            self.doubt("run.web", text);
        }
        self.process("web", command, from);
    }

    /// Moves the database forward.
    pub fn migrate(&mut self, command: &str, inputs: &[&str], from: &str) {
        self.recipe.steps.migrate = Some(command.to_owned());
        self.recipe.steps.migrate_inputs = inputs.iter().map(|glob| (*glob).to_owned()).collect();
        self.note("migrate.command", command, from);
        match inputs {
            [] => self.note("migrate.inputs", "", "none are declared: it always runs"),
            inputs => self.note("migrate.inputs", inputs.join(", "), from),
        }
    }

    /// A folder whose programs commands may name.
    pub fn path(&mut self, folder: &str, from: &str) {
        self.recipe.path.push(folder.to_owned());
        let all = self.recipe.path.join(", ");
        let from = self.also("path", from);
        self.note("path", all, from);
    }

    /// Compares what is asked for with what this server has, and ends.
    pub fn finish(
        mut self,
        versions: &dyn Fn(&str) -> Option<String>,
        dir_files: bool,
    ) -> Result<Recipe, ConfigError> {
        if self.recipe.processes.is_empty() {
            return Err(ConfigError::NothingToRun(Box::new(NothingToRun {
                dir: self.recipe.dir,
                empty: !dir_files,
                example: format!(
                    "# What starts the app; it has to listen on $PORT.\n{}",
                    self.example
                ),
                reasons: self.missing,
            })));
        }
        for (key, text) in std::mem::take(&mut self.doubts) {
            if !self.is_written(key) {
                self.warn(text);
            }
        }
        self.compare_versions(versions);
        Ok(self.recipe)
    }

    fn compare_versions(&mut self, versions: &dyn Fn(&str) -> Option<String>) {
        for want in std::mem::take(&mut self.wants) {
            self.tool(want.tool, &want.from);
            let have = versions(want.tool);
            if let Some(have) = have.as_deref().and_then(first_version)
                && mismatch(&want.asks, &have)
            {
                let text = format!(
                    "{} asks for {} {}, this server has {have}",
                    want.from, want.tool, want.asks
                );
                self.warn(text);
            }
        }
        for (tool, because) in std::mem::take(&mut self.tools) {
            if self.needs(tool) && versions(tool).is_none() {
                self.warn(format!(
                    "`{tool}` is not installed on this server ({because} needs it)"
                ));
            }
        }
    }

    /// Whether the value was written by the app's authors instead of detected.
    fn is_written(&self, key: &str) -> bool {
        let origin = self.recipe.origins.get(key);
        origin.is_some_and(|origin| {
            [".teal.toml", "Procfile"]
                .iter()
                .any(|file| origin.from.starts_with(file))
        })
    }

    /// Whether a command starts the program. Node runs the package managers, too, so it is needed without being named.
    fn needs(&self, tool: &str) -> bool {
        let steps = &self.recipe.steps;
        let processes = self.recipe.processes.values();
        let mut commands = [&steps.install, &steps.build, &steps.migrate]
            .into_iter()
            .flatten()
            .chain(processes.map(|process| &process.command));
        tool == "node" || commands.any(|line| line.split_whitespace().any(|word| word == tool))
    }

    /// The origin of something that two files contribute to.
    fn also(&self, key: &str, from: &str) -> String {
        match self.recipe.origins.get(key) {
            Some(origin) if origin.from != from => format!("{}, {from}", origin.from),
            _ => from.to_owned(),
        }
    }
}

fn joined(before: Option<String>, command: &str) -> String {
    match before {
        Some(before) => format!("{before} && {command}"),
        None => command.to_owned(),
    }
}
