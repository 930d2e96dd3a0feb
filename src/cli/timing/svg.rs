//! The trace as a picture, for a page or a README.

use super::summary;
use crate::domain::StepEnd;
use crate::report::{Timed, Trace, duration};
use std::fmt::Write;

const WIDTH: u64 = 800;
const LEFT: u64 = 190;
const RIGHT: u64 = 20;
const TOP: u64 = 64;
const ROW: u64 = 22;
/// Waiting, Teal, the app; they read on a light and on a dark page.
const COLOURS: [&str; 3] = ["#c9b458", "#12a594", "#8b8d98"];

/// An SVG document of its own: no fonts, scripts or styles from elsewhere.
pub(super) fn picture(trace: &Trace) -> String {
    let steps: Vec<&Timed> = trace.steps.iter().filter(|step| !step.after).collect();
    let height = TOP + ROW * (steps.len() as u64 + 1) + 34;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"ui-sans-serif, system-ui, sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#fcfcfd\"/>\n"
    );
    let title = format!("deployment {} of {}", trace.deployment, trace.env);
    say(&mut text, 20, 26, "start", "#1c2024", &title);
    say(&mut text, 20, 46, "start", "#60646c", &summary(trace));
    row(
        &mut text,
        trace,
        0,
        ("queue", 0, [trace.queued_ms(), 0, 0]),
        "",
    );
    for (nth, step) in steps.iter().enumerate() {
        let took = match step.end {
            StepEnd::Ran => "",
            StepEnd::Skipped => "skipped",
            StepEnd::Failed => "failed",
        };
        let parts = [step.waited_ms, step.teal_ms, step.app_ms];
        let bar = (step.step.as_str(), step.from_ms, parts);
        row(&mut text, trace, nth as u64 + 1, bar, took);
    }
    legend(&mut text, height - 14);
    text.push_str("</svg>\n");
    text
}

fn row(text: &mut String, trace: &Trace, nth: u64, bar: (&str, u64, [u64; 3]), word: &str) {
    let (name, from_ms, parts) = bar;
    let y = TOP + nth * ROW;
    let took = match word {
        "" => duration(parts.iter().sum()),
        word => word.to_owned(),
    };
    say(text, 20, y + 15, "start", "#1c2024", name);
    say(text, LEFT - 16, y + 15, "end", "#60646c", &took);
    let place = |ms: u64| {
        let room = (WIDTH - LEFT - RIGHT) as f64;
        LEFT as f64 + room * ms as f64 / trace.total_ms.max(1) as f64
    };
    let mut at = from_ms;
    for (ms, colour) in parts.into_iter().zip(COLOURS) {
        if ms == 0 {
            continue;
        }
        // What took any time at all is seen.
        let width = (place(at + ms) - place(at)).max(1.5);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "<rect x=\"{:.1}\" y=\"{}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>",
            place(at),
            y + 4,
            ROW - 8
        );
        at += ms;
    }
}

fn legend(text: &mut String, y: u64) {
    let words = ["waiting", "Teal", "the app's own commands and start"];
    let mut x = LEFT;
    for (word, colour) in words.into_iter().zip(COLOURS) {
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>",
            y - 11
        );
        say(text, x + 18, y, "start", "#60646c", word);
        x += 40 + 7 * word.len() as u64;
    }
}

fn say(text: &mut String, x: u64, y: u64, anchor: &str, colour: &str, words: &str) {
    let clean = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        text,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{clean}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::timing::tests::trace;

    #[test]
    fn each_step_has_its_bar_and_the_picture_is_whole() {
        let text = picture(&trace());
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        for word in [">build<", ">health<", ">skipped<", "push to live 4.0 s"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("observe"), "{text}");
        // What is drawn stays inside.
        let ends = text
            .lines()
            .filter(|line| line.starts_with("<rect x"))
            .map(|line| {
                let number = |name: &str| -> f64 {
                    let rest = line.split(&format!(" {name}=\"")).nth(1).unwrap();
                    rest.split('"').next().unwrap().parse().unwrap()
                };
                number("x") + number("width")
            });
        assert!(ends.fold(0.0, f64::max) <= (WIDTH - RIGHT) as f64 + 1.5);
    }
}
