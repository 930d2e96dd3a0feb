//! `teal backups <env>`.

use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::moments::ago;
use super::screen::Screen;
use super::table::{Table, cell, plain};
use super::tame::one_line;
use crate::report::Tone;
use crate::system::clock;
use crate::web::types::{BackupShown, Which};

/// Lists the sealed releases that can be gone back to.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let backups: Vec<BackupShown> = client.get("backups", &named(which)).await?;
    if screen.json {
        return screen.document(&backups);
    }
    if backups.is_empty() {
        screen.say(
            "no backups yet: a release is sealed when it is built and kept once it has served",
        );
        return Ok(Code::Done);
    }
    screen.table(&table(&backups, clock::now_ms()));
    if backups.iter().any(|backup| !backup.serving) {
        screen.say(format!(
            "go back with: teal rollback {} --to <name>",
            which.env
        ));
    }
    Ok(Code::Done)
}

fn table(backups: &[BackupShown], now_ms: i64) -> Table {
    let mut table = Table::new(&["NAME", "DEPLOYMENT", "COMMIT", "SEALED", ""], 2);
    for backup in backups {
        let subject = one_line(backup.subject.as_deref().unwrap_or_default(), 200);
        let what = format!("{} {subject}", backup.commit.short());
        let cells = vec![
            plain(backup.name.as_str()),
            plain(backup.deployment.to_string()),
            plain(what.trim_end()),
            plain(ago(now_ms, backup.created_ms)),
            cell(Tone::Good, if backup.serving { "serves" } else { "" }),
        ];
        table.row(cells, Vec::new());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paint::Paint;
    use crate::cli::samples::{MINUTE, NOW, commit};

    #[test]
    fn the_one_that_serves_is_marked() {
        let backup = |name: &str, deployment, start, minutes: i64, serving| BackupShown {
            name: name.to_owned(),
            deployment,
            commit: commit(start),
            subject: Some("Fix the login form on small screens".to_owned()),
            created_ms: NOW - minutes * MINUTE,
            serving,
        };
        let backups = [
            backup("backup-20261119-101500", 42, "1a2b3c4d5", 15, true),
            backup("backup-20261116-090000", 7, "99887766a", 4400, false),
        ];
        insta::assert_snapshot!(table(&backups, NOW).render(Some(80), Paint::default()).join("\n"), @r"
        NAME                    DEPLOYMENT  COMMIT                    SEALED
        backup-20261119-101500  42          1a2b3c4d5 Fix the login…  15 min ago  serves
        backup-20261116-090000  7           99887766a Fix the login…  3 d ago
        ");
    }
}
