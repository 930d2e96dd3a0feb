//! `teal user …`: who may use the dashboard, and the tokens of scripts.

use super::args::{TokenCommand, UserCommand};
use super::client::Client;
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{Table, cell, plain};
use crate::report::{Tone, ago, one_line, span};
use crate::system::clock;
use crate::web::types::{Link, NewToken, TokenRequest, UserRequest, Users};

/// Does what was typed.
pub(super) async fn run(
    client: &Client,
    command: &UserCommand,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    match command {
        UserCommand::Add(args) => {
            let request = UserRequest {
                name: args.name.clone(),
                role: args.role,
                env: args.env.clone(),
            };
            link(&client.post("users", &request).await?, screen)
        }
        UserCommand::Link(args) => {
            let path = format!("users/{}/link", segment(&args.name));
            link(&client.post(&path, &()).await?, screen)
        }
        UserCommand::List => list(&client.get("users", &[]).await?, screen),
        UserCommand::Remove(args) => {
            let path = format!("users/{}/remove", segment(&args.name));
            let _: serde_json::Value = client.post(&path, &()).await?;
            let name = &args.name;
            if screen.json {
                return screen.document(&serde_json::json!({ "removed": name }));
            }
            screen.say(format!(
                "{name} is signed out everywhere, and their tokens have ended"
            ));
            Ok(Code::Done)
        }
        UserCommand::Token { command } => token(client, command, screen).await,
    }
}

fn link(link: &Link, screen: &mut Screen) -> Result<Code, CliError> {
    if screen.json {
        return screen.document(link);
    }
    let good = span(link.expires_ms - clock::now_ms());
    screen.say(format!(
        "{} signs in with this link, once, within {good}:",
        link.name
    ));
    screen.say(format!("  {}", link.url));
    Ok(Code::Done)
}

fn list(all: &Users, screen: &mut Screen) -> Result<Code, CliError> {
    if screen.json {
        return screen.document(all);
    }
    if all.users.is_empty() {
        screen.say("nobody may sign in yet: teal user add NAME --role look");
        return Ok(Code::Done);
    }
    screen.table(&table(all, clock::now_ms()));
    Ok(Code::Done)
}

fn table(all: &Users, now_ms: i64) -> Table {
    let mut table = Table::new(&["USER", "MAY"], 1);
    for user in &all.users {
        let rights = user.rights.iter().map(|right| match &right.env {
            Some(env) => format!("{} in {env}", right.role),
            None => format!("{} everywhere", right.role),
        });
        let tokens = user.tokens.iter().map(|token| {
            let used = token.used_ms.map_or_else(
                || "never used".to_owned(),
                |at| format!("used {}", ago(now_ms, at)),
            );
            let label = one_line(&token.label, 60);
            cell(
                Tone::Quiet,
                format!("  token {}: {label}, {used}", token.id),
            )
        });
        let rights = rights.collect::<Vec<_>>().join(", ");
        table.row(vec![plain(&user.name), plain(rights)], tokens.collect());
    }
    table
}

async fn token(
    client: &Client,
    command: &TokenCommand,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    match command {
        TokenCommand::Add(args) => {
            let request = TokenRequest {
                name: args.name.clone(),
                label: args.label.clone(),
            };
            let made: NewToken = client.post("tokens", &request).await?;
            if screen.json {
                return screen.document(&made);
            }
            let user = &args.name;
            screen.say(format!(
                "token {} has the rights of {user}; it is shown only now:",
                made.id
            ));
            screen.say(format!("  {}", made.token));
        }
        TokenCommand::Revoke(args) => {
            let path = format!("tokens/{}/revoke", args.id);
            let _: serde_json::Value = client.post(&path, &()).await?;
            if screen.json {
                return screen.document(&serde_json::json!({ "revoked": args.id }));
            }
            screen.say(format!("token {} has ended", args.id));
        }
    }
    Ok(Code::Done)
}

/// A name as a part of a path: what could be no name anyway stays within it.
fn segment(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Paint;
    use crate::cli::samples::{MINUTE, NOW};
    use crate::domain::{Right, Role};
    use crate::web::types::{TokenShown, UserShown};

    #[test]
    fn users_are_listed_with_their_rights_and_tokens() {
        let ann = UserShown {
            name: "ann".to_owned(),
            rights: vec![
                Right {
                    env: None,
                    role: Role::Look,
                },
                Right {
                    env: Some("shop/staging".parse().unwrap()),
                    role: Role::Deploy,
                },
            ],
            tokens: vec![TokenShown {
                id: 3,
                label: "nightly".to_owned(),
                created_ms: NOW - 90 * MINUTE,
                used_ms: Some(NOW - 5 * MINUTE),
            }],
        };
        let shown = table(&Users { users: vec![ann] }, NOW).render(Some(80), Paint::default());
        insta::assert_snapshot!(shown.join("\n"), @r"
        USER  MAY
        ann   look everywhere, deploy in shop/staging
          token 3: nightly, used 5 min ago
        ");
    }
}
