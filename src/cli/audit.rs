//! `teal history --audit [env]`.

use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{Table, cell, plain};
use crate::domain::{Audited, Verdict};
use crate::report::{Tone, ago, one_line};
use crate::system::clock;
use crate::web::types::Which;

/// Lists who did what, newest first.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    limit: u32,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let limit = limit.to_string();
    let [env, app] = named(which);
    let lines: Vec<Audited> = client
        .get("audit", &[env, app, ("limit", Some(&limit))])
        .await?;
    if screen.json {
        return screen.document(&lines);
    }
    if lines.is_empty() {
        screen.say("nobody has done anything yet");
        return Ok(Code::Done);
    }
    screen.table(&table(&lines, clock::now_ms()));
    Ok(Code::Done)
}

fn table(lines: &[Audited], now_ms: i64) -> Table {
    let heads = ["WHEN", "WHO", "AS", "DID", "TO", "BY", "DEPLOYMENT"];
    let mut table = Table::new(&heads, 2);
    for line in lines {
        let did = match line.verdict {
            Verdict::Allowed => plain(line.act.as_str()),
            Verdict::Refused => cell(Tone::Bad, format!("{}: refused", line.act)),
        };
        let cells = vec![
            plain(ago(now_ms, line.at_ms)),
            plain(one_line(&line.who, 12)),
            plain(one_line(account(&line.account), 40)),
            did,
            plain(line.env.to_string()),
            plain(line.door.as_str()),
            plain(what(line)),
        ];
        table.row(cells, Vec::new());
    }
    table
}

fn account(text: &str) -> &str {
    text.strip_prefix("the ").unwrap_or(text)
}

fn what(line: &Audited) -> String {
    let number = line.deployment.map(|id| id.to_string());
    let about = Some(one_line(&line.about, 60)).filter(|about| !about.is_empty());
    let parts: Vec<String> = number.into_iter().chain(about).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Paint;
    use crate::cli::samples::{self, MINUTE};
    use crate::domain::{Account, Act, Origin};

    #[test]
    fn what_was_done_and_what_was_refused_stand_side_by_side() {
        let done = Audited {
            seq: 2,
            at_ms: samples::NOW - MINUTE,
            who: "ada".to_owned(),
            account: Account::Key("laptop".to_owned()).to_string(),
            door: Origin::Hook,
            act: Act::Deploy,
            env: "shop/production".parse().unwrap(),
            verdict: Verdict::Allowed,
            deployment: Some(42),
            about: "main".to_owned(),
        };
        let refused = Audited {
            who: "eve".to_owned(),
            account: Account::Unix("eve".to_owned()).to_string(),
            door: Origin::Cli,
            act: Act::Rollback,
            verdict: Verdict::Refused,
            deployment: None,
            about: String::new(),
            ..done.clone()
        };
        let shown = table(&[done, refused], samples::NOW).render(None, Paint::default());
        insta::assert_snapshot!(shown.join("\n"), @r"
        WHEN       WHO  AS              DID                TO               BY       DEPLOYMENT
        1 min ago  ada  ssh key laptop  deploy             shop/production  push     42 main
        1 min ago  eve  unix user eve   rollback: refused  shop/production  command
        ");
    }
}
