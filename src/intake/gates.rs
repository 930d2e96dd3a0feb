//! Which refs only the server may judge, in a file that the hook can read while the server is down: without it a push to a
//! gated environment could land undeployed, and a push by somebody who may not could land at all.

use crate::config::{App, OnPush, RefRule};
use globset::GlobBuilder;

/// The file's name, in the bare repository.
pub const FILE: &str = "teal-gates";

/// The file's content for an app: one full ref name or glob per line.
pub fn text(app: &App) -> String {
    app.environments
        .iter()
        .filter(|environment| environment.on_push == OnPush::Gate || environment.allow.is_some())
        .flat_map(|environment| &environment.refs)
        .map(|rule| match rule {
            RefRule::Branch(name) => format!("refs/heads/{name}\n"),
            RefRule::Tag(name) => format!("refs/tags/{name}\n"),
        })
        .collect()
}

/// Whether a ref is gated by this content. A rule that cannot be read gates everything: the safe side is to refuse.
pub fn is_gated(text: &str, ref_name: &str) -> bool {
    text.lines()
        .filter(|rule| !rule.trim().is_empty())
        .any(|rule| {
            // As in the configuration, `*` stays within one part of a name.
            let glob = GlobBuilder::new(rule).literal_separator(true).build();
            rule == ref_name || glob.map_or(true, |glob| glob.compile_matcher().is_match(ref_name))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_names_and_globs_gate() {
        let text = "refs/heads/main\nrefs/tags/v*\n";
        assert!(is_gated(text, "refs/heads/main"));
        assert!(is_gated(text, "refs/tags/v1.2"));
        for free in [
            "refs/tags/v1/x",
            "refs/heads/main2",
            "refs/heads/v1",
            "refs/tags/w1",
        ] {
            assert!(!is_gated(text, free), "{free}");
        }
        assert!(!is_gated("", "refs/heads/main"));
    }

    #[test]
    fn a_rule_that_cannot_be_read_gates_everything() {
        assert!(is_gated("refs/heads/[", "refs/heads/main"));
    }
}
