//! Apps as people write them, and the words that their owners read when one of them misbehaves.

use crate::harness::{App, Teal};

const HOST: &str = "production.shop.test";

#[track_caller]
fn push(app: &App) -> String {
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed.stderr
}

#[test]
fn a_failure_shows_what_this_release_printed_and_nothing_of_the_one_before() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app);
    app.fault("exit");
    let first = push(&app);
    assert!(first.contains("cannot read the configuration"), "{first}");
    app.fault("exit-after-first");
    let second = push(&app);
    assert!(second.contains("exited with code 7"), "{second}");
    assert!(second.contains("listens on 127.0.0.1"), "{second}");
    assert!(!second.contains("cannot read the"), "{second}");
    assert_eq!(teal.serves(HOST), "v1");
}

#[test]
fn the_cause_of_a_failed_command_is_shown_though_pages_of_advice_follow_it() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe(
        "[build]\ninstall = \"echo 'npm error code EUSAGE'; echo 'npm error Missing: left-pad from lock file'; \
         for n in $(seq 60); do echo npm advice $n; done; exit 1\"",
    );
    app.version("v2");
    let pushed = push(&app);
    assert!(pushed.contains("| npm error Missing: left-pad"), "{pushed}");
    assert!(pushed.contains("lines left out"), "{pushed}");
    assert!(pushed.contains("| npm advice 60"), "{pushed}");
}

#[test]
fn a_missing_program_and_where_it_is_looked_for_are_named() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe("[build]\ninstall = \"no-such-packager install\"");
    app.version("v2");
    let pushed = push(&app);
    let next = "next: install the missing program where ";
    assert!(pushed.contains("(command not found)"), "{pushed}");
    assert!(pushed.contains(next), "{pushed}");
}

#[test]
fn an_app_with_one_environment_is_found_by_its_own_name() {
    let teal = Teal::shop();
    let told = teal.cli(["status", "shop"]).ok();
    assert!(told.contains("shop/production"), "{told}");
    assert_eq!(teal.cli(["status", "shops"]).code, 2);
}
