use super::{Answer, App, Connection, Daemon, Git, LONG, Load, Outcome, Plan, Sandbox};
use super::{get, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is going to stand in `teal.toml`: apps and environments with their keys. Whatever a scenario does not say gets a
/// value that makes it quick: short observation, short drain, free ports.
#[derive(Default)]
pub struct TealPlan {
    top: String,
    apps: Vec<(String, String)>,
    environments: Vec<(String, String, String)>,
    variables: Vec<(String, String)>,
}

/// What an environment has unless the scenario says otherwise.
const QUICK: [(&str, &str); 3] = [
    ("observe", "\"300ms\""),
    ("drain", "\"5s\""),
    ("drain_websockets", "\"1s\""),
];

impl TealPlan {
    /// Lines at the top of the file, before the first table.
    pub fn top(mut self, lines: &str) -> Self {
        self.top.push_str(lines);
        self.top.push('\n');
        self
    }

    /// The keys of `[apps.<app>]`.
    pub fn app(mut self, app: &str, lines: &str) -> Self {
        self.apps.push((app.to_owned(), lines.to_owned()));
        self
    }

    /// The keys of `[apps.<app>.environments.<env>]`. Its domain is `<env>.<app>.test` unless the keys name one.
    pub fn environment(mut self, app: &str, env: &str, lines: &str) -> Self {
        let named = (app.to_owned(), env.to_owned(), lines.to_owned());
        self.environments.push(named);
        self
    }

    /// An environment variable of the server and of the commands.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the configuration and runs `teal init`; the server is not started yet.
    #[track_caller]
    pub fn init(self, sandbox: Sandbox) -> Teal {
        let listen = SocketAddr::from(([127, 0, 0, 1], sandbox.port()));
        let proxy = SocketAddr::from(([127, 0, 0, 1], sandbox.port()));
        let config = sandbox.write("teal.toml", self.text(&sandbox, listen, proxy));
        let teal = Teal {
            server: None,
            config,
            listen,
            proxy,
            variables: self.variables,
            boot: None,
            program: PathBuf::from(env!("CARGO_BIN_EXE_teal")),
            sandbox,
        };
        teal.cli(["init"]).ok();
        teal
    }

    /// The same, with the server running.
    #[track_caller]
    pub fn start(self) -> Teal {
        let mut teal = self.init(Sandbox::new());
        teal.serve();
        teal
    }

    fn text(&self, sandbox: &Sandbox, listen: SocketAddr, proxy: SocketAddr) -> String {
        let folder = sandbox.path().display();
        let mut text = format!(
            "state_dir = \"{folder}/state\"\napps_dir = \"{folder}/srv\"\nlisten = \"{listen}\"\n{}",
            self.top
        );
        if !self.top.contains("[proxy]") {
            text.push_str(&format!("\n[proxy]\nlisten = [\"{proxy}\"]\n"));
        }
        for (app, lines) in &self.apps {
            text.push_str(&format!("\n[apps.{app}]\n{lines}\n"));
        }
        for (app, env, lines) in &self.environments {
            text.push_str(&format!("\n[apps.{app}.environments.{env}]\n{lines}\n"));
            let typed = |key: &str| lines.lines().any(|line| line.trim_start().starts_with(key));
            for (key, value) in QUICK.iter().filter(|(key, _)| !typed(&format!("{key} "))) {
                text.push_str(&format!("{key} = {value}\n"));
            }
            if !typed("ports") {
                let blue = sandbox.ports_in_a_row(2);
                let green = blue + 1;
                text.push_str(&format!("ports = {{ blue = {blue}, green = {green} }}\n"));
            }
            if !typed("domain") {
                text.push_str(&format!("domain = \"{env}.{app}.test\"\n"));
            }
        }
        text
    }
}

/// The same command where the machine's start has another name: in a mount namespace of its own.
fn after_boot(boot: &Path, command: &Command) -> Command {
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "sh", "-c"]);
    wrapped.arg("mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"");
    wrapped
        .arg(boot)
        .arg(command.get_program())
        .args(command.get_args());
    wrapped.env_clear();
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap_or_default());
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}

/// The states that a deployment does not leave.
const ENDS: [&str; 6] = [
    "live",
    "failed",
    "rolled_back",
    "superseded",
    "cancelled",
    "interrupted",
];

