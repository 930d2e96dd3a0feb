use super::error::KeyError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::str::FromStr;

/// The kinds of key that sshd takes.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

/// A public ssh key, without its comment: a kind and a text in base64 that begins with the kind once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: &'static str,
    base64: String,
}

impl PublicKey {
    /// `ssh-ed25519 AAAA…`
    pub fn line(&self) -> String {
        format!("{} {}", self.kind, self.base64)
    }

    /// Its end, by which people tell keys apart in a list.
    pub fn short(&self) -> String {
        let end = self.base64.trim_end_matches('=');
        let start = end.len().saturating_sub(8);
        format!("{} …{}", self.kind, &end[start..])
    }

    /// The key among the words of a line, wherever it stands: options may come before it.
    pub(super) fn among(line: &str) -> Option<PublicKey> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let pairs = words.windows(2);
        pairs
            .filter_map(|pair| PublicKey::of(pair.first()?, pair.get(1)?))
            .next()
    }

    fn of(kind: &str, text: &str) -> Option<PublicKey> {
        let kind = KINDS.into_iter().find(|known| *known == kind)?;
        let bytes = STANDARD.decode(text).ok()?;
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let inner = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        (inner == kind.as_bytes() && rest.len() > inner.len()).then(|| PublicKey {
            kind,
            base64: text.to_owned(),
        })
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// The text of a `.pub` file: one line, its comment left out.
    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        if text.contains("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(KeyError::NoKey);
        };
        let mut words = line.split_whitespace();
        let (kind, key) = (words.next(), words.next());
        kind.zip(key)
            .and_then(|(kind, key)| PublicKey::of(kind, key))
            .ok_or(KeyError::NoKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{Noise, rounds};

    const ED: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlXWVhkW6cMpbnmuqJ0Yzr1y0m5IGZbUWXb+0NjhP3q";

    #[test]
    fn a_public_key_is_read_without_its_comment() {
        let key: PublicKey = format!("{ED} ada@laptop\n").parse().unwrap();
        assert_eq!(key.line(), ED);
        assert_eq!(key.short(), "ssh-ed25519 …+0NjhP3q");
        let with_options = format!("restrict,command=\"echo ssh-rsa x\" {ED}");
        assert_eq!(PublicKey::among(&with_options), Some(key));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let swapped = ED.replace("ssh-ed25519", "ssh-rsa");
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-dss AAAAB3NzaC1kc3M=",
            &swapped,
            &format!("{ED}\n{ED}"),
            &format!("command=\"sh\" {ED}"),
            "ssh-ed25519 AAAA\u{0}",
        ] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\n";
        assert!(matches!(
            private.parse::<PublicKey>(),
            Err(KeyError::Private)
        ));
    }

    #[test]
    fn whatever_is_typed_is_a_key_on_one_line_or_refused() {
        let mut noise = Noise::new(7);
        let line = format!("restrict,command=\"teal-hook key /s ada shop\" {ED} teal:ada:shop");
        for _ in 0..rounds(2000) {
            let text = String::from_utf8_lossy(&noise.spoilt(&[ED, &line])).into_owned();
            if let Ok(key) = text.parse::<PublicKey>() {
                let line = key.line();
                assert!(
                    !line.contains(|c: char| c.is_control() || c == '"'),
                    "{line:?}"
                );
            }
            let _ = crate::keys::Entry::read(&text);
        }
    }
}
