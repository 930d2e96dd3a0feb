//! `teal doctor`: looks at everything around the server, and says what to do about what is wrong.

use super::args::Cli;
use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{cell, wrapped};
use crate::config::{ConfigError, Contact, Server};
use crate::doctor;
use crate::report::Tone;
use crate::web::types::{Finding, Health, Status};
use serde::Serialize;

/// As wide as what is printed where nobody says how wide the terminal is.
const WIDTH: usize = 80;
/// Before the words of each finding: two blanks, a sign of seven characters, one blank.
const INDENT: usize = 10;

/// What `--json` prints.
#[derive(Serialize)]
struct Examined {
    problems: usize,
    warnings: usize,
    findings: Vec<Finding>,
}

/// Looks, prints, and ends as badly as the worst of what was seen: 2 for the configuration, 3 for a server that cannot be
/// reached, 1 for anything else.
pub(super) async fn run(cli: &Cli, screen: &mut Screen) -> Result<Code, CliError> {
    let file = cli.config.as_deref();
    let loaded = Server::load_without_secrets(file);
    let contact = Contact::load(file).ok();
    let client = contact.as_ref().map(Client::of);
    let status = match &client {
        Some(client) => Some(client.get::<Status>("status", &[]).await),
        None => None,
    };
    let mut code = Code::Done;
    let mut found = vec![match &loaded {
        Ok(server) => configured(server),
        Err(error) => {
            code = Code::Usage;
            mistaken(error)
        }
    }];
    let status = match status {
        Some(Ok(status)) => Some(status),
        Some(Err(error)) => {
            if code == Code::Done {
                code = error.code();
            }
            let next = error.next().unwrap_or_default();
            found.push(Finding::problem("server", error.to_string(), next));
            None
        }
        None => None,
    };
    let state_dir = contact.as_ref().map(|contact| contact.state_dir.as_path());
    found.extend(doctor::machine(state_dir, status.as_ref()));
    if let Ok(server) = &loaded {
        found.extend(doctor::setup(server, status.as_ref()).await);
    }
    if let (Some(client), Some(status)) = (&client, &status) {
        let running = format!("Teal {} runs as process {}", status.version, status.pid);
        found.insert(1, Finding::good("server", running));
        found.extend(by_server(client).await);
    }
    let examined = examined(found);
    if code == Code::Done && examined.problems > 0 {
        code = Code::Failed;
    }
    if screen.json {
        screen.document(&examined)?;
    } else {
        print(&examined, screen);
    }
    Ok(code)
}

fn configured(server: &Server) -> Finding {
    let (apps, environments) = (server.apps.len(), server.environments().count());
    let file = server.file.display();
    let s = |count: usize| if count == 1 { "" } else { "s" };
    Finding::good(
        "configuration",
        format!(
            "{file}: {apps} app{}, {environments} environment{}",
            s(apps),
            s(environments)
        ),
    )
}

fn mistaken(error: &ConfigError) -> Finding {
    let (what, fix) = match error {
        ConfigError::Mistake(mistake) => (
            format!(
                "{}:{}:{}: {}",
                mistake.file.display(),
                mistake.line,
                mistake.column,
                mistake.message
            ),
            mistake.help.clone().unwrap_or_else(|| {
                "put that line right; config/teal.toml shows every key".to_owned()
            }),
        ),
        ConfigError::NotFound { looked } => {
            let places = looked.iter().map(|place| place.display().to_string());
            let places = places.collect::<Vec<_>>().join(", ");
            (
                format!("there is no teal.toml: looked for {places}"),
                "teal init <name of your app> writes ./teal.toml to start from; `--config FILE` names another one"
                    .to_owned(),
            )
        }
        error => (
            error.to_string(),
            "type it as root, or as the user who owns the server".to_owned(),
        ),
    };
    Finding::problem("configuration", what, fix)
}

/// What only the server's secrets can show.
async fn by_server(client: &Client) -> Vec<Finding> {
    let nothing = serde_json::Value::Null;
    match client.post::<Vec<Finding>>("doctor", &nothing).await {
        Ok(found) => found,
        Err(error) => {
            let next = error.next().unwrap_or_default();
            let what = format!("forges, chats and webhooks were not asked: {error}");
            vec![Finding::unknown("server", what, next)]
        }
    }
}

fn examined(findings: Vec<Finding>) -> Examined {
    let count = |health| findings.iter().filter(|one| one.health == health).count();
    Examined {
        problems: count(Health::Problem),
        warnings: count(Health::Warning),
        findings,
    }
}

fn print(examined: &Examined, screen: &mut Screen) {
    let width = screen.columns().unwrap_or(WIDTH);
    let mut area = "";
    for finding in &examined.findings {
        if finding.area != area {
            area = &finding.area;
            screen.line(&cell(Tone::Quiet, area));
        }
        let (sign, tone) = match finding.health {
            Health::Good => ("ok", Tone::Good),
            Health::Unknown => ("?", Tone::Quiet),
            Health::Warning => ("warning", Tone::Warning),
            Health::Problem => ("problem", Tone::Bad),
        };
        let sign = screen.painted(tone, &format!("{sign:<7}"));
        let mut lines = wrapped(&finding.what, width.saturating_sub(INDENT));
        let first = lines.remove(0);
        screen.say(format!("  {sign} {first}"));
        for line in lines {
            screen.say(format!("{:INDENT$}{line}", ""));
        }
        let fix = finding.fix.iter();
        for line in fix.flat_map(|fix| wrapped(&format!("fix: {fix}"), width - INDENT.min(width))) {
            screen.say(format!("{:INDENT$}{line}", ""));
        }
    }
    let words = match (examined.problems, examined.warnings) {
        (0, 0) => cell(Tone::Good, "all is well"),
        (0, warnings) => cell(Tone::Warning, counted(warnings, "warning")),
        (problems, 0) => cell(Tone::Bad, counted(problems, "problem")),
        (problems, warnings) => cell(
            Tone::Bad,
            format!(
                "{}, {}",
                counted(problems, "problem"),
                counted(warnings, "warning")
            ),
        ),
    };
    screen.say("");
    screen.line(&words);
}

fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::Paper;

    #[test]
    fn what_was_seen_is_listed_by_area_and_fits_a_terminal() {
        let findings = vec![
            Finding::good(
                "configuration",
                "/etc/teal/teal.toml: 2 apps, 3 environments",
            ),
            Finding::problem(
                "ports",
                "port 3001 (blue of shop/production) is held by process 4711 (`python3 -m http.server 3001`)",
                "stop it, or give shop/production other `ports` in /etc/teal/teal.toml",
            ),
            Finding::warning("names", "shop.example.com is not found", "add an A record"),
            Finding::unknown(
                "told",
                "team (teams): only a message would show it",
                "teal notify test team",
            ),
        ];
        let paper = Paper::default();
        print(&examined(findings), &mut paper.screen(false));
        let text = paper.text();
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        insta::assert_snapshot!(text, @r"
        configuration
          ok      /etc/teal/teal.toml: 2 apps, 3 environments
        ports
          problem port 3001 (blue of shop/production) is held by process 4711 (`python3
                  -m http.server 3001`)
                  fix: stop it, or give shop/production other `ports` in
                  /etc/teal/teal.toml
        names
          warning shop.example.com is not found
                  fix: add an A record
        told
          ?       team (teams): only a message would show it
                  fix: teal notify test team

        1 problem, 1 warning
        ");
    }
}