/// A server with Teal on it, in a sandbox: `teal.toml`, its state, its environments, and, while it is started, `teal
/// serve` with the proxy and the services. Everything ends with it.
pub struct Teal {
    server: Option<Daemon>,
    config: PathBuf,
    listen: SocketAddr,
    proxy: SocketAddr,
    variables: Vec<(String, String)>,
    /// What the server sees as the name of the machine's start, where it is not the true one.
    boot: Option<PathBuf>,
    /// The program that is run as `teal`.
    program: PathBuf,
    /// Dropped last: it ends whatever outlives the server.
    pub sandbox: Sandbox,
}

impl Teal {
    /// A plan to which apps and environments are added.
    pub fn plan() -> TealPlan {
        TealPlan::default()
    }

    /// The app `shop` with the environment `production` on branch `main`, and the server running.
    #[track_caller]
    pub fn shop() -> Teal {
        Teal::shop_with("")
    }

    /// The same, with these keys for `production`.
    #[track_caller]
    pub fn shop_with(lines: &str) -> Teal {
        Teal::plan()
            .environment("shop", "production", lines)
            .start()
    }

    /// A `teal` command, ready to be run: hermetic, and with the scenario's configuration.
    pub fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.sandbox.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.sandbox.dir("home"))
            .env("LC_ALL", "C.UTF-8")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .arg("--config")
            .arg(&self.config)
            .args(words);
        command
    }

    /// Runs a `teal` command to its end.
    #[track_caller]
    pub fn cli<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Outcome {
        Outcome::of(&mut self.command(words))
    }

    /// What a command says with `--json`, of a command that has to work.
    #[track_caller]
    pub fn json<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Value {
        let text = Outcome::of(self.command(words).arg("--json")).ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }

    /// Starts `teal serve`, and waits until it is ready.
    #[track_caller]
    pub fn serve(&mut self) {
        self.serve_with(&[]);
    }

    /// The same, with more environment variables for this one run.
    #[track_caller]
    pub fn serve_with(&mut self, variables: &[(&str, &str)]) {
        self.spawn_serve(variables);
        let listen = self.listen;
        let server = self.server.as_mut().expect("it was spawned");
        server.says("is ready");
        server.ready_when("teal serve is healthy", || {
            get(listen, "teal", "/healthz").is_ok_and(|answer| answer.status == 200)
        });
    }

    /// Starts `teal serve` without waiting for anything.
    pub fn spawn_serve(&mut self, variables: &[(&str, &str)]) {
        let mut command = self.command(["serve"]);
        command.envs(variables.iter().copied());
        if let Some(boot) = &self.boot {
            command = after_boot(boot, &command);
        }
        self.server = Some(Daemon::spawn("teal serve", &mut command));
    }

    /// The machine was started again: nothing of it runs, and the kernel has another name for this start. False, with the
    /// reason printed, where that cannot be pretended.
    pub fn reboot(&mut self) -> bool {
        self.server = None;
        self.sandbox.sweep();
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped: only root can pretend that the machine was started again");
            return false;
        }
        let random = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a name");
        self.boot = Some(self.sandbox.write("boot_id", random));
        true
    }

    /// The running server.
    #[track_caller]
    pub fn server(&mut self) -> &mut Daemon {
        self.server.as_mut().expect("the server runs")
    }

    /// What the server logged in this run, or nothing when it is stopped.
    pub fn log(&self) -> String {
        self.server.as_ref().map(Daemon::output).unwrap_or_default()
    }

    /// Ends the server with a signal, SIGTERM or SIGKILL; proxy and services go on.
    #[track_caller]
    pub fn stop(&mut self, signal: Signal) {
        self.server().stop(signal);
        self.server = None;
    }

    /// Where webhooks, dashboard and API listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where visitors come in.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// Another program is `teal` from now on: a newer build, say, with its hook beside it.
    pub fn become_program(&mut self, program: PathBuf) {
        self.program = program;
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Teal's own state.
    pub fn state_dir(&self) -> PathBuf {
        self.sandbox.join("state")
    }

    /// The folder of an environment: the default one.
    pub fn root(&self, app: &str, env: &str) -> PathBuf {
        match env {
            "production" => self.sandbox.join(format!("srv/{app}")),
            _ => self.sandbox.join(format!("srv/{app}-{env}")),
        }
    }

    /// The bare repository of an app.
    pub fn repository(&self, app: &str) -> PathBuf {
        self.state_dir().join(format!("repos/{app}.git"))
    }

    /// Git in the bare repository of an app.
    pub fn bare(&self, app: &str) -> Git {
        Git::at(&self.sandbox, self.repository(app))
    }

    /// The commit of a ref in an app's bare repository.
    pub fn tip(&self, app: &str, name: &str) -> Option<String> {
        let found = self
            .bare(app)
            .run(["rev-parse", "--verify", "--quiet", name]);
        (found.code == 0).then(|| found.stdout.trim().to_owned())
    }

    /// A small Python app at version `v1`, whose remote `production` is this server's repository for it.
    pub fn client(&self, app: &str) -> App {
        self.colleague(app, &format!("work-{app}"))
    }

    /// The same in another work tree: its commits up to `v1` are the same ones, and then it goes its own way.
    pub fn colleague(&self, app: &str, folder: &str) -> App {
        let client = App::python(&self.sandbox, folder);
        let repository = self.repository(app).display().to_string();
        let remote = ["remote", "add", "production", &repository];
        client.git().run(remote).ok();
        client
    }

    /// What a visitor of this host is answered, over a connection of its own.
    #[track_caller]
    pub fn visit(&self, host: &str, path: &str) -> Answer {
        get(self.proxy, host, path).unwrap_or_else(|error| panic!("{host}{path}: {error}"))
    }

    /// The version that serves at this host: the body of `/`.
    #[track_caller]
    pub fn serves(&self, host: &str) -> String {
        self.visit(host, "/").body.trim().to_owned()
    }

    /// A request with a body to the server's own address.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        Connection::open(self.listen)
            .and_then(|mut open| open.ask(method, "localhost", path, body))
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Visitors of this host who never stop asking.
    pub fn load(&self, host: &str) -> Load {
        Load::start(Plan::get(self.proxy, host))
    }

    /// Every deployment, oldest first, as `teal history --json` tells it.
    #[track_caller]
    pub fn history(&self) -> Vec<Value> {
        let mut all = match self.json(["history", "-n", "1000"]) {
            Value::Array(all) => all,
            other => panic!("not a list: {other}"),
        };
        all.reverse();
        all
    }

    /// The state of each deployment, oldest first.
    #[track_caller]
    pub fn states(&self) -> Vec<String> {
        let state = |one: &Value| one["state"].as_str().expect("a state").to_owned();
        self.history().iter().map(state).collect()
    }

    /// Waits until the deployments' states, oldest first, are these.
    #[track_caller]
    pub fn wait_for_states(&self, states: &[&str]) {
        let what = format!("the deployments are {states:?}");
        wait_until(LONG, &what, || {
            let seen = self.states();
            let is_over = |state: &String| ENDS.contains(&state.as_str());
            if seen != states && seen.len() >= states.len() && seen.iter().all(is_over) {
                panic!(
                    "{seen:?}, not {states:?}: {:#?}\n{}",
                    self.failures(),
                    self.log()
                );
            }
            seen == states
        });
    }

    /// What is known of the deployments that failed.
    pub fn failures(&self) -> Vec<Value> {
        let failed = self.history().into_iter();
        failed
            .map(|one| one["failure"].clone())
            .filter(|failure| !failure.is_null())
            .collect()
    }

    /// Waits until this file in the sandbox is there.
    #[track_caller]
    pub fn wait_for_file(&self, name: &str) {
        let path = self.sandbox.join(name);
        wait_until(LONG, &format!("{} is there", path.display()), || {
            path.exists()
        });
    }

    /// A command line that makes the file `<name>-waits` and then waits until somebody makes `<name>-goes` (with
    /// [`Teal::let_go`]): how a scenario stops a build, a migration or a start where it wants to look.
    pub fn waiting(&self, name: &str) -> String {
        let at = self.sandbox.join(name).display().to_string();
        format!("touch {at}-waits; while [ ! -e {at}-goes ]; do sleep 0.02; done")
    }

    /// Waits until the command of [`Teal::waiting`] runs.
    #[track_caller]
    pub fn wait_for_waiting(&self, name: &str) {
        self.wait_for_file(&format!("{name}-waits"));
    }

    /// Lets the command of [`Teal::waiting`] end.
    pub fn let_go(&self, name: &str) {
        fs::write(self.sandbox.join(format!("{name}-goes")), "").expect("a file in the sandbox");
    }
}
