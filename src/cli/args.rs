//! What may be typed.

use super::offers::{apps, environments, roles};
use super::until::until;
use crate::domain::{DeploymentId, Role};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::ArgValueCompleter;
use jiff::Zoned;
use std::ffi::OsString;
use std::path::PathBuf;

/// Push to deploy, on your own server: nothing dropped on the way, and a way back that is always open.
#[derive(Debug, Parser)]
#[command(name = "teal", version, max_term_width = 100, infer_long_args = true)]
#[command(
    after_help = "Exit codes: 0 done · 1 the deployment failed or was rolled back · 2 usage or configuration · \
                        3 the server cannot be reached · 4 refused"
)]
pub(super) struct Cli {
    /// The server's configuration [default: ./teal.toml, else /etc/teal/teal.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON: one document, or one per line where lines follow one another
    #[arg(long, global = true)]
    pub json: bool,
    /// The app, where an environment's name alone does not tell
    #[arg(long, global = true, value_name = "APP", add = ArgValueCompleter::new(apps))]
    pub app: Option<String>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make the repositories to push to, and say how; without a configuration, write one to start from
    Init(Init),
    /// Run the server
    Serve,
    /// Show how the app in this folder would be built and run, or what a deployment would do
    Plan(Plan),
    /// Deploy, and show each step until it is live
    Deploy(Deploy),
    /// Show what serves, what runs and what waits
    Status(MaybeEnv),
    /// Watch all environments live: what serves, its traffic, what runs
    Top(MaybeEnv),
    /// List deployments, newest first; with --audit, who did what
    History(History),
    /// Show what a deployment's steps printed, or what an environment's service prints
    Logs(Logs),
    /// Go back to the release that served before, or to an older one
    Rollback(Rollback),
    /// Deploy exactly what one environment serves to another one, without building it again
    Promote(Promote),
    /// List the sealed releases that can be gone back to
    Backups(Backups),
    /// Stop a deployment that waits or runs
    Cancel(Cancel),
    /// Say yes to a deployment that waits for it: it goes live
    Approve(Answer),
    /// Say no to a deployment that waits for a yes: it ends, and what serves goes on
    Reject(Answer),
    /// Start the release that serves once more, without losing a request
    Restart(Follow),
    /// The app's own configuration
    Env(Variables),
    /// Run a one-off command with the release's code and environment
    Run(Run),
    /// Show visitors the maintenance page, or stop showing it
    Maintenance(Maintenance),
    /// Make pushes to an environment wait, or let them go on
    Freeze(Freeze),
    /// Take an environment down: stop it, and remove its releases, backups and settings
    Destroy(Destroy),
    /// The ssh keys that may push to an app or environment, and do nothing else
    Key(Keys),
    /// Who is told how deployments go
    Notify(Notify),
    /// Look at everything around the server, and say what to do about what is wrong
    Doctor,
    /// Print what a shell needs to complete commands
    Completions(Completions),
    /// Print the manual, or write a page for each command
    Man(Man),
    /// Let people use the dashboard, and scripts the API
    User {
        /// What to do
        #[command(subcommand)]
        command: UserCommand,
    },
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The app to start a configuration for, when there is none yet
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Env {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
}

#[derive(Debug, Args)]
pub(super) struct MaybeEnv {
    /// Only this environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The environment; without one, the repository in this folder is looked at
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: Option<String>,
    /// A branch, a tag or a commit [default: what the environment's branch points to]
    #[arg(long = "ref", value_name = "REF", requires = "env")]
    pub ref_name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Deploy {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// Incremental: only what changed is done again
    #[arg(long, conflicts_with = "full")]
    pub fast: bool,
    /// From scratch
    #[arg(long)]
    pub full: bool,
    /// A branch, a tag or a commit [default: what the environment's branch points to]
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// Leave the test step out
    #[arg(long)]
    pub skip_tests: bool,
    /// Do not wait for the end of a freeze
    #[arg(long)]
    pub now: bool,
    /// Return at once instead of showing the steps
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct History {
    /// Only this environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: Option<String>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// List who did or wanted what, when, and through which door
    #[arg(long)]
    pub audit: bool,
}

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// A deployment's number, or an environment
    #[arg(value_name = "DEPLOYMENT|ENV", add = ArgValueCompleter::new(environments))]
    pub of: String,
    /// Go on with what is printed from now on
    #[arg(long, short)]
    pub follow: bool,
    /// Only this step of the deployment: `build`, `service`
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// Only this process of the environment: `mailer`, `mailer.1` [default: web]
    #[arg(long, value_name = "PROCESS", conflicts_with = "step")]
    pub process: Option<String>,
    /// Where the time of the deployment went, step by step
    #[arg(long, conflicts_with_all = ["follow", "step"])]
    pub timing: bool,
    /// The same as a picture
    #[arg(long, requires = "timing")]
    pub svg: bool,
}

#[derive(Debug, Args)]
pub(super) struct Backups {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// Read every file again and compare it with what was sealed; exits with 1 when one differs
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// A backup's name or a deployment's number [default: the release that served before]
    #[arg(long, value_name = "BACKUP|DEPLOYMENT")]
    pub to: Option<String>,
    /// Go back although the database was migrated since, which is not undone
    #[arg(long)]
    pub yes: bool,
    /// Return at once instead of showing the steps
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct Promote {
    /// The environment that serves it: `staging`, or `app/staging`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub from: String,
    /// The environment that gets it
    #[arg(add = ArgValueCompleter::new(environments))]
    pub to: String,
    /// Do not wait for the end of a freeze
    #[arg(long)]
    pub now: bool,
    /// Return at once instead of showing the steps
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The deployment's number
    pub deployment: DeploymentId,
}

#[derive(Debug, Args)]
pub(super) struct Answer {
    /// The deployment's number
    pub deployment: DeploymentId,
    /// In what words; whoever pushed reads them
    #[arg(long, short, value_name = "WHY")]
    pub message: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Follow {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// Return at once instead of showing the steps
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct Variables {
    #[command(subcommand)]
    pub command: VariablesCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum VariablesCommand {
    /// Set values, and bring them live without a build
    Set(Set),
    /// Take values out, and bring that live without a build
    Unset(Unset),
    /// List the names, and with --show the values
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// The values
    #[arg(value_name = "KEY=VALUE", required_unless_present = "stdin")]
    pub values: Vec<String>,
    /// Read the value of this name from stdin, so that no shell history keeps it
    #[arg(long, value_name = "KEY")]
    pub stdin: Option<String>,
    /// Return at once instead of showing the steps
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct Unset {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// The names
    #[arg(value_name = "KEY", required = true)]
    pub names: Vec<String>,
    /// Return at once instead of showing the steps
    #[arg(long)]
    pub detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// Show the values too
    #[arg(long)]
    pub show: bool,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// The command and its arguments, behind `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// When it ends by itself: 18:00, 2026-11-27, "2026-11-27 09:00", 2h [default: when it is lifted]
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub until: Option<i64>,
    /// What for; everybody who waits reads it
    #[arg(long, short, value_name = "WHY")]
    pub message: Option<String>,
    /// End the freeze
    #[arg(long, conflicts_with_all = ["until", "message"])]
    pub lift: bool,
}

fn moment(text: &str) -> Result<i64, String> {
    until(text, &Zoned::now())
}

#[derive(Debug, Args)]
pub(super) struct Maintenance {
    /// On or off
    pub state: Switch,
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
}

#[derive(Debug, Args)]
pub(super) struct Destroy {
    /// The environment: `production`, or `app/production`
    #[arg(add = ArgValueCompleter::new(environments))]
    pub env: String,
    /// Do it; without this, say what would be lost
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Keys {
    /// The file that sshd reads [default: ~/.ssh/authorized_keys of the user who owns the server]
    #[arg(long, global = true, value_name = "FILE")]
    pub authorized_keys: Option<PathBuf>,
    #[command(subcommand)]
    pub command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Let a key push, and do nothing else; a key that is there already reaches more
    Add(KeyAdd),
    /// List the keys, whose they are, and what they may push to
    List,
    /// Take a key out
    Remove(KeyRemove),
}

#[derive(Debug, Args)]
pub(super) struct KeyAdd {
    /// What the key is called: a person's name, or one of the person's `keys`
    pub name: String,
    /// The public key in quotes, a .pub file, or - for stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub key: String,
    /// An environment that it may push to; may be given several times [default: all of --app]
    #[arg(long, value_name = "ENV", add = ArgValueCompleter::new(environments))]
    pub env: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct KeyRemove {
    /// What the key is called
    pub name: String,
}

#[derive(Debug, Args)]
pub(super) struct Notify {
    #[command(subcommand)]
    pub command: NotifyCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum NotifyCommand {
    /// List everybody who is told
    List,
    /// Send an example, and say what was answered
    Test(NotifyTest),
}

#[derive(Debug, Args)]
pub(super) struct NotifyTest {
    /// Whom to send it to, as `teal notify list` names them [default: everybody]
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Let somebody in, or give them one more role; prints a one-time link
    Add(UserAdd),
    /// Print a new one-time link for somebody
    Link(UserName),
    /// List who may sign in, what they may do, and their tokens
    List,
    /// Let somebody in no longer: their sessions and tokens end
    Remove(UserName),
    /// Tokens for scripts
    Token {
        /// What to do
        #[command(subcommand)]
        command: TokenCommand,
    },
}

#[derive(Debug, Args)]
pub(super) struct UserAdd {
    /// Their name: lower-case letters, digits and `-`
    pub name: String,
    /// What they may do: look, deploy, approve or admin; each may do what those before it may
    #[arg(long, add = ArgValueCompleter::new(roles))]
    pub role: Role,
    /// Only in this environment; may be given several times [default: everywhere]
    #[arg(long, value_name = "ENV", add = ArgValueCompleter::new(environments))]
    pub env: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct UserName {
    /// Their name
    pub name: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token with somebody's rights; it is printed once
    Add(TokenAdd),
    /// End a token
    Revoke(TokenId),
}

#[derive(Debug, Args)]
pub(super) struct TokenAdd {
    /// Whose rights it has
    pub name: String,
    /// What it is for
    #[arg(long = "for", value_name = "WORDS")]
    pub label: String,
}

#[derive(Debug, Args)]
pub(super) struct TokenId {
    /// The token's number, as `teal user list` shows it
    pub id: i64,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell: bash, zsh or fish
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write all pages there, as `man` looks for them (/usr/local/share/man/man1)
    #[arg(value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
}

/// A shell that can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// Bash
    Bash,
    /// Fish
    Fish,
    /// Zsh
    Zsh,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// Visitors see the maintenance page.
    On,
    /// Visitors see the app.
    Off,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, String> {
        let words = std::iter::once("teal").chain(line.split_whitespace());
        Cli::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn the_commands_are_whole() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_behind_the_command() {
        for line in [
            "--json --app arq status production",
            "status production --app arq --json",
        ] {
            let cli = parse(line).unwrap();
            assert!(cli.json && cli.app.as_deref() == Some("arq"), "{line}");
        }
    }

    #[test]
    fn a_one_off_command_keeps_its_own_options() {
        let cli = parse("run production -- node -e --json").unwrap();
        assert!(!cli.json);
        let Command::Run(run) = cli.command else {
            panic!("not run")
        };
        assert_eq!(run.command, ["node", "-e", "--json"]);
        assert!(parse("run production").is_err());
    }

    #[test]
    fn what_contradicts_itself_or_lacks_something_is_refused() {
        for line in [
            "deploy production --fast --full",
            "deploy",
            "env set production",
            "env unset production",
            "maintenance maybe production",
            "cancel forty-two",
            "history --limit 0",
            "plan --ref main",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("env set production --stdin TOKEN").is_ok());
    }

    #[test]
    fn a_mistyped_command_is_answered_with_the_nearest_one() {
        let error = parse("rolback production").unwrap_err();
        assert!(error.contains("'rollback'"), "{error}");
    }

    /// The commands of a text that somebody would type: lines of shell blocks, and in guides what stands between backticks.
    fn commands(text: &str, inline: bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut in_block = false;
        for line in text.lines() {
            if let Some(kind) = line.trim().strip_prefix("```") {
                in_block = kind == "sh";
            } else if in_block {
                let line = line.split(" #").next().unwrap_or_default();
                found.extend(line.split("&&").map(str::to_owned));
            } else if inline {
                found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            }
        }
        let typed = |command: String| {
            let command = command.split(" | ").next().unwrap_or_default().trim();
            let command = command
                .trim_start_matches("sudo ")
                .trim_start_matches("-u teal ");
            command.strip_prefix("teal ").map(str::to_owned)
        };
        found.into_iter().filter_map(typed).collect()
    }

    #[test]
    fn every_command_that_the_guides_show_can_be_typed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guides");
        let mut texts = vec![(include_str!("../../README.md").to_owned(), false)];
        for guide in std::fs::read_dir(folder).unwrap() {
            texts.push((
                std::fs::read_to_string(guide.unwrap().path()).unwrap(),
                true,
            ));
        }
        let mut seen = 0;
        for (text, inline) in texts {
            for command in commands(&text, inline) {
                if command.starts_with("static") {
                    continue;
                }
                let words = std::iter::once("teal").chain(command.split_whitespace());
                let wrong = Cli::try_parse_from(words).err();
                // What is only named need not be complete.
                let lacking = clap::error::ErrorKind::MissingRequiredArgument;
                if let Some(error) = wrong.filter(|error| !inline || error.kind() != lacking) {
                    panic!("teal {command}: {error}");
                }
                seen += 1;
            }
        }
        assert!(seen > 25, "{seen}");
    }
}
