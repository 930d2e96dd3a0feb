//! One environment more closely: address, slots, ports, processes.

use super::{cell, other, plain};
use crate::report::{Line, Tone};
use crate::web::types::{EnvironmentStatus, SlotStatus};

/// What stands below the table when one environment was asked for.
pub(super) fn lines(status: &EnvironmentStatus, now_ms: i64) -> Vec<Line> {
    let mut lines = vec![plain(""), plain(format!("  {}", status.url))];
    lines.extend(status.slots.iter().map(|slot| line(status, slot, now_ms)));
    lines
}

fn line(status: &EnvironmentStatus, slot: &SlotStatus, now_ms: i64) -> Line {
    let serves = status.active == Some(slot.color);
    let role = match serves {
        true => "serves".to_owned(),
        false => {
            let text = other(status, now_ms).text;
            let warmth = text.split_once(' ').map(|(_, warmth)| warmth.to_owned());
            warmth.unwrap_or_else(|| "empty".to_owned())
        }
    };
    let release = match (&slot.commit, slot.deployment) {
        (Some(commit), Some(id)) => format!("{} of deployment {id}", commit.short()),
        (Some(commit), None) => commit.short().to_owned(),
        (None, _) => String::new(),
    };
    let processes = slot
        .processes
        .iter()
        .map(|(name, pid)| format!("{name} {pid}"));
    let text = format!(
        "  {:<5}  port {:<5}  {role:<11}  {release:<26}  {}",
        slot.color,
        slot.port,
        processes.collect::<Vec<_>>().join(", ")
    );
    cell(
        if serves { Tone::Plain } else { Tone::Quiet },
        text.trim_end(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples::{self, MINUTE, NOW};
    use crate::domain::Color;

    #[test]
    fn both_slots_are_shown_with_their_processes() {
        let mut status = samples::environment(
            "arq/production",
            vec![
                samples::slot(Color::Blue, 42, "1a2b3c4d5", "Fix the login form"),
                samples::slot(Color::Green, 41, "99887766a", "Before"),
            ],
        );
        status.warm_until_ms = Some(NOW + 7 * MINUTE);
        let text: Vec<String> = lines(&status, NOW)
            .into_iter()
            .map(|line| line.text)
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"

        https://arq-ai.ru
        blue   port 3001   serves       1a2b3c4d5 of deployment 42  web 4711
        green  port 3001   warm 7 min   99887766a of deployment 41  web 4711
        ");
    }

    #[test]
    fn a_release_that_never_served_is_not_called_cold() {
        let mut failed = samples::slot(Color::Green, 43, "99887766a", "Broken");
        failed.served = false;
        failed.processes.clear();
        let blue = samples::slot(Color::Blue, 42, "1a2b3c4d5", "Fix the login form");
        let status = samples::environment("arq/production", vec![blue, failed]);
        let text = &lines(&status, NOW)[3].text;
        insta::assert_snapshot!(text, @"  green  port 3001   failed       99887766a of deployment 43");
    }
}
