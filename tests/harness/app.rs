use super::{Daemon, Git, Sandbox};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small web app as a git repository: `GET /` answers its version, `/api/health` is its health, and a fault can be
/// committed into it. Files are in `tests/apps/`.
pub struct App {
    git: Git,
}

const HEALTH: &str = "[health]\npath = \"/api/health\"\nexpect = { status = \"ok\" }\n";

impl App {
    /// One that needs nothing but python3, committed as version `v1`.
    pub fn python(sandbox: &Sandbox, name: &str) -> Self {
        let git = Git::init(sandbox, name);
        git.write("app.py", include_str!("../apps/python/app.py"));
        git.write(
            ".teal.toml",
            format!("[run]\nweb = \"exec python3 -u app.py\"\n\n{HEALTH}"),
        );
        let app = App { git };
        app.version("v1");
        app
    }

    /// One that needs nothing but node, committed as version `v1`.
    pub fn node(sandbox: &Sandbox, name: &str) -> Self {
        let git = Git::init(sandbox, name);
        git.write("server.js", include_str!("../apps/node/server.js"));
        git.write(
            ".teal.toml",
            format!("[run]\nweb = \"exec node server.js\"\n\n{HEALTH}"),
        );
        let app = App { git };
        app.version("v1");
        app
    }

    /// Its repository.
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// The folder of its work tree.
    pub fn path(&self) -> &Path {
        self.git.path()
    }

    /// Commits a release that answers with this version; the commit's id.
    #[track_caller]
    pub fn version(&self, version: &str) -> String {
        self.git.write("version.txt", format!("{version}\n"));
        self.git.commit(version)
    }

    /// Commits a release with a fault (the words are in `app.py`), or, with an empty word, without one.
    #[track_caller]
    pub fn fault(&self, fault: &str) -> String {
        self.git.write("fault.txt", fault);
        self.git.commit(&format!("fault: {fault}"))
    }

    /// Writes `.teal.toml` with these tables before the app's own ones; the next commit takes it along.
    pub fn recipe(&self, tables: &str) -> &Self {
        let run = "[run]\nweb = \"exec python3 -u app.py\"\n";
        let own = if tables.contains("[run]") { "" } else { run };
        let health = if tables.contains("[health]") {
            ""
        } else {
            HEALTH
        };
        self.git
            .write(".teal.toml", format!("{tables}\n\n{own}\n{health}"));
        self
    }

    /// Runs a copy of the work tree as it is now, outside Teal, as a service on this port. The python app only.
    #[track_caller]
    pub fn serve(&self, sandbox: &Sandbox, port: u16) -> Daemon {
        let folder = self.copy(sandbox, port);
        let mut command = Command::new("python3");
        command
            .args(["-u", "app.py"])
            .current_dir(folder)
            .env("PORT", port.to_string());
        let mut daemon = Daemon::spawn("the app", &mut command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        daemon.ready_when("the app answers", || {
            super::get(address, "app", "/").is_ok()
        });
        daemon
    }

    fn copy(&self, sandbox: &Sandbox, port: u16) -> PathBuf {
        let folder = sandbox.dir(format!("served-{port}"));
        for entry in std::fs::read_dir(self.path())
            .expect("the work tree")
            .flatten()
        {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
            }
        }
        folder
    }
}
