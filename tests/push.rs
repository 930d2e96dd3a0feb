//! `git push` to a server that reports: the push lands whatever happens, and its sender is shown every step.

use crate::harness::Teal;

const HOST: &str = "production.shop.test";

#[test]
fn a_push_goes_live_and_its_sender_sees_every_step() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live"]);
}
