//! The `branch` and `tag` patterns of an environment.

use globset::{Glob, GlobBuilder};

/// The pattern as a glob over names of branches and tags: `*` does not cross `/`.
pub(super) fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

/// Checks that the pattern can match a ref that git allows; says what is wrong with it otherwise.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    if pattern.starts_with("refs/") {
        return Err("is a full ref name: leave `refs/heads/` or `refs/tags/` out".to_owned());
    }
    if pattern.len() > 250 {
        return Err("is longer than 250 bytes".to_owned());
    }
    let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:\\\"'`;$".contains(c);
    if let Some(c) = pattern.chars().find(|c| bad(*c)) {
        return Err(format!("may not have `{}` in it", c.escape_debug()));
    }
    let impossible = pattern.starts_with(['-', '/'])
        || pattern.ends_with(['/', '.'])
        || ["..", "//", "@{", "/."]
            .iter()
            .any(|part| pattern.contains(part))
        || pattern.starts_with('.')
        || pattern.split('/').any(|part| part.ends_with(".lock"));
    if impossible {
        return Err("cannot be a name in git".to_owned());
    }
    glob(pattern)
        .map(|_| ())
        .map_err(|error| format!("is not a pattern: {}", error.kind()))
}
