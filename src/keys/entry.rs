use super::{PublicKey, Reach, WORD};
use crate::domain::KeyName;

/// One key of Teal's in `authorized_keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub name: KeyName,
    /// What it may push to.
    pub reach: Reach,
    /// The key.
    pub key: PublicKey,
}

/// What an entry's comment begins with. The comment is what the line is read back from; the command is what counts.
const MARK: &str = "teal:";

impl Entry {
    /// The line. `program` is what runs, as the login shell is told it; `state_dir` is where the repositories are.
    pub(super) fn line(&self, program: &str, state_dir: &str) -> String {
        let Entry { name, reach, key } = self;
        let state_dir = quoted(state_dir);
        let command = format!("{program} {WORD} {state_dir} {name} {reach}");
        // Inside the option's quotes only a quote needs a backslash.
        let command = command.replace('"', "\\\"");
        format!(
            "restrict,command=\"{command}\" {} {MARK}{name}:{reach}",
            key.line()
        )
    }

    /// Reads a line back; nothing when it is not one of Teal's.
    pub(super) fn read(line: &str) -> Option<Entry> {
        let line = line.trim();
        if !line.starts_with("restrict,command=\"") {
            return None;
        }
        let comment = line.rsplit(' ').next()?.strip_prefix(MARK)?;
        let (name, reach) = comment.split_once(':')?;
        Some(Entry {
            name: name.parse().ok()?,
            reach: reach.parse().ok()?,
            key: PublicKey::among(line)?,
        })
    }
}

/// A word as a shell takes it whole.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlXWVhkW6cMpbnmuqJ0Yzr1y0m5IGZbUWXb+0NjhP3q";
        let entry = Entry {
            name: "ada-laptop".parse().unwrap(),
            reach: "shop/staging".parse().unwrap(),
            key: key.parse().unwrap(),
        };
        let line = entry.line("/usr/local/bin/teal-hook", "/var/lib/my teal");
        insta::assert_snapshot!(line, @r#"restrict,command="/usr/local/bin/teal-hook key '/var/lib/my teal' ada-laptop shop/staging" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlXWVhkW6cMpbnmuqJ0Yzr1y0m5IGZbUWXb+0NjhP3q teal:ada-laptop:shop/staging"#);
        assert_eq!(Entry::read(&line), Some(entry));
        for foreign in [
            key.to_owned(),
            format!("{key} teal:ada:shop"),
            format!("command=\"x\" {key} teal:ada:shop"),
            "# restrict,command=\"x\"".to_owned(),
        ] {
            assert_eq!(Entry::read(&foreign), None, "{foreign}");
        }
    }
}
