use super::{Sandbox, redact};

/// What a person was told about deployments, without what differs from run to run: git's `remote:` and its padding,
/// durations and how they are aligned, who pushes, process ids, counts that depend on the machine, and the dots of a step that takes
/// long.
pub fn story(text: &str, sandbox: &Sandbox) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_end().ends_with("..."))
        .map(|line| {
            let line = line.strip_prefix("remote: ").unwrap_or(line).trim_end();
            let indent = line.len() - line.trim_start().len();
            let mut words: Vec<String> = redact(line, sandbox)
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            for at in 1..words.len() {
                let counts = ["probes", "probe", "requests,", "in"];
                let next = words.get(at + 1).cloned().unwrap_or_default();
                let digits = words[at].chars().all(|c| c.is_ascii_digit());
                if words[at - 1].ends_with("(pid") {
                    words[at] = "[PID])".to_owned();
                } else if words[at - 1] == "by" {
                    words[at] = "[USER]".to_owned();
                } else if digits && counts.contains(&next.as_str()) {
                    words[at] = "[N]".to_owned();
                    if next == "probe" {
                        words[at + 1] = "probes".to_owned();
                    }
                }
            }
            format!("{:indent$}{}", "", words.join(" "))
        });
    lines.collect::<Vec<_>>().join("\n")
}
