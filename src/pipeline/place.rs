//! Where a release stands, and what its processes see of the world.

use super::{Tools, secrets};
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
        let mut env = self.base(&recipe.path);
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

    /// What every command sees: where programs are found, a home for caches, a plain locale. Nothing of the server's own
    /// environment is passed on.
    fn base(&self, path: &[String]) -> Vec<(String, String)> {
        let own = self.tools.exe.parent().map(|dir| dir.display().to_string());
        let app_dir = self.app_dir();
        let found = path
            .iter()
            .map(|dir| app_dir.join(dir).display().to_string())
            .chain([users::search_path()])
            .chain(own)
            .collect::<Vec<_>>()
            .join(":");
        let user = self.user();
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

    /// Who the commands run as. A user without a home has one in the environment's folder.
    fn user(&self) -> users::Person {
        let named = self.env.run_as.as_deref().and_then(users::named);
        let Some((user, _)) = named else {
            return users::own();
        };
        match Path::new(&user.home).is_dir() {
            true => user,
            false => users::Person {
                home: self.slots.home().display().to_string(),
                ..user
            },
        }
    }

    /// The values that are kept out of every log: secrets by their names, and passwords in addresses.
    pub fn secrets(&self) -> Vec<String> {
        secrets::of(&self.variables.values)
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
