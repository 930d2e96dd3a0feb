//! The small values of both files: durations, host names, paths. Each function says whether the text is one.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// `500ms`, `30s`, `10m`, `2h`, `1d`; nothing longer than a year.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = number.checked_mul(unit_ms)?;
    (ms <= 366 * 86_400_000).then(|| Duration::from_millis(ms))
}

/// The duration as it would be typed.
pub(super) fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    units
        .into_iter()
        .find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit))
        .map_or_else(
            || {
                if ms == 0 {
                    "0s".to_owned()
                } else {
                    format!("{ms}ms")
                }
            },
            |(name, unit)| format!("{}{name}", ms / unit),
        )
}

/// What `"20GB"` means in bytes: a whole number with KB, MB, GB or TB, each a thousand times the one before.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let units = [
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok())??;
    number.checked_mul(*unit).filter(|bytes| *bytes > 0)
}

/// Whether the text is an address of the web, as far as it can be told without asking: no spaces, no credentials, a host.
pub(super) fn is_web_address(text: &str) -> bool {
    let rest = { text.strip_prefix("https://") }.or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_graphic() && !"\"'<>\\`{}|^".contains(c);
        !host.is_empty() && !host.starts_with(':') && !host.contains('@') && rest.chars().all(plain)
    })
}

/// A host name in lower case, or what is wrong with it.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    if !text.is_ascii() {
        return Err("has letters beyond ASCII: write its punycode form (xn--…)".to_owned());
    }
    if text.contains('*') {
        return Err("is a wildcard: list every name".to_owned());
    }
    if text.contains("://") || text.contains('/') || text.contains(':') {
        return Err("must be a host name alone, without scheme, port or path".to_owned());
    }
    let name = text.to_ascii_lowercase();
    let plain = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if name.len() <= 253 && name.split('.').all(plain) {
        Ok(name)
    } else {
        Err("is not a host name".to_owned())
    }
}

/// An absolute path of the server without surprises, or what is wrong with it.
pub(super) fn server_path(text: &str) -> Result<PathBuf, String> {
    if !text.starts_with('/') {
        return Err("must be an absolute path".to_owned());
    }
    if let Some(c) = text.chars().find(|c| is_unsafe_in_path(*c)) {
        return Err(format!("may not have `{}` in it", c.escape_debug()));
    }
    let path = Path::new(text);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err("may not have `..` in it".to_owned());
    }
    // Collecting the components drops `//`, `/.` and a slash at the end, so that equal paths compare equal.
    Ok(path.components().collect())
}

/// Characters that mean something to a shell, to nginx or to a list of paths.
fn is_unsafe_in_path(c: char) -> bool {
    c.is_control() || "\"'`\\;{}$:*?<>|&".contains(c)
}

/// A path below the release as the recipe may name it, without `./` and a slash at the end; or what is wrong with it.
pub(super) fn release_path(text: &str) -> Result<String, String> {
    const RULE: &str = "the recipe may only name paths inside the release";
    if text.is_empty() {
        return Err(format!("is empty: {RULE}"));
    }
    if text.starts_with('/') || text.starts_with('~') {
        return Err(format!("is not inside the release: {RULE}"));
    }
    if text.contains('\\') || text.chars().any(char::is_control) {
        return Err("has a backslash or a control character in it".to_owned());
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(format!("leads out with `..`: {RULE}")),
            part if part.eq_ignore_ascii_case(".git") => {
                return Err("is git's own folder, which no release has".to_owned());
            }
            part => parts.push(part),
        }
    }
    Ok(if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    })
}

/// Whether one of the paths is the other or lies in it.
pub(super) fn nested(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        for (text, size) in [("500MB", 500_000_000), ("1TB", 1_000_000_000_000)] {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for text in [
            "",
            "GB",
            "1",
            "0GB",
            "-1GB",
            "1.5GB",
            "+1MB",
            "99999999999TB",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
            assert_eq!(duration_text(Duration::from_millis(ms)), text);
        }
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            " 1s",
            "1 s",
            "1w",
            "400d",
            "99999999999999999999s",
            "18446744073709551615d",
            "1é",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn host_names_are_plain() {
        assert_eq!(host_name("WWW.Example.com").unwrap(), "www.example.com");
        for bad in [
            "",
            "a..b",
            "-a.b",
            "a-.b",
            "a_b",
            "a b",
            "*.a",
            "bücher.de",
            "http://a",
            "a:80",
            "a/b",
            "a;b",
            "a.",
            "a}b",
            &"a".repeat(64),
        ] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_stay_where_they_belong() {
        assert_eq!(
            server_path("/srv//app/./x/").unwrap(),
            Path::new("/srv/app/x")
        );
        for bad in [
            "srv", "", "~/x", "/a/../b", "/a;b", "/a\nb", "/a'b", "/a\"b", "/a}b", "/$HOME", "/a:b",
        ] {
            assert!(server_path(bad).is_err(), "{bad}");
        }
        assert_eq!(release_path("./a//b/").unwrap(), "a/b");
        assert_eq!(release_path(".").unwrap(), ".");
        for bad in [
            "",
            "/a",
            "~/a",
            "a/../b",
            "..",
            ".git",
            "a/.git/hooks",
            ".GIT",
            "a\\b",
            "a\nb",
        ] {
            assert!(release_path(bad).is_err(), "{bad}");
        }
    }
}
