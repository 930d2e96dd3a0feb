use super::{Connection, Daemon, Sandbox, program, wait::LONG, wait_until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;

/// A real Chromium, spoken to through chromedriver: HTTP and JSON, in WebDriver's words. It ends with the test.
pub struct Browser {
    driver: SocketAddr,
    session: String,
    _daemon: Daemon,
}

impl Browser {
    /// A window without a past.
    #[track_caller]
    pub fn open(sandbox: &Sandbox) -> Self {
        let port = sandbox.port();
        let driver = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new(program("chromedriver"));
        command
            .arg(format!("--port={port}"))
            .env("HOME", sandbox.dir("browser"))
            .env("TMPDIR", sandbox.dir("browser"));
        let mut daemon = Daemon::spawn("chromedriver", &mut command);
        daemon.ready_when("chromedriver answers", || Connection::open(driver).is_ok());
        let mut browser = Browser {
            driver,
            session: String::new(),
            _daemon: daemon,
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": ["--headless", "--no-sandbox", "--disable-dev-shm-usage"] },
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let session = browser.ask("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = match method {
            "POST" => body.to_string(),
            _ => String::new(),
        };
        let answer = Connection::open(self.driver)
            .and_then(|mut open| open.ask(method, "localhost", path, &body))
            .unwrap_or_else(|error| panic!("chromedriver {method} {path}: {error}"));
        let value: Value = serde_json::from_str(&answer.body).expect("JSON from chromedriver");
        assert_eq!(answer.status, 200, "{method} {path}: {value}");
        value["value"].clone()
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// Opens an address, and waits until it is loaded.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// What a script returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text of the first element that fits; nothing when there is none.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let script = format!(
            "return document.querySelector({})?.innerText ?? ''",
            json!(css)
        );
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on the element that fits, as a person does: where it is, if it can be seen.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let found = self.post(
            "/element",
            &json!({ "using": "css selector", "value": css }),
        );
        let id = found
            .as_object()
            .and_then(|one| one.values().next()?.as_str());
        let id = id.expect("an element").to_owned();
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Presses a key, in WebDriver's code.
    #[track_caller]
    pub fn press(&self, key: char) {
        let strokes =
            json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] });
        self.post("/actions", &actions);
    }

    /// Waits until the text of the element holds these words.
    #[track_caller]
    pub fn shows(&self, css: &str, words: &str) {
        let what = format!("`{css}` shows `{words}`");
        let mut last = String::new();
        wait_until(LONG, &what, || {
            last = self.text(css);
            last.contains(words)
        });
    }

    /// What the console complained about: errors of scripts, and everything that the content security policy forbade.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| entry["message"].as_str().map(str::to_owned))
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium is chromedriver's child in a group of its own: it is asked to end rather than killed.
        let path = format!("/session/{}", self.session);
        let _ = Connection::open(self.driver)
            .and_then(|mut open| open.ask("DELETE", "localhost", &path, ""));
    }
}
