//! Where a release stands, and what its processes see of the world.

use super::Tools;
use crate::config::Environment;
use crate::domain::Color;
use crate::release::{Slots, Version};
use crate::store::environments::Release;
use crate::system::users;
use std::path::{Path, PathBuf};

/// How much of the app's configuration a command sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Install, build, test: only what `build.env` names, no port, no color.
    Build,
    /// Migrations, hooks and services: everything.
    App,
}

/// What the name of a secret has in it. Values of other names (`NODE_ENV=production`) would blacken half of every log.
const SECRET: [&str; 8] = [
    "SECRET",
    "TOKEN",
    "PASS",
    "KEY",
    "CREDENTIAL",
    "PRIVATE",
    "DSN",
    "DATABASE_URL",
];

/// A release in a slot, with what its processes are told about themselves.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The tools.
    pub tools: &'a Tools,
    /// The environment.
    pub env: &'a Environment,
    /// Its folders.
    pub slots: &'a Slots,
    /// The slot.
    pub color: Color,
    /// The release in it.
    pub release: &'a Release,
    /// The app's configuration for it.
    pub variables: &'a Version,
}

impl Place<'_> {
    /// The folder that the app's commands run in.
    pub fn app_dir(&self) -> PathBuf {
        self.slots.slot(self.color).join(&self.release.recipe.dir)
    }

    /// What a command sees here.
    pub fn environment(&self, sight: Sight) -> Vec<(String, String)> {
        let recipe = &self.release.recipe;
        let mut env = base(self.tools, &self.app_dir(), &recipe.path);
        env.push(("TEAL_APP".into(), self.env.id.app.to_string()));
        env.push(("TEAL_COMMIT".into(), self.release.commit.to_string()));
        let values = self.variables.values.iter();
        let values = values.map(|(name, value)| (name.clone(), value.clone()));
        match sight {
            Sight::Build => {
                env.push(("CI".into(), "true".into()));
                env.extend(values.filter(|(name, _)| recipe.build_sees(name)));
            }
            Sight::App => {
                env.extend(values);
                env.extend(self.facts());
            }
        }
        env
    }

    /// The values that are kept out of every log: those whose names say that they are secret.
    pub fn secrets(&self) -> Vec<String> {
        let secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            SECRET.iter().any(|part| name.contains(part))
        };
        let values = self
            .variables
            .values
            .iter()
            .filter(|(name, _)| secret(name));
        values.map(|(_, value)| value.clone()).collect()
    }

    fn facts(&self) -> [(String, String); 7] {
        [
            ("PORT", self.env.ports.of(self.color).to_string()),
            ("TEAL_ENVIRONMENT", self.env.id.env.to_string()),
            ("TEAL_COLOR", self.color.to_string()),
            ("TEAL_REF", self.release.ref_name.clone()),
            ("TEAL_DEPLOYMENT", self.release.deployment.to_string()),
            (
                "TEAL_RELEASE_DIR",
                self.slots.slot(self.color).display().to_string(),
            ),
            ("TEAL_SHARED_DIR", self.slots.shared().display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }
}

/// What every command sees: where programs are found, a home for caches, a plain locale. Nothing of the server's own
/// environment is passed on.
fn base(tools: &Tools, app_dir: &Path, path: &[String]) -> Vec<(String, String)> {
    let own = tools.exe.parent().map(|dir| dir.display().to_string());
    let found = path
        .iter()
        .map(|dir| app_dir.join(dir).display().to_string())
        .chain([users::search_path()])
        .chain(own)
        .collect::<Vec<_>>()
        .join(":");
    let user = users::own();
    [
        ("PATH", found),
        ("HOME", user.home),
        ("USER", user.name.clone()),
        ("LOGNAME", user.name),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "dumb".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
