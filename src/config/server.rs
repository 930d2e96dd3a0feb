use super::{AfterCi, ConfigError, ForgeApi, Notify, Proxy, Secret, Triggers};
use crate::domain::{AppName, Color, DeployHours, EnvId, Grants, Mode, People, Redirect};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The whole of `teal.toml` as it is meant.
#[derive(Debug, Clone)]
pub struct Server {
    /// The file it was read from, for messages.
    pub file: PathBuf,
    /// Teal's own state.
    pub state_dir: PathBuf,
    /// Where webhooks, dashboard, API and metrics listen.
    pub listen: SocketAddr,
    /// The address people and forges reach `listen` by, without a trailing slash; `http://<listen>` unless configured.
    pub public_url: String,
    /// Whether strangers may see how environments stand, without output and causes.
    pub public_page: bool,
    /// The host name that `teal init` prints in `git remote add`; this machine's name unless configured.
    pub ssh_host: Option<String>,
    /// Builds at a time, over all environments.
    pub build_slots: usize,
    /// How often configured remotes are compared with what serves, unless an environment says otherwise; zero: never.
    pub reconcile: Duration,
    /// What moves the traffic.
    pub proxy: Proxy,
    /// The apps by name.
    pub apps: BTreeMap<AppName, App>,
    /// Everybody who is known here, with their accounts.
    pub people: People,
    /// Who is told how deployments go, besides the forges.
    pub notify: Vec<Notify>,
    /// How the server's own log is written.
    pub log: LogFormat,
    /// Where each deployment's trace is sent; absent: nowhere.
    pub traces: Option<Traces>,
}

/// How the server's own log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON document per line.
    Json,
}

/// Where traces are sent: a collector that speaks OTLP over HTTP.
#[derive(Debug, Clone)]
pub struct Traces {
    /// Its address, without a trailing slash; `/v1/traces` is added.
    pub url: String,
    /// What it is shown as `Authorization: Bearer`.
    pub token: Option<Secret>,
}

/// Where the server of a configuration is reached from this machine.
#[derive(Debug, Clone)]
pub struct Contact {
    /// The file that says so.
    pub file: PathBuf,
    /// Teal's own state, with the socket in it.
    pub state_dir: PathBuf,
}

impl Server {
    /// The environment of that name.
    pub fn environment(&self, id: &EnvId) -> Option<&Environment> {
        let app = self.apps.get(&id.app)?;
        app.environments.iter().find(|env| &env.id == id)
    }

    /// The bare repository of an app.
    pub fn repo_path(&self, app: &AppName) -> PathBuf {
        self.state_dir.join("repos").join(format!("{app}.git"))
    }

    /// All environments of all apps.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.apps.values().flat_map(|app| &app.environments)
    }

    /// The ports that `count` services of one color take: its own and the next ones. Refused when one of them belongs to
    /// somebody else; only the recipe knows the count, so this cannot be seen when `teal.toml` is read.
    pub fn ports(&self, id: &EnvId, color: Color, count: u16) -> Result<Vec<u16>, ConfigError> {
        let unknown = || ConfigError::Ports(format!("there is no environment {id}"));
        let first = self.environment(id).ok_or_else(unknown)?.ports.of(color);
        let ports: Vec<u16> = (0..count).map_while(|nth| first.checked_add(nth)).collect();
        if ports.len() < usize::from(count) {
            let message = format!("{count} services of {id} do not fit above port {first}");
            return Err(ConfigError::Ports(message));
        }
        for port in &ports[1.min(ports.len())..] {
            if let Some(owner) = self.owner_of(*port) {
                return Err(ConfigError::Ports(format!(
                    "{count} services of {id} need the ports {first} to {}, but {port} belongs to {owner}; \
                     leave room between the ports in {}",
                    ports[ports.len() - 1],
                    self.file.display()
                )));
            }
        }
        Ok(ports)
    }

    /// Whose port this is, in words.
    fn owner_of(&self, port: u16) -> Option<String> {
        if self.listen.port() == port {
            return Some("`listen`".to_owned());
        }
        if self.proxy.addresses().iter().any(|a| a.port() == port) {
            return Some("the proxy".to_owned());
        }
        self.environments().find_map(|env| {
            Color::BOTH
                .into_iter()
                .find(|color| env.ports.of(*color) == port)
                .map(|color| format!("{color} of {}", env.id))
        })
    }
}

/// One app.
#[derive(Debug, Clone)]
pub struct App {
    /// Its name.
    pub name: AppName,
    /// Whose webhooks it takes; absent: pushed straight to this server.
    pub forge: Option<Forge>,
    /// Where it is fetched from; `https`, `http`, `ssh` only.
    pub repo: Option<String>,
    /// What signs its webhooks.
    pub webhook_secret: Option<Secret>,
    /// How it is fetched.
    pub credentials: Credentials,
    /// How its forge is told how deployments go; absent: it is not.
    pub api: Option<ForgeApi>,
    /// The most bytes that one push, or one fetch, may bring.
    pub largest_push: u64,
    /// Its environments, in the order of the file.
    pub environments: Vec<Environment>,
}

