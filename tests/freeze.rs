//! Pushes that wait: a freeze that somebody declared, hours in which nothing is deployed, and those who cannot wait.

use crate::harness::{App, LONG, Teal, story, wait_until};
use nix::sys::signal::Signal;

const SHOP: &str = "production.shop.test";

fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app, &[]);
    (teal, app)
}

fn push(app: &App, options: &[&str]) -> String {
    let words = options.iter().flat_map(|option| ["-o", option]);
    let pushed = app
        .git()
        .push(["production", "main"].into_iter().chain(words));
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed.stderr
}

fn frozen(teal: &Teal) -> String {
    teal.cli(["freeze", "production", "-m", "the fair"]).ok()
}

#[test]
fn a_push_into_a_freeze_waits_says_why_and_goes_on_when_it_is_lifted() {
    let (mut teal, app) = live();
    let said = frozen(&teal);
    assert!(said.contains("until it is lifted: the fair"), "{said}");
    app.version("held");
    let said = push(&app, &[]);
    insta::assert_snapshot!(story(&said, &teal.sandbox), @r#"
    deployment 2 of shop/production: [COMMIT] "held" by [USER]
      waiting: frozen by [USER] until it is lifted: the fair
      it goes on then; at once: teal deploy production --now, never: teal cancel 2
    To [SANDBOX]/state/repos/shop.git
       [COMMIT]..[COMMIT] main -> main
    "#);
    teal.wait_for_states(&["live", "waiting"]);
    let status = teal.cli(["status"]).ok();
    assert!(status.contains("until it is lifted: the fair"), "{status}");
    assert!(status.contains("2 is waiting"), "{status}");
    // It is a wish that was stored: a restart of the server changes nothing about it.
    teal.stop(Signal::SIGKILL);
    teal.serve();
    teal.wait_for_states(&["live", "waiting"]);
    assert!(!teal.serves(SHOP).contains("held"));
    let lifted = teal.cli(["freeze", "production", "--lift"]).ok();
    assert!(lifted.contains("the freeze is lifted"), "{lifted}");
    teal.wait_for_states(&["live", "live"]);
    assert!(teal.serves(SHOP).contains("held"));
    let again = teal.cli(["freeze", "production", "--lift"]).ok();
    assert!(again.contains("was not frozen"), "{again}");
}

#[test]
fn a_newer_push_takes_the_place_of_one_that_waits() {
    let (teal, app) = live();
    frozen(&teal);
    app.version("first");
    push(&app, &[]);
    app.version("second");
    push(&app, &[]);
    teal.wait_for_states(&["live", "superseded", "waiting"]);
    teal.cli(["cancel", "3"]).ok();
    teal.wait_for_states(&["live", "superseded", "cancelled"]);
}

#[test]
fn who_cannot_wait_says_so_and_that_is_kept() {
    let (teal, app) = live();
    frozen(&teal);
    app.version("urgent");
    push(&app, &[]);
    teal.wait_for_states(&["live", "waiting"]);
    // The same commit once more: what waits goes live.
    let deployed = teal.cli(["deploy", "production", "--now"]).ok();
    assert!(deployed.contains("LIVE"), "{deployed}");
    assert!(teal.serves(SHOP).contains("urgent"));
    app.version("more urgent");
    let said = push(&app, &["now"]);
    let kept = "deploys it now although it is frozen by";
    assert!(said.contains(kept) && said.contains("LIVE"), "{said}");
    let log = teal.root("shop", "production").join("shared/deploy.log");
    wait_until(LONG, "deploy.log keeps it", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains(kept))
    });
}

#[test]
fn a_rollback_and_a_restart_are_never_held() {
    let (teal, app) = live();
    let first = teal.serves(SHOP);
    app.version("worse");
    push(&app, &[]);
    frozen(&teal);
    assert!(teal.cli(["rollback", "production"]).ok().contains("LIVE"));
    assert_eq!(teal.serves(SHOP), first);
    assert!(teal.cli(["restart", "production"]).ok().contains("LIVE"));
}

#[test]
fn a_freeze_ends_by_itself() {
    let (teal, app) = live();
    teal.cli(["freeze", "production", "--until", "2s"]).ok();
    app.version("later");
    push(&app, &[]);
    teal.wait_for_states(&["live", "live"]);
    assert!(teal.serves(SHOP).contains("later"));
    let wrong = teal.cli(["freeze", "production", "--until", "yesterday"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("is no moment"), "{}", wrong.stderr);
}

#[test]
fn outside_its_hours_an_environment_takes_nothing() {
    // Hours that are always a day away from now, whatever day the test runs on.
    let day = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let day = day.date().checked_add(jiff::Span::new().days(3)).unwrap();
    let hours = format!("{} 09:00-17:00 UTC", day.strftime("%a"));
    let teal = Teal::shop_with(&format!("deploy_hours = \"{hours}\""));
    let app = teal.client("shop");
    let said = push(&app, &[]);
    assert!(
        said.contains(&format!("waiting: deployed to {hours} only, next ")),
        "{said}"
    );
    teal.wait_for_states(&["waiting"]);
    assert!(push_again(&app, "now").contains("LIVE"));
}

/// The branch is up to date: the ref that only asks for a deployment is pushed.
fn push_again(app: &App, option: &str) -> String {
    let words = ["production", "main:refs/deploy/production", "-o", option];
    let pushed = app.git().push(words);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed.stderr
}

#[test]
fn a_gate_rejects_what_it_cannot_wait_for() {
    let teal = Teal::shop_with("on_push = \"gate\"");
    let app = teal.client("shop");
    push(&app, &[]);
    frozen(&teal);
    app.version("held");
    let pushed = app.git().push(["production", "main"]);
    assert_ne!(pushed.code, 0);
    let why = "; push again then, or with -o now";
    assert!(pushed.stderr.contains(why), "{}", pushed.stderr);
    assert!(push(&app, &["now"]).contains("LIVE"));
}
