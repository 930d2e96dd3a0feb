//! Which versions of runtimes a repository asks for, and whether this server's fit.

/// A version of a runtime that the repository asks for.
pub(super) struct Want {
    /// The program whose version counts.
    pub tool: &'static str,
    /// As it is written: `>=20`, `22`, `3.11.4`.
    pub asks: String,
    /// Where it is written.
    pub from: String,
}

/// The first thing in a program's answer that looks like a version: `v20.1.0`, `Python 3.11.2`, `go version go1.22.1`.
pub(super) fn first_version(answer: &str) -> Option<String> {
    answer
        .split_whitespace()
        .map(|word| word.trim_start_matches(|c: char| c.is_ascii_alphabetic()))
        .map(|word| {
            word.split(|c: char| !c.is_ascii_digit() && c != '.')
                .next()
                .unwrap_or_default()
        })
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(|word| word.trim_end_matches('.').to_owned())
}

/// Whether the version is outside what is asked for. What cannot be understood never mismatches: this is advice.
pub(super) fn mismatch(asks: &str, have: &str) -> bool {
    let Some(have) = numbers(have) else {
        return false;
    };
    let mut understood = true;
    let fits = asks.split("||").any(|range| {
        let fits = range_fits(range, &have);
        understood &= fits.is_some();
        fits.unwrap_or(false)
    });
    understood && !fits
}

/// Whether the version is in one range of npm's notation: conditions with spaces between, all of which have to hold.
fn range_fits(range: &str, have: &[u64]) -> Option<bool> {
    // `>= 18` is one condition, and `18 - 20` is two.
    let joined = range.replace(" - ", " <=");
    let mut spaced = String::new();
    for c in joined.trim().chars() {
        let after_sign = spaced.ends_with(['>', '<', '=', '^', '~']);
        if !(c == ' ' && after_sign) {
            spaced.push(c);
        }
    }
    let low = range.contains(" - ");
    let mut fits = true;
    for (nth, condition) in spaced
        .split([' ', ','])
        .filter(|c| !c.is_empty())
        .enumerate()
    {
        let condition = if low && nth == 0 {
            format!(">={condition}")
        } else {
            condition.to_owned()
        };
        fits &= condition_fits(&condition, have)?;
    }
    Some(fits)
}

fn condition_fits(condition: &str, have: &[u64]) -> Option<bool> {
    let sign_end = condition
        .find(|c: char| !"<>=^~".contains(c))
        .unwrap_or(condition.len());
    let (sign, version) = condition.split_at(sign_end);
    let version = version.trim_start_matches('v');
    if version.is_empty() || version == "*" || version == "x" {
        return Some(true);
    }
    let wanted = numbers(version)?;
    let same = |parts: usize| {
        let count = wanted.len().min(parts);
        (0..count).all(|nth| have.get(nth).copied().unwrap_or(0) == wanted[nth])
    };
    let order = compare(have, &wanted);
    Some(match sign {
        "" | "=" | "==" => same(3),
        ">=" => order.is_ge(),
        ">" => order.is_gt() && !same(wanted.len()),
        "<=" => order.is_le() || same(wanted.len()),
        "<" => order.is_lt(),
        "^" if wanted[0] == 0 => same(2) && order.is_ge(),
        "^" => same(1) && order.is_ge(),
        "~" | "~=" => same(2) && order.is_ge(),
        _ => return None,
    })
}

fn compare(have: &[u64], wanted: &[u64]) -> std::cmp::Ordering {
    (0..3)
        .map(|nth| {
            let part = |numbers: &[u64]| numbers.get(nth).copied().unwrap_or(0);
            part(have).cmp(&part(wanted))
        })
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}

/// `20.x` and `20.1.*` are `20` and `20.1`; what is no version gives nothing.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Option<Vec<u64>> = plain
        .split('.')
        .take_while(|part| !matches!(*part, "x" | "X" | "*"))
        .map(|part| part.parse().ok())
        .collect();
    parts.filter(|parts| !parts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_understood_as_npm_does() {
        for (asks, have, fits) in [
            ("22", "22.3.0", true),
            ("22", "20.1.0", false),
            ("20.x", "20.9.1", true),
            (">=18", "20.0.0", true),
            (">= 18 <21", "20.0.0", true),
            (">=18 <20", "20.0.0", false),
            ("^20.5", "20.4.0", false),
            ("^20", "21.0.0", false),
            ("18 || 20", "20.1.0", true),
            ("18 || 22", "20.1.0", false),
            ("16 - 20", "20.9.0", true),
            ("16 - 18", "20.9.0", false),
            ("~3.11", "3.11.2", true),
            ("~3.11", "3.12.0", false),
            (">=3.10,<3.12", "3.11.2", true),
            ("*", "1.0.0", true),
            ("lts/iron", "20.0.0", true),
            ("3.11.4", "3.11.2", false),
            (">20", "20.5.0", false),
            ("", "20.0.0", true),
        ] {
            assert_eq!(!mismatch(asks, have), fits, "{asks} {have}");
        }
    }

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (answer, version) in [
            ("v20.1.0\n", "20.1.0"),
            ("Python 3.11.2", "3.11.2"),
            ("go version go1.22.1 linux/amd64", "1.22.1"),
            ("cargo 1.95.0 (abc 2026-01-01)", "1.95.0"),
            ("uv 0.5.1", "0.5.1"),
            ("10.2.4", "10.2.4"),
        ] {
            assert_eq!(first_version(answer).as_deref(), Some(version));
        }
        assert_eq!(first_version("none"), None);
    }
}
