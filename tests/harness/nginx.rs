use super::daemon::program;
use super::http::get;
use super::{Daemon, Sandbox};
use nix::sys::signal::Signal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A real nginx of the test's own, as a plain process under a folder of the sandbox. It includes `teal-*.conf` from
/// [`Nginx::conf_dir`], as a user's nginx would, and beside it `foreign.conf`, which belongs to "somebody else".
pub struct Nginx {
    prefix: PathBuf,
    alive: SocketAddr,
    daemon: Option<Daemon>,
}

impl Nginx {
    /// Writes its configuration, without starting it.
    pub fn new(sandbox: &Sandbox) -> Self {
        let prefix = sandbox.dir("nginx");
        sandbox.dir("nginx/conf.d");
        sandbox.dir("nginx/tmp");
        let alive = SocketAddr::from((Ipv4Addr::LOCALHOST, sandbox.port()));
        let nginx = Nginx {
            prefix,
            alive,
            daemon: None,
        };
        sandbox.write("nginx/foreign.conf", "");
        sandbox.write("nginx/nginx.conf", nginx.configuration());
        nginx
    }

    /// Writes its configuration and starts it.
    pub fn start(sandbox: &Sandbox) -> Self {
        let mut nginx = Nginx::new(sandbox);
        nginx.run();
        nginx
    }

    /// Starts it, or starts it again.
    pub fn run(&mut self) {
        let words = self.command();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&self.prefix);
        let mut daemon = Daemon::spawn("nginx", &mut command);
        let alive = self.alive;
        daemon.ready_when("nginx answers", || get(alive, "alive", "/").is_ok());
        self.daemon = Some(daemon);
    }

    /// Kills it, workers and all, as a crash would: without a word.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// What a person does: `nginx -s reload`.
    pub fn reload(&self) {
        self.signal(Signal::SIGHUP);
    }

    /// Signals the master process.
    pub fn signal(&self, signal: Signal) {
        if let Some(daemon) = &self.daemon {
            daemon.signal(signal);
        }
    }

    /// What it wrote to its error log.
    pub fn output(&self) -> String {
        self.daemon.as_ref().map(Daemon::output).unwrap_or_default()
    }

    /// The program with its standing arguments.
    pub fn command(&self) -> Vec<String> {
        let prefix = self.prefix.display().to_string();
        let program = program("nginx").display().to_string();
        let conf = format!("{prefix}/nginx.conf");
        [&program, "-p", &prefix, "-c", &conf, "-e", "stderr"]
            .map(str::to_owned)
            .to_vec()
    }

    /// The folder it includes `teal-*.conf` from.
    pub fn conf_dir(&self) -> PathBuf {
        self.prefix.join("conf.d")
    }

    /// A file that it includes as well, inside `http { }`, and that is nobody's but the user's.
    pub fn foreign(&self) -> PathBuf {
        self.prefix.join("foreign.conf")
    }

    /// Its main configuration file.
    pub fn main_file(&self) -> PathBuf {
        self.prefix.join("nginx.conf")
    }

    /// Its folder.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    fn configuration(&self) -> String {
        // Workers of a master that runs as root would be `nobody`, who cannot enter the sandbox.
        let user = match nix::unistd::getuid().is_root() {
            true => "user root;\n",
            false => "",
        };
        let alive = self.alive;
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("    {kind}_temp_path tmp/{kind};\n"))
            .concat();
        format!(
            "{user}daemon off;\npid nginx.pid;\nworker_processes 2;\nevents {{ worker_connections 256; }}\nhttp {{\n\
             {temporary}    access_log off;\n    include foreign.conf;\n    include conf.d/teal-*.conf;\n\
             \x20   server {{ listen {alive}; location / {{ return 200 alive; }} }}\n}}\n"
        )
    }
}
