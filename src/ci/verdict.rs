use crate::config::AfterCi;
use crate::report::one_line;

/// One thing that a forge's CI looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name, as the forge shows it.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// Where to read about it.
    pub page: Option<String>,
    /// Whether it is part of another check, and counts only where it is asked for by name.
    pub is_part: bool,
}

/// How a check stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is good, or had nothing to say.
    Good,
    /// It has not ended.
    Open,
    /// It ended otherwise, in the forge's own word.
    Bad(String),
}

/// What CI says of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has not said all, in words that say what is missing.
    Open(String),
    /// All that counts is good.
    Good(String),
    /// Something is not.
    Bad {
        /// Which checks, in words.
        words: String,
        /// A line for each of them: name, how it stands, where to read about it.
        lines: Vec<String>,
    },
}

/// Judges by the checks of these names, or by all of them. One bad check decides; where nothing is known, nothing is good.
pub fn judge(checks: &[Check], wanted: &[String]) -> Verdict {
    let mut counts: Vec<&Check> = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    match wanted {
        [] => counts.extend(checks.iter().filter(|check| !check.is_part)),
        wanted => {
            let is_named = |pattern: &str, check: &Check| AfterCi::is_named(pattern, &check.name);
            let is_wanted = |check: &&Check| wanted.iter().any(|one| is_named(one, check));
            counts.extend(checks.iter().filter(is_wanted));
            let is_missing = |one: &&String| !checks.iter().any(|check| is_named(one, check));
            missing.extend(wanted.iter().filter(is_missing).map(String::as_str));
        }
    }
    let bad: Vec<&Check> = of(&counts, |standing| matches!(standing, Standing::Bad(_)));
    if !bad.is_empty() {
        return Verdict::Bad {
            words: listed(&bad, |check| match &check.standing {
                Standing::Bad(word) => format!(": {}", one_line(word, 40)),
                _ => String::new(),
            }),
            lines: bad.iter().map(|check| line(check)).collect(),
        };
    }
    if let [name, ..] = missing.as_slice() {
        let more = more(missing.len().saturating_sub(1));
        let name = one_line(name, 60);
        return Verdict::Open(format!("`{name}`{more} is not known there yet"));
    }
    if counts.is_empty() {
        return Verdict::Open("no check is known there yet".to_owned());
    }
    let open = of(&counts, |standing| *standing == Standing::Open);
    let (all, done) = (counts.len(), counts.len() - open.len());
    match open.is_empty() {
        true if all == 1 => Verdict::Good(listed(&counts, |_| String::new()) + " is good"),
        true => Verdict::Good(format!("all {all} checks are good")),
        false => {
            let names = listed(&open, |_| String::new());
            Verdict::Open(format!("{done} of {all} done, waiting for {names}"))
        }
    }
}

fn of<'c>(checks: &[&'c Check], is: impl Fn(&Standing) -> bool) -> Vec<&'c Check> {
    let found = checks.iter().filter(|check| is(&check.standing));
    found.copied().collect()
}

/// The names of a few, and how many there are besides.
fn listed(checks: &[&Check], then: impl Fn(&Check) -> String) -> String {
    const FEW: usize = 3;
    let named = checks.iter().take(FEW);
    let named = named.map(|check| format!("`{}`{}", one_line(&check.name, 60), then(check)));
    let named: Vec<String> = named.collect();
    named.join(", ") + &more(checks.len().saturating_sub(FEW))
}

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}

fn line(check: &Check) -> String {
    let word = match &check.standing {
        Standing::Good => "good",
        Standing::Open => "open",
        Standing::Bad(word) => word,
    };
    let page = check.page.as_deref().unwrap_or_default();
    let text = format!("{}: {word} {page}", check.name);
    one_line(text.trim_end(), 300)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Bad, Good, Open};

    fn check(name: &str, standing: Standing) -> Check {
        Check {
            name: name.to_owned(),
            standing,
            page: Some(format!("https://ci.test/{name}")),
            is_part: name.contains('/'),
        }
    }

    fn judged(checks: &[(&str, Standing)], wanted: &[&str]) -> String {
        let checks: Vec<Check> = { checks.iter() }
            .map(|(name, standing)| check(name, standing.clone()))
            .collect();
        let wanted: Vec<String> = wanted.iter().map(|one| (*one).to_owned()).collect();
        match judge(&checks, &wanted) {
            Verdict::Open(words) => format!("open: {words}"),
            Verdict::Good(words) => format!("good: {words}"),
            Verdict::Bad { words, lines } => format!("bad: {words} | {}", lines.join(" | ")),
        }
    }

    #[test]
    fn every_check_counts_and_one_bad_one_decides() {
        let failed = || Bad("failure".to_owned());
        let told: Vec<String> = [
            judged(&[], &[]),
            judged(&[("a/part", failed())], &[]),
            judged(&[("a", Good)], &[]),
            judged(&[("a", Good), ("b", Good)], &[]),
            judged(&[("a", Good), ("b", Open), ("c", Open)], &[]),
            judged(&[("a", Open), ("b", failed())], &[]),
            judged(
                &[
                    ("a", failed()),
                    ("b", failed()),
                    ("c", failed()),
                    ("d", failed()),
                ],
                &[],
            ),
        ]
        .into();
        insta::assert_snapshot!(told.join("\n"), @"
        open: no check is known there yet
        open: no check is known there yet
        good: `a` is good
        good: all 2 checks are good
        open: 1 of 3 done, waiting for `b`, `c`
        bad: `b`: failure | b: failure https://ci.test/b
        bad: `a`: failure, `b`: failure, `c`: failure and 1 more | a: failure https://ci.test/a | b: failure https://ci.test/b | c: failure https://ci.test/c | d: failure https://ci.test/d
        ");
    }

    #[test]
    fn named_checks_alone_count_and_all_of_them_have_to_be_there() {
        let failed = || Bad("failure".to_owned());
        let told: Vec<String> = [
            judged(&[("a", Good), ("b", failed())], &["a"]),
            judged(&[("a", Good)], &["a", "b", "c"]),
            judged(&[("a/part", Good), ("a", Open)], &["a/*"]),
            judged(&[("a", failed())], &["a", "b"]),
        ]
        .into();
        insta::assert_snapshot!(told.join("\n"), @"
        good: `a` is good
        open: `b` and 1 more is not known there yet
        good: `a/part` is good
        bad: `a`: failure | a: failure https://ci.test/a
        ");
    }
}
