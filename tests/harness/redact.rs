use super::Sandbox;

/// The text without what differs from run to run, for snapshots: the sandbox's folder becomes `[SANDBOX]`, its ports
/// `[PORT]`, commit ids `[COMMIT]`, durations `[TIME]`, and dates `[DATE]`.
pub fn redact(text: &str, sandbox: &Sandbox) -> String {
    let folder = sandbox.path().display().to_string();
    let text = text.replace(&folder, "[SANDBOX]");
    let ports: Vec<String> = sandbox.ports().iter().map(u16::to_string).collect();
    let mut redacted = String::new();
    let mut rest = words(&text).into_iter();
    while let Some(word) = rest.next() {
        if ports.iter().any(|port| port == word) {
            redacted.push_str("[PORT]");
        } else if is_commit(word) {
            redacted.push_str("[COMMIT]");
        } else if is_duration(word) || is_number(word) && follows_unit(&mut rest) {
            redacted.push_str("[TIME]");
        } else if is_date(word) {
            redacted.push_str("[DATE]");
        } else {
            redacted.push_str(word);
        }
    }
    redacted
}

/// Runs of letters, digits, `.` inside numbers, `-` and `:` inside dates; and, one by one, what is between them.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        let inside_number = matches!(c, '.' | '-' | ':')
            && start
                .is_some_and(|from: usize| text[from..at].ends_with(|c: char| c.is_ascii_digit()))
            && next.is_some_and(|next| next.is_ascii_digit())
            && !is_address(&text[start.unwrap_or(at)..at]);
        if c.is_alphanumeric() || inside_number {
            start.get_or_insert(at);
            continue;
        }
        if let Some(from) = start.take() {
            words.push(&text[from..at]);
        }
        words.push(&text[at..at + c.len_utf8()]);
    }
    words.extend(start.map(|from| &text[from..]));
    words
}

fn is_address(word: &str) -> bool {
    word.split('.').count() == 4
}

fn is_commit(word: &str) -> bool {
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    // A short id of digits only cannot be told from a number, and one of letters only not from a word.
    let mixed = word.contains(|c: char| c.is_ascii_digit())
        && word.contains(|c: char| c.is_ascii_alphabetic());
    word.chars().all(hex) && (word.len() == 40 || (matches!(word.len(), 7..=12) && mixed))
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn is_duration(word: &str) -> bool {
    let number = word.trim_end_matches(|c: char| c.is_alphabetic());
    is_number(number) && is_unit(&word[number.len()..])
}

fn is_unit(word: &str) -> bool {
    matches!(word, "s" | "ms" | "µs" | "min" | "m" | "h")
}

/// Takes the blank and the unit when they come next.
fn follows_unit(rest: &mut std::vec::IntoIter<&str>) -> bool {
    let mut ahead = rest.clone();
    let unit = ahead.next() == Some(" ") && ahead.next().is_some_and(is_unit);
    if unit {
        rest.nth(1);
    }
    unit
}

fn is_date(word: &str) -> bool {
    let shape: String = word
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    matches!(
        shape.as_str(),
        "0000-00-00" | "00:00:00" | "00000000-000000" | "0000-00-00T00:00:00Z" | "00:00:00.000"
    )
}
