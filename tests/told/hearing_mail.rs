//! Mail through a real server (aiosmtpd) with TLS and a password.

use super::{notify, push, telling};
use crate::harness::{App, Daemon, LONG, Sandbox, Teal, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A mail server that writes what it takes into a folder, one file of JSON each.
struct MailServer {
    daemon: Daemon,
    folder: PathBuf,
    ca: PathBuf,
    port: u16,
}

impl MailServer {
    fn start(sandbox: &Sandbox, implicit: bool) -> MailServer {
        let folder = sandbox.dir("mails");
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let ca = sandbox.write("mail.pem", key.cert.pem());
        let private = sandbox.write("mail.key", key.signing_key.serialize_pem());
        let script = sandbox.write("mail.py", include_str!("mail.py"));
        let port = sandbox.port();
        // The packages of apt belong to the system's own Python.
        let mut command = Command::new("/usr/bin/python3");
        command
            .arg("-u")
            .arg(script)
            .arg(port.to_string())
            .args([&ca, &private, &folder])
            .arg(if implicit { "implicit" } else { "starttls" });
        let mut daemon = Daemon::spawn("the mail server", &mut command);
        daemon.says("ready");
        MailServer {
            daemon,
            folder,
            ca,
            port,
        }
    }

    /// It is there and does nothing, until it goes on.
    fn stand_still(&self) {
        self.daemon.signal(Signal::SIGSTOP);
    }

    fn go_on(&self) {
        self.daemon.signal(Signal::SIGCONT);
    }

    /// The mails so far, in order.
    fn mails(&self) -> Vec<Value> {
        let mut files: Vec<PathBuf> = { fs::read_dir(&self.folder).unwrap().flatten() }
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        files.sort();
        let read =
            |path: &PathBuf| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        files.iter().map(read).collect()
    }

    fn keys(&self, tls: &str, password: &str) -> String {
        notify(&format!(
            "kind = \"mail\"\nfrom = \"Teal <teal@example.test>\"\nto = [\"Ops <ops@example.test>\", \"ann@example.test\"]\n\
             smtp = {{ host = \"localhost\", port = {}, tls = \"{tls}\", user = \"teal\", password = {{ env = \"{password}\" }}, ca = \"{}\" }}",
            self.port,
            self.ca.display()
        ))
    }
}

fn world(implicit: bool) -> (Sandbox, MailServer, Teal, App) {
    let sandbox = Sandbox::new();
    let server = MailServer::start(&sandbox, implicit);
    let tls = if implicit { "implicit" } else { "starttls" };
    let plan = Teal::plan()
        .top(&server.keys(tls, "PASSWORD"))
        .variable("PASSWORD", "s3cret")
        .variable("WRONG", "wrong");
    let (teal, app) = telling(plan);
    (sandbox, server, teal, app)
}

#[test]
fn a_failure_and_the_recovery_are_one_thread_in_text_and_html() {
    let (_sandbox, server, teal, app) = world(false);
    push(&app);
    app.git().write("fault.txt", "exit");
    app.git().commit("<script>alert(1)</script> & co");
    push(&app);
    app.git().write("version.txt", "v3\n");
    app.git().commit("another try");
    push(&app);
    app.fault("");
    push(&app);
    teal.wait_for_states(&["live", "failed", "failed", "live"]);
    wait_until(LONG, "two mails came", || server.mails().len() == 2);
    let mails = server.mails();
    let field = |mail: usize, name: &str| mails[mail][name].as_str().unwrap_or_default().to_owned();
    assert!(field(0, "subject").starts_with("[teal] shop/production: deployment 2 failed"));
    assert!(
        field(1, "subject").contains("all is well again after 2 failures"),
        "{}",
        field(1, "subject")
    );
    assert_eq!(field(1, "in-reply-to"), field(0, "message-id"));
    assert!(field(0, "message-id").starts_with("<teal-2-failed-"));
    assert_eq!(
        mails[0]["recipients"],
        serde_json::json!(["ops@example.test", "ann@example.test"])
    );
    let (text, html) = (field(0, "text"), field(0, "html"));
    assert!(text.contains("<script>alert(1)</script> & co"), "{text}");
    assert!(text.contains("cannot read the configuration"), "{text}");
    assert!(
        html.contains("&#60;script&#62;alert(1)&#60;/script&#62; &#38; co"),
        "{html}"
    );
    assert!(!html.contains("<script>"), "{html}");
    // Private from the first word on, and by somebody known.
    assert_eq!(mails[0]["tls"], true);
    assert_eq!(mails[0]["user"], "teal");
}

#[test]
fn a_mail_server_that_stands_still_delays_nobody_and_is_told_each_thing_once_when_it_goes_on() {
    let (_sandbox, server, mut teal, app) = world(false);
    push(&app);
    server.stand_still();
    app.fault("exit");
    push(&app);
    teal.wait_for_states(&["live", "failed"]);
    wait_until(LONG, "the mail waits", || {
        teal.json(["notify", "list"])[0]["waiting"] == 1
    });
    // Neither of the two servers' ends loses it.
    teal.stop(Signal::SIGKILL);
    teal.serve();
    server.go_on();
    wait_until(LONG, "it came", || server.mails().len() == 1);
    app.fault("");
    push(&app);
    wait_until(LONG, "all is told", || {
        server.mails().len() == 2 && teal.json(["notify", "list"])[0]["waiting"] == 0
    });
    let mails = server.mails();
    let subject = |nth: usize| mails[nth]["subject"].as_str().unwrap().to_owned();
    assert!(subject(0).contains("deployment 2 failed"), "{}", subject(0));
    assert!(subject(1).contains("all is well again"), "{}", subject(1));
}

#[test]
fn mail_that_is_private_from_the_first_byte_and_one_with_a_wrong_password() {
    let (_sandbox, server, teal, _) = world(true);
    let told = teal.cli(["notify", "test", "mail"]).ok();
    assert!(
        told.starts_with("ok     mail: the mail server took it: "),
        "{told}"
    );
    assert_eq!(server.mails().len(), 1);
    let config = teal.config().to_owned();
    let wrong = fs::read_to_string(&config)
        .unwrap()
        .replace("\"PASSWORD\"", "\"WRONG\"");
    fs::write(&config, wrong).unwrap();
    let mut teal = teal;
    teal.stop(nix::sys::signal::Signal::SIGTERM);
    teal.serve();
    let told = teal.cli(["notify", "test", "mail"]);
    assert_eq!(told.code, 1);
    assert!(
        told.stdout
            .contains("user or password are not what the mail server knows"),
        "{}",
        told.stdout
    );
}