impl App {
    /// The branch that a clone of the app's repository checks out: production's, where that is one branch by name.
    pub fn main_branch(&self) -> &str {
        let production = self
            .environments
            .iter()
            .find(|env| env.id.env.as_str() == "production");
        production
            .or(self.environments.first())
            .into_iter()
            .flat_map(|env| &env.refs)
            .find_map(|rule| match rule {
                RefRule::Branch(name) if !name.contains(['*', '?', '[', '{']) => {
                    Some(name.as_str())
                }
                _ => None,
            })
            .unwrap_or("main")
    }

    /// The environments where a push of this ref (`refs/heads/main`) goes live, in the order of the file. A ref that is
    /// neither branch nor tag maps to nothing.
    pub fn environments_for(&self, ref_name: &str) -> Vec<&Environment> {
        self.environments
            .iter()
            .filter(|env| env.triggers.pushes && env.takes(ref_name))
            .collect()
    }
}

/// The kinds of forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forge {
    /// github.com or GitHub Enterprise.
    GitHub,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// GitLab.
    GitLab,
}

/// What is shown to the remote when fetching.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Nothing: a public repository, or none at all.
    None,
    /// A token over https.
    Token(Secret),
    /// A private key file over ssh.
    SshKey(PathBuf),
}

/// One environment of one app.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Which.
    pub id: EnvId,
    /// The refs that map to it.
    pub refs: Vec<RefRule>,
    /// The folder it lives in.
    pub root: PathBuf,
    /// The port of each color.
    pub ports: Ports,
    /// Its host names, the first one being the one people are shown.
    pub domains: Vec<String>,
    /// Host names that only redirect.
    pub redirects: Vec<Redirect>,
    /// Incremental or from scratch.
    pub mode: Mode,
    /// Whether a failed deployment rejects the push.
    pub on_push: OnPush,
    /// SIGTERM, then SIGKILL after this.
    pub drain: Duration,
    /// How long WebSockets of the old color may stay.
    pub drain_websockets: Duration,
    /// How long a request waits for a service that does not accept.
    pub hold: Duration,
    /// How long the old color stays up after a good deployment.
    pub keep_warm: Duration,
    /// How long a new release is watched before it is called live.
    pub observe: Duration,
    /// How many sealed releases are kept.
    pub backups: usize,
    /// How large the sealed releases may be together, in bytes; absent: as large as they are.
    pub backups_size: Option<u64>,
    /// How often its remote is compared with what serves; zero: never.
    pub reconcile: Duration,
    /// What makes a commit go live here.
    pub triggers: Triggers,
    /// The CI that a commit waits for before it may go live; absent: none.
    pub after: Option<AfterCi>,
    /// The hours in which pushes go live; absent: always.
    pub deploy_hours: Option<DeployHours>,
    /// Whose yes a release needs before it may serve; absent: nobody's.
    pub approval: Option<Approval>,
    /// Who may change what serves here; absent: whoever can push, and whoever may command the server.
    pub allow: Option<Grants>,
    /// What the app's commands and services may take of the machine.
    pub limits: EnvironmentLimits,
    /// The user that the app's commands and services run as; absent: the server's own.
    pub run_as: Option<String>,
}

impl Environment {
    /// Whether this ref is one of its own.
    pub fn takes(&self, ref_name: &str) -> bool {
        self.refs.iter().any(|rule| rule.matches(ref_name))
    }
}

/// Whose yes a release needs before it may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who may say it.
    pub by: Grants,
    /// How long it is waited for.
    pub timeout: Duration,
}

/// What an environment's commands and services may take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvironmentLimits {
    /// Bytes of memory of each process of the app; absent: as much as there is.
    pub memory: Option<u64>,
    /// Bytes of memory of install, build, test and migration, each; absent: three quarters of the machine's.
    pub build_memory: Option<u64>,
    /// Processes and threads of each of them.
    pub processes: u64,
    /// Bytes of output that the log of one command takes.
    pub log: u64,
}

/// The ports of one environment, on 127.0.0.1. A color whose `web` has a count above one takes the next ports as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Blue's.
    pub blue: u16,
    /// Green's.
    pub green: u16,
}

impl Ports {
    /// That color's.
    pub fn of(self, color: Color) -> u16 {
        match color {
            Color::Blue => self.blue,
            Color::Green => self.green,
        }
    }
}

/// Which refs an environment takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefRule {
    /// A branch by name or glob.
    Branch(String),
    /// A tag by name or glob.
    Tag(String),
}

impl fmt::Display for RefRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefRule::Branch(pattern) => f.write_str(pattern),
            RefRule::Tag(pattern) => write!(f, "tag {pattern}"),
        }
    }
}

impl RefRule {
    /// Whether the full ref name is one of these. `*` stays within one part of a name, `**` crosses `/`.
    pub fn matches(&self, ref_name: &str) -> bool {
        let (pattern, name) = match self {
            RefRule::Branch(pattern) => (pattern, ref_name.strip_prefix("refs/heads/")),
            RefRule::Tag(pattern) => (pattern, ref_name.strip_prefix("refs/tags/")),
        };
        name.is_some_and(|name| {
            name == pattern
                || super::refs::glob(pattern)
                    .is_ok_and(|glob| glob.compile_matcher().is_match(name))
        })
    }
}

/// What a failed deployment does to the push that asked for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnPush {
    /// The push lands whatever happens; the pusher is told.
    #[default]
    Report,
    /// The push is rejected and the ref does not move.
    Gate,
}
