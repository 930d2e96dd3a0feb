//! `teal promote`: exactly what one environment serves goes live in another one, without being built again.

use crate::harness::{App, Teal, story};

const PRODUCTION: &str = "production.shop.test";

/// A shop whose staging takes `develop` and serves `v2`, and whose production serves `v1` of `main`.
fn tried() -> (Teal, App) {
    let teal = Teal::plan()
        .environment("shop", "production", "branch = \"main\"")
        .environment("shop", "staging", "branch = \"develop\"")
        .environment("api", "production", "")
        .start();
    let app = teal.client("shop");
    app.git().push(["production", "main"]).ok();
    let ran = teal.sandbox.join("ran").display().to_string();
    app.recipe(&format!(
        "[build]\ninstall = \"mkdir -p node_modules; echo install >> {ran}\"\ndeps = [\"node_modules\"]\n\
         build = \"mkdir -p dist; echo build >> {ran}\"\noutputs = [\"dist\"]\n\
         test = \"echo test >> {ran}\"\nenv = [\"VITE_*\"]"
    ));
    app.git().write("package-lock.json", "{}");
    app.git().write("package.json", "{}");
    app.version("v2");
    app.git().push(["production", "main:develop"]).ok();
    (teal, app)
}

fn ran(teal: &Teal) -> String {
    std::fs::read_to_string(teal.sandbox.join("ran")).unwrap_or_default()
}

#[test]
fn what_staging_serves_goes_live_without_being_built_again() {
    let (teal, app) = tried();
    assert_eq!(ran(&teal), "install\nbuild\ntest\n");
    let told = teal.cli(["promote", "staging", "shop/production"]).ok();
    insta::assert_snapshot!(story(&told, &teal.sandbox), @r#"
    deployment 3 (staging's deployment 2 promoted) of shop/production: [COMMIT] "v2" by [USER]
      fetch skipped the commit is here
      vacate skipped green is empty
      checkout [TIME] 5 written, 0 removed, 0 unchanged
      backup skipped backup-[DATE] holds it, sealed before it started
      deps skipped lent by [USER] deployment 2
      build skipped lent by [USER] deployment 2
      test skipped the same inputs passed in deployment 2
      migrate skipped no migration command
      start [TIME] web (pid [PID]) on port [PORT]
      health [TIME] ready after [TIME], [N] probes
      switch [TIME] green serves
      receipt 0 lost of [N] requests, [N] in flight at the switch
                          5xx: 0 old, 0 new; overlap of the colors [TIME]
      observe [TIME]
    LIVE: http://production.shop.test:[PORT] (deployment 3, push to live [TIME])
    "#);
    assert!(told.contains("lent by staging's deployment 2"), "{told}");
    assert_eq!(ran(&teal), "install\nbuild\ntest\n");
    assert_eq!(teal.serves(PRODUCTION), "v2");
    let last = &teal.history()[2];
    assert_eq!(last["commit"], app.git().head().as_str());
    assert_eq!(last["kind"]["promote"]["deployment"], 2);
    assert_eq!(last["kind"]["promote"]["from"], "shop/staging");
}

#[test]
fn a_program_is_told_line_by_line_and_can_come_back_later() {
    let (teal, _) = tried();
    let begun = teal.json(["promote", "shop/staging", "production", "--detach"]);
    assert_eq!(
        (&begun["id"], &begun["env"]),
        (&3.into(), &"shop/production".into())
    );
    teal.wait_for_states(&["live", "live", "live"]);
    assert_eq!(teal.serves(PRODUCTION), "v2");
}

#[test]
fn other_settings_of_the_build_are_a_reason_to_build_again() {
    let (teal, _) = tried();
    teal.cli([
        "env",
        "set",
        "shop/production",
        "VITE_API=https://live.test",
    ])
    .ok();
    let told = teal.cli(["promote", "staging", "shop/production"]).ok();
    assert!(ran(&teal).ends_with("install\nbuild\ntest\n"), "{told}");
    assert_eq!(ran(&teal).lines().count(), 6, "{told}");
    assert_eq!(teal.serves(PRODUCTION), "v2");
}

#[test]
fn what_cannot_be_promoted_is_refused_in_words() {
    let (teal, _) = tried();
    let refused = |from: &str, to: &str| {
        let said = teal.cli(["promote", from, to]);
        assert_eq!(said.code, 4, "{} {}", said.stdout, said.stderr);
        said.stderr
    };
    insta::assert_snapshot!(refused("api/production", "shop/production"), @r"
    error: api/production and shop/production are of different apps: a promotion stays within one
      next: name an environment of api
    ");
    insta::assert_snapshot!(refused("shop/staging", "shop/staging"), @r"
    error: shop/staging serves that commit already
      next: to start it once more: teal restart shop/staging; to deploy it again: teal deploy shop/staging
    ");
    let teal = Teal::plan()
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = \"develop\"")
        .start();
    let said = teal.cli(["promote", "staging", "production"]);
    assert_eq!(said.code, 4);
    insta::assert_snapshot!(said.stderr, @r"
    error: shop/staging serves nothing yet: there is nothing to promote
      next: deploy it first: teal deploy shop/staging
    ");
    assert_eq!(teal.cli(["promote", "stagin", "production"]).code, 2);
    assert!(teal.states().is_empty());
}

#[test]
fn reconcile_does_not_override_a_promotion() {
    let (mut teal, app) = tried();
    teal.stop(nix::sys::signal::Signal::SIGTERM);
    // This lands while the server is down, and is found when it is back.
    app.version("v3");
    app.git().push(["production", "main"]).ok();
    teal.serve();
    teal.wait_for_states(&["live", "live", "live"]);
    assert_eq!(teal.serves(PRODUCTION), "v3");
    // This one lands past Teal, and somebody decides for what staging serves before it was found.
    app.version("v4");
    let aside = app.git().head();
    app.git()
        .run(["push", "production", "main:refs/heads/aside"])
        .ok();
    teal.bare("shop")
        .run(["update-ref", "refs/heads/main", &aside])
        .ok();
    let told = teal.cli(["promote", "staging", "shop/production"]).ok();
    assert!(
        told.contains("which was never deployed here and is left alone now"),
        "{told}"
    );
    assert_eq!(teal.serves(PRODUCTION), "v2");
    teal.stop(nix::sys::signal::Signal::SIGTERM);
    teal.serve();
    // What reconcile finds at its start it finds before it looks at the app that comes next.
    let api = teal.client("api");
    api.git().push(["production", "main"]).ok();
    assert_eq!(teal.states().len(), 5);
    assert_eq!(teal.serves(PRODUCTION), "v2");
    // A push is a new decision.
    app.version("v5");
    app.git().push(["production", "main"]).ok();
    assert_eq!(teal.serves(PRODUCTION), "v5");
}
