use globset::Glob;
use std::time::Duration;

/// What an environment waits for before a commit may go live there: its CI at the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AfterCi {
    /// The names or patterns of the checks that have to be good; empty: every check that the forge knows of the commit.
    pub checks: Vec<String>,
    /// How long they are waited for.
    pub timeout: Duration,
}

impl AfterCi {
    /// Whether the name of a check is one of this pattern: the same words, or what its `*` leaves open.
    pub fn is_named(pattern: &str, name: &str) -> bool {
        // What is no pattern is still a name: "test [20]".
        pattern == name
            || Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(name))
    }
}

/// What makes Teal deploy to an environment without being told to by a person here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triggers {
    /// A push to one of its refs.
    pub pushes: bool,
    /// A deployment that somebody makes at GitHub for the environment of this name.
    pub deployments: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_named_by_its_words_or_by_a_pattern() {
        for (pattern, name) in [
            ("build", "build"),
            ("test*", "test (ubuntu, 20)"),
            ("ci / *", "ci / lint (push)"),
            ("test [20]", "test [20]"),
            ("matrix [", "matrix ["),
        ] {
            assert!(AfterCi::is_named(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("build", "rebuild"), ("test", "Test"), ("[", "x")] {
            assert!(!AfterCi::is_named(pattern, name), "{pattern} {name}");
        }
    }
}
