//! Makes sure that everything a server needs on disk is there: its folders, and a bare repository with hooks per app.
//! `teal init` does it to show the way in, `teal serve` at every start.

use crate::config::{App, Server};
use crate::domain::{AppName, EnvId};
use crate::intake::gates;
use crate::system::files::{self, FileError};
use crate::system::git::{GitError, Repo};
use crate::system::users;
use std::path::PathBuf;

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file or folder.
    #[error(transparent)]
    File(#[from] FileError),
    /// A repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A user that an environment is to run as, and that cannot be.
    #[error("{env} cannot run as `{user}`: {why}")]
    RunAs {
        /// The environment.
        env: EnvId,
        /// The user.
        user: String,
        /// Why not, and what to do.
        why: String,
    },
    /// The hook's program is not where this program is.
    #[error("the program that git runs on a push is missing: {} has to lie beside teal", .0.display())]
    NoHook(PathBuf),
}

/// One app that is ready to be pushed to.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The app.
    pub app: AppName,
    /// Its bare repository.
    pub repo_path: PathBuf,
    /// What people should know: a hook of somebody else that was moved aside, say.
    pub notes: Vec<String>,
}

/// Prepares the state folder and every app's repository; what is there already is left as it is. A repository that cannot be
/// prepared is one app's trouble: the others, and what serves, go on without it.
pub fn prepare(server: &Server) -> Result<Vec<Result<Prepared, SetupError>>, SetupError> {
    for (dir, mode) in [
        ("", 0o755),
        ("run", 0o755),
        ("repos", 0o755),
        ("logs", 0o750),
        ("cache", 0o750),
        ("env", 0o700),
    ] {
        files::create_dir(&server.state_dir.join(dir), mode)?;
    }
    let hook = hook_program()?;
    let apps = server.apps.values();
    Ok(apps.map(|app| prepare_app(server, app, &hook)).collect())
}

/// Whether every environment can run as the user that it names. Only the server itself has to be able to.
pub fn check_users(server: &Server) -> Result<(), SetupError> {
    for env in server.environments() {
        let Some(user) = &env.run_as else { continue };
        let own = users::own().name;
        let why = match users::named(user) {
            None => format!(
                "this machine has no such user; make it: useradd --system --create-home {user}"
            ),
            Some((_, owner)) if owner.uid == 0 => "it is root by another name".to_owned(),
            Some((person, _)) if !users::is_root() && person.name != own => {
                format!("only a server that runs as root can, and this one runs as {own}")
            }
            Some(_) => continue,
        };
        return Err(SetupError::RunAs {
            env: env.id.clone(),
            user: user.clone(),
            why,
        });
    }
    Ok(())
}

fn prepare_app(server: &Server, app: &App, hook: &std::path::Path) -> Result<Prepared, SetupError> {
    let repo_path = server.repo_path(&app.name);
    let (_, installed) = Repo::create(&repo_path, app.main_branch(), app.largest_push, hook)?;
    files::write_atomic(
        &repo_path.join(gates::FILE),
        gates::text(app).as_bytes(),
        0o644,
    )?;
    let notes = installed.moved_aside.iter().map(|path| {
        format!(
            "a hook that was there was moved to {} and no longer runs",
            path.display()
        )
    });
    Ok(Prepared {
        app: app.name.clone(),
        notes: notes.collect(),
        repo_path,
    })
}

/// The program that git runs on a push, and ssh for limited keys: it lies beside this one.
pub fn hook_program() -> Result<PathBuf, SetupError> {
    let own = std::env::current_exe().unwrap_or_default();
    let hook = own.with_file_name("teal-hook");
    match hook.is_file() {
        true => Ok(hook),
        false => Err(SetupError::NoHook(hook)),
    }
}
