//! The dashboard in a real browser: it shows what happens without being asked, it lets people in and act, and what
//! strangers wrote stays text.

use crate::harness::{App, Browser, Connection, Daemon, Outcome, Teal, get};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';

fn page(teal: &Teal, path: &str) -> String {
    format!("http://{}{path}", teal.listen())
}

#[track_caller]
fn push(app: &App) -> Outcome {
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed
}

/// The link that `teal user add` prints.
#[track_caller]
fn link(teal: &Teal, name: &str, role: &str) -> String {
    let made = teal.json(["user", "add", name, "--role", role]);
    made["url"].as_str().expect("a link").to_owned()
}

/// A browser in which this person is signed in.
#[track_caller]
fn signed_in(teal: &Teal, role: &str) -> Browser {
    let browser = Browser::open(&teal.sandbox);
    sign_in(teal, &browser, role);
    browser
}

#[track_caller]
fn sign_in(teal: &Teal, browser: &Browser, role: &str) {
    browser.go(&link(teal, "ann", role));
    browser.click("main button");
    // The next page must not overtake the form.
    browser.shows(".viewer", "ann");
}

#[track_caller]
fn without_complaints(browser: &Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_of_a_running_deployment_moves_by_itself() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let build = format!(
        "printf '\\033[31mred\\033[0m <script>alert(1)</script>\\n'; {}",
        teal.waiting("build")
    );
    app.recipe(&format!("[build]\nbuild = '''{build}'''\n"));
    app.git().commit("Wait in the build");
    let browser = signed_in(&teal, "look");
    browser.shows(".card .standing", "Nothing deployed yet");

    let mut command = app.git().command();
    let mut pushing = Daemon::spawn("git push", command.args(["push", "production", "main"]));
    teal.wait_for_waiting("build");
    browser.shows(".card .underway", "build");
    browser.go(&page(&teal, "/deployments/1"));
    browser.shows("#steps", "build");
    browser.shows(
        ".log-step[data-step=build] .lines",
        "red <script>alert(1)</script>",
    );
    assert_eq!(browser.text(".log .c1"), "red");
    browser.run("document.body.dataset.same = 'yes'");

    teal.let_go("build");
    browser.shows("#head", "Live");
    browser.shows("#cost", "Requests");
    // It is the same page: nothing was loaded anew.
    assert_eq!(browser.run("return document.body.dataset.same"), "yes");
    without_complaints(&browser);
    assert_eq!(pushing.finish(), 0);
}

#[test]
fn people_sign_in_and_roll_back_by_clicking() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app);
    app.version("v2");
    push(&app);
    let browser = signed_in(&teal, "deploy");
    browser.click(".card h2 a");
    browser.click(".acts form[method=get] button");
    browser.shows("h1", "Roll back shop/production?");
    browser.shows(".side:not(.serves)", "v1");
    browser.click("button.danger");
    browser.shows("#head", "Live");
    assert_eq!(teal.serves("production.shop.test"), "v1");
    let last = teal.history().pop().expect("a rollback");
    assert_eq!(
        (last["by"].as_str(), last["origin"].as_str()),
        (Some("ann"), Some("dashboard"))
    );
    without_complaints(&browser);
}

#[test]
fn the_maintenance_page_and_deploying_work_by_clicking() {
    let teal = Teal::shop();
    push(&teal.client("shop"));
    let browser = signed_in(&teal, "deploy");
    let own = page(&teal, "/environments/shop/production");
    browser.go(&own);
    browser.click("form[action$=maintenance] button");
    browser.shows(".card .standing", "Maintenance page");
    assert_eq!(teal.visit("production.shop.test", "/").status, 503);
    browser.click("form[action$=maintenance] button");
    browser.shows(".card .standing", "Live");
    browser.click("form[action$=deploy] button");
    browser.shows("#head", "Live");
    browser.shows("h1", "v1");
    without_complaints(&browser);
}

