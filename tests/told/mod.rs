//! Everybody is told, once: stand-ins of each service on real sockets, which keep what they are told, answer as their
//! documentation says, and fail the scenario on anything that nobody expected.

mod after_ci;
mod asking;
mod chats;
mod forges;
mod github;
mod openapi;
mod service;
mod slack;

mod hearing_chats;
mod hearing_forges;
mod hearing_mail;
mod made_there;
mod once;
mod patience;
mod rights;
mod traces;

use crate::harness::{App, Teal, TealPlan, redact};

const HOST: &str = "production.shop.test";

/// The text of one `[[notify]]` with these keys.
fn notify(keys: &str) -> String {
    format!("\n[[notify]]\n{keys}\n")
}

/// A server of the app `shop` that tells these, and the app.
fn telling(plan: TealPlan) -> (Teal, App) {
    let teal = plan.environment("shop", "production", "").start();
    let app = teal.client("shop");
    (teal, app)
}

/// Pushes, whatever becomes of it.
fn push(app: &App) {
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
}

/// The text as people read it, without what differs from run to run: besides what is redacted everywhere, durations, times,
/// numbers of processes and of probes, and who pushes.
fn plain(teal: &Teal, text: &str) -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap();
    let by = user.map_or_else(String::new, |user| format!("by: {}", user.name));
    let text = redact(text, &teal.sandbox).replace(&by, "by: [USER]");
    // A zero-width space cannot be seen.
    let text = text.replace('\u{200b}', "[ZWSP]");
    let (mut out, mut rest) = (String::new(), text.as_str());
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let is = |unit: &str| {
            let behind = after.strip_prefix(unit);
            behind.filter(|behind| !behind.starts_with(char::is_alphanumeric))
        };
        let stamp = rest
            .get(..24)
            .filter(|stamp| stamp.contains('T') && stamp.ends_with('Z'));
        (out, rest) = match (is(" ms").or(is(" s")), stamp) {
            (_, Some(stamp)) => (out + "[WHEN]", &rest[stamp.len()..]),
            (Some(behind), _) => (out + "[TIME]", behind),
            _ if is(" probes").is_some() => (out + "[N]", after),
            _ if out.ends_with("process ") => (out + "[PID]", after),
            _ => (out + number, after),
        };
    }
    out + rest
}
