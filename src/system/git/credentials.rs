//! How this server shows itself to another host, in the words of HTTP and of ssh.

use crate::config::{Credentials, Secret};
use std::path::Path;

/// The ssh program with its settings, as one line that git hands to a shell: every value is quoted.
pub(super) fn ssh(credentials: &Credentials, known_hosts: &Path) -> String {
    let mut words = vec![
        "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new".to_owned(),
        "-o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4".to_owned(),
        "-o ForwardAgent=no -o ClearAllForwardings=yes -o PermitLocalCommand=no".to_owned(),
    ];
    let hosts = known_hosts.to_string_lossy();
    words.push(format!(
        "-o {}",
        quoted(&format!("UserKnownHostsFile=\"{hosts}\""))
    ));
    if let Credentials::SshKey(key) = credentials {
        words.push(format!(
            "-o IdentitiesOnly=yes -i {}",
            quoted(&key.to_string_lossy())
        ));
    }
    words.join(" ")
}

/// The token as HTTP basic credentials. Every forge takes a token as the password and ignores the name; a token that
/// brings its own name (`user:token`) keeps it.
pub(super) fn basic(token: &Secret) -> String {
    let token = token.expose().trim();
    if token.contains(':') {
        base64(token.as_bytes())
    } else {
        base64(format!("x-access-token:{token}").as_bytes())
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0_u32, |word, (at, byte)| {
            word | u32::from(*byte) << (16 - 8 * at)
        });
        for at in 0..4 {
            if at <= chunk.len() {
                text.push(char::from(DIGITS[(word >> (18 - 6 * at) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// One word of a shell line.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_everybody_writes_it() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
