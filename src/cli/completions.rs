//! `teal completions <shell>`: what a shell reads once. At every Tab it then asks `teal` itself what may come next, so that
//! it knows this server's environments too.

use super::args::{Cli, Completions, Shell};
use super::failure::{CliError, Code};
use super::screen::Screen;
use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};

/// The variable that a shell asks with.
const ASKED: &str = "TEAL_COMPLETE";
const SHELLS: [&dyn EnvCompleter; 3] = [&Bash, &Fish, &Zsh];

/// zsh reads the file of a command when its first Tab is pressed, and has to answer that one too.
const FIRST_TAB: &str =
    r#"if [ "$funcstack[1]" = "_teal" ]; then _clap_dynamic_completer_teal "$@"; fi"#;

/// Prints the script that a shell reads.
pub(super) fn run(args: &Completions, screen: &mut Screen) -> Result<Code, CliError> {
    let asks: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Fish => &Fish,
        Shell::Zsh => &Zsh,
    };
    let mut script = Vec::new();
    asks.write_registration(ASKED, "teal", "teal", "teal", &mut script)
        .map_err(|error| CliError::local("cannot make the script", error))?;
    screen.bytes(&script);
    if args.shell == Shell::Zsh {
        screen.say(FIRST_TAB);
    }
    Ok(Code::Done)
}

/// Ends the process with an answer if it was a shell that started it in order to ask.
pub(super) fn answer() {
    CompleteEnv::with_factory(Cli::command)
        .var(ASKED)
        .shells(Shells(&SHELLS))
        .complete();
}