#[test]
fn a_hostile_message_stays_text() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let hostile =
        "<img src=x onerror=document.title='owned'>\"'><script>document.title='owned'</script>";
    app.git().write("version.txt", "v2\n");
    app.git().commit(hostile);
    push(&app);
    let browser = signed_in(&teal, "look");
    browser.shows(".slot.serves .slot-what", "<img src=x");
    for path in [
        "/deployments/1",
        "/history",
        "/environments/shop/production",
    ] {
        browser.go(&page(&teal, path));
        browser.shows("main", "<script>document.title='owned'</script>");
        assert_eq!(
            browser.run(
                "return document.querySelectorAll('main img:not([src$=svg]), main script').length"
            ),
            0
        );
        assert!(
            browser
                .run("return document.title")
                .as_str()
                .is_some_and(|title| title.ends_with("Teal"))
        );
    }
    without_complaints(&browser);
}

#[test]
fn everything_is_reached_by_the_keyboard() {
    let teal = Teal::shop();
    push(&teal.client("shop"));
    let browser = signed_in(&teal, "deploy");
    let mut reached = Vec::new();
    for _ in 0..12 {
        browser.press(TAB);
        let name = browser.run("return document.activeElement.getAttribute('href') ?? document.activeElement.textContent");
        reached.push(name.as_str().unwrap_or_default().to_owned());
        assert_ne!(
            browser.run("return getComputedStyle(document.activeElement).outlineStyle"),
            "none",
            "the focus on {name} is seen"
        );
        if reached
            .last()
            .is_some_and(|last| last == "/environments/shop/production")
        {
            break;
        }
    }
    assert_eq!(&reached[..4], ["#main", "/", "/", "/history"]);
    browser.press(ENTER);
    browser.shows("main", "Latest deployments");
}

#[test]
fn strangers_see_nothing_unless_there_is_a_public_page() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app);
    for path in [
        "/",
        "/deployments/1",
        "/history",
        "/environments/shop/production/badge.svg",
        "/events",
    ] {
        let answer = get(teal.listen(), "localhost", path).unwrap();
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.body.contains("v1"), "{path}");
    }
    let teal = Teal::plan()
        .top("public_page = true")
        .environment("shop", "production", "")
        .start();
    let app = teal.client("shop");
    push(&app);
    app.recipe("[build]\nbuild = \"echo secret-output; exit 3\"\n");
    app.git().commit("broken");
    app.git().push(["production", "main"]);
    let home = get(teal.listen(), "localhost", "/").unwrap();
    assert!(home.body.contains("failed at build"), "{}", home.body);
    let badge = "/environments/shop/production/badge.svg";
    let badge = get(teal.listen(), "localhost", badge).unwrap();
    assert!(badge.body.contains("live "), "{}", badge.body);
    for path in ["/", "/deployments/2", "/history"] {
        let answer = get(teal.listen(), "localhost", path).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.contains("secret-output"), "{path}");
        assert!(!answer.body.contains("code 3"), "{path}");
    }
    for path in [
        "/deployments/2/log",
        "/deployments/2/plan",
        "/environments/shop/production/rollback",
    ] {
        assert_eq!(
            get(teal.listen(), "localhost", path).unwrap().status,
            401,
            "{path}"
        );
    }
}

#[test]
fn nothing_is_answered_under_a_strangers_name() {
    let teal = Teal::plan()
        .top("public_page = true")
        .environment("shop", "production", "")
        .start();
    for path in ["/", "/history", "/api/v1/openapi.json"] {
        let status = |host: &str| get(teal.listen(), host, path).unwrap().status;
        assert_eq!(status("localhost"), 200, "{path}");
        // A page of theirs whose name leads to this address would read what comes.
        assert_eq!(status("evil.test"), 421, "{path}");
        assert_eq!(status("localhost.evil.test"), 421, "{path}");
    }
    assert_eq!(
        get(teal.listen(), "evil.test", "/healthz").unwrap().status,
        200
    );
}

