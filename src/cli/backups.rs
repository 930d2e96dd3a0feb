//! `teal backups <env>`.

use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::{Table, cell, plain};
use crate::report::Tone;
use crate::report::{ago, one_line};
use crate::system::clock;
use crate::web::types::{BackupShown, BackupVerified, Which};

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

/// Has the server read every file of every backup again; names each one that is not what was sealed.
pub(super) async fn verify(
    client: &Client,
    which: &Which,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let verified: Vec<BackupVerified> = client.get("backups/verify", &named(which)).await?;
    let whole = verified.iter().all(|backup| backup.differences.is_empty());
    let code = if whole { Code::Done } else { Code::Failed };
    if screen.json {
        screen.document(&verified)?;
        return Ok(code);
    }
    for line in verdicts(&verified) {
        screen.say(line);
    }
    Ok(code)
}

fn verdicts(verified: &[BackupVerified]) -> Vec<String> {
    if verified.is_empty() {
        return vec!["no backups yet: there is nothing to verify".to_owned()];
    }
    let mut lines = Vec::new();
    for backup in verified {
        let files = backup.compared;
        match backup.differences.len() {
            0 => lines.push(format!("{}: {files} files, all as sealed", backup.name)),
            count => lines.push(format!(
                "{}: {files} files, {count} NOT as sealed",
                backup.name
            )),
        }
        let differs = backup.differences.iter();
        lines.extend(differs.map(|line| format!("    {}", one_line(line, 300))));
    }
    lines
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
        let migrated = backup.migrated_by.iter().map(|id| {
            let text = format!("    deployment {id} migrated the database since");
            cell(Tone::Quiet, text)
        });
        table.row(cells, migrated.collect());
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
            migrated_by: (!serving).then_some(40),
        };
        let backups = [
            backup("backup-20261119-101500", 42, "1a2b3c4d5", 15, true),
            backup("backup-20261116-090000", 7, "99887766a", 4400, false),
        ];
        insta::assert_snapshot!(table(&backups, NOW).render(Some(80), Paint::default()).join("\n"), @r"
        NAME                    DEPLOYMENT  COMMIT                    SEALED
        backup-20261119-101500  42          1a2b3c4d5 Fix the login…  15 min ago  serves
        backup-20261116-090000  7           99887766a Fix the login…  3 d ago
            deployment 40 migrated the database since
        ");
    }

    #[test]
    fn each_file_that_differs_is_named() {
        let verified = |name: &str, differences: &[&str]| BackupVerified {
            name: name.to_owned(),
            compared: 1200,
            differences: differences.iter().map(|line| (*line).to_owned()).collect(),
        };
        let lines = verdicts(&[
            verified("backup-20261119-101500", &[]),
            verified(
                "backup-20261116-090000",
                &["dist/main.js has other content now"],
            ),
        ]);
        insta::assert_snapshot!(lines.join("\n"), @r"
        backup-20261119-101500: 1200 files, all as sealed
        backup-20261116-090000: 1200 files, 1 NOT as sealed
            dist/main.js has other content now
        ");
    }
}
