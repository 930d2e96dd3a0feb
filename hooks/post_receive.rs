//! The refs have moved, and nothing said here can undo that. What the server makes of them is shown as it happens.

use crate::key::limits;
use crate::pusher::{Ear, Pusher, WAITS};
use crate::server::{Answer, Home, NoAnswer};
use std::io::{self, BufRead};
use std::time::Duration;
use teal::intake::hook_protocol::{DEPLOY_REFS, Line, Pushed, Update};
use teal::intake::spool;
use teal::keys::USER;
use teal::system::process;

const STORED: &str = "the push is stored and will be deployed when the server is back";

/// How long a server may take to say anything at all. The push has landed, and is kept for a server that takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(pusher: &mut Pusher) -> io::Result<()> {
    let home = Home::find()?;
    let updates = updates(pusher, io::stdin().lock())?;
    if updates.is_empty() {
        return Ok(());
    }
    let pushed = Pushed {
        app: home.app.clone(),
        options: options(),
        updates,
        user: std::env::var(USER).ok(),
        only: limits(),
        atomic: false,
        id: process::unique(),
    };
    let waits = || {
        pusher.say(WAITS);
    };
    match home.ask("post-receive", &pushed, PATIENCE, waits) {
        Ok(answer) => {
            if !watch(pusher, answer) {
                keep(pusher, &home, &pushed);
            }
        }
        Err(NoAnswer::Down) => {
            pusher.say(&format!("Teal is not running here: {STORED}"));
            keep(pusher, &home, &pushed);
        }
        Err(NoAnswer::Silent) => {
            pusher.say(&format!("Teal does not answer: {STORED}"));
            keep(pusher, &home, &pushed);
        }
        Err(NoAnswer::Unusable(why)) => {
            pusher.say(&format!("{why}\n{STORED}"));
            keep(pusher, &home, &pushed);
        }
        Err(NoAnswer::Refused(why)) => {
            pusher.say(&format!(
                "The push is stored, and Teal does not deploy it: {why}"
            ));
        }
    }
    Ok(())
}

/// The options have nowhere else to be kept; what was pushed is found by its ref in any case.
fn keep(pusher: &mut Pusher, home: &Home, pushed: &Pushed) {
    if let Err(error) = spool::keep(&home.repository, pushed)
        && !pushed.options.is_empty()
    {
        pusher.say(&format!("the push options are lost: {error}"));
    }
}

/// Shows what becomes of the push; whether the server has told of a deployment, or has nothing to deploy.
fn watch(pusher: &mut Pusher, answer: Answer) -> bool {
    let mut is_begun = false;
    for line in answer {
        match line {
            Ok(Line::Say(text)) if pusher.say(&text) != Ear::Open => return true,
            Ok(Line::LookAgain(command)) => {
                is_begun = true;
                pusher.may_look_again_with(command);
            }
            Ok(_) => {}
            Err(error) => {
                let look = pusher.look_again();
                pusher.say(&format!(
                    "The connection to Teal broke off ({error}); the push is stored, and what was begun is taken up when Teal is back; {look}"
                ));
                return is_begun;
            }
        }
    }
    true
}

/// The lines `<old> <new> <ref>`. Refs that only ask for a deployment were answered by proc-receive.
fn updates(pusher: &mut Pusher, lines: impl BufRead) -> io::Result<Vec<Update>> {
    let mut updates = Vec::new();
    for line in lines.split(b'\n') {
        let line = line?;
        match Update::read(&line) {
            Some(update) if update.ref_name.starts_with(DEPLOY_REFS) => {}
            Some(update) => updates.push(update),
            None => {
                let shown = String::from_utf8_lossy(&line).escape_debug().to_string();
                pusher.say(&format!("not deployed, because it cannot be read: {shown}"));
            }
        }
    }
    Ok(updates)
}

/// The words behind `-o`.
fn options() -> Vec<String> {
    let count = std::env::var("GIT_PUSH_OPTION_COUNT")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0);
    (0..count)
        .map_while(|n: usize| std::env::var_os(format!("GIT_PUSH_OPTION_{n}")))
        .map(|option| option.to_string_lossy().into_owned())
        .collect()
}