#[test]
fn a_link_works_once_and_forms_need_their_session() {
    let teal = Teal::shop();
    push(&teal.client("shop"));
    let path = link(&teal, "ann", "deploy");
    let path = path
        .split_once("/sign-in")
        .map(|(_, rest)| format!("/sign-in{rest}"))
        .unwrap();
    // A chat that looks at the link does not use it up.
    assert_eq!(get(teal.listen(), "localhost", &path).unwrap().status, 200);
    let entered = teal.ask("POST", &path, "");
    assert_eq!(entered.status, 303);
    let cookie = entered.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(teal.ask("POST", &path, "").status, 404);

    let session = cookie.split(';').next().unwrap();
    let act = |token: &str, origin: &str| {
        let body = format!("token={token}&on=true");
        let request = format!(
            "POST /environments/shop/production/maintenance HTTP/1.1\r\nHost: localhost\r\nCookie: {session}\r\n{origin}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut open = Connection::open(teal.listen()).unwrap();
        open.send("POST", &request).unwrap().status
    };
    assert_eq!(act("", ""), 403);
    assert_eq!(act(&"0".repeat(64), ""), 403);
    let own = format!(
        "GET /environments/shop/production HTTP/1.1\r\nHost: localhost\r\nCookie: {session}\r\n\r\n"
    );
    let body = Connection::open(teal.listen())
        .unwrap()
        .send("GET", &own)
        .unwrap()
        .body;
    let token = body
        .split("name=\"token\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(act(token, "Origin: https://evil.example\r\n"), 403);
    assert_eq!(teal.visit("production.shop.test", "/").status, 200);
    assert_eq!(act(token, ""), 303);
    assert_eq!(teal.visit("production.shop.test", "/").status, 503);
    teal.cli(["user", "remove", "ann"]).ok();
    assert_eq!(act(token, ""), 401);
}

#[test]
fn a_release_that_waits_is_approved_by_clicking() {
    let teal = Teal::plan()
        .top("[people.ann]\n[people.eve]\n")
        .environment("shop", "production", "approval = { by = \"ann\" }")
        .start();
    push(&teal.client("shop"));
    teal.wait_for_states(&["approval"]);
    let browser = signed_in(&teal, "approve");
    browser.shows(".card .underway", "waiting for approval");
    browser.shows(".card .answer", "Approve 1");
    browser.go(&page(&teal, "/deployments/1"));
    browser.shows("#approval", "Waits for approval by ann until");
    browser.run("document.body.dataset.same = 'yes'");
    browser
        .run("document.querySelector('.answer input[name=why]').value = 'the fair is <b>on</b>'");
    browser.click(".answer button.danger");
    browser.shows("#head", "Live");
    browser.shows("#steps", "approved by ann: the fair is <b>on</b>");
    assert_eq!(browser.text("#approval"), "");
    assert_eq!(teal.serves("production.shop.test"), "v1");
    without_complaints(&browser);
    let answer = &teal.history()[0]["approval"]["answer"];
    assert_eq!(
        (&answer["by"], &answer["approved"]),
        (&"ann".into(), &true.into())
    );
    // Who lacks the role, or is not named, is told so instead of being asked.
    let app = teal.colleague("shop", "other");
    app.version("v2");
    app.git().run(["push", "-f", "production", "main"]).ok();
    teal.wait_for_states(&["live", "approval"]);
    let path = "/deployments/2";
    for (role, why) in [
        ("deploy", "teal user add ann --role approve"),
        ("approve", ""),
    ] {
        teal.cli(["user", "remove", "ann"]).ok();
        sign_in(&teal, &browser, role);
        browser.go(&page(&teal, path));
        browser.shows("#approval", why);
    }
    browser.click(".answer button:not(.danger)");
    browser.shows("#head", "Cancelled");
    browser.shows("#failure", "rejected by ann");
    without_complaints(&browser);
}
