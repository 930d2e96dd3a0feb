//! Connections that are opened and never used, thousands of them: visitors are served meanwhile, by a proxy that is allowed
//! few descriptors.

use crate::harness::{Connection, Sandbox, Teal, get};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

const HOST: &str = "production.shop.test";

/// A server, and with it its proxy, that may have this many descriptors.
fn allowed(descriptors: u32) -> Teal {
    let sandbox = Sandbox::new();
    let text = format!(
        "#!/bin/sh\nulimit -n {descriptors}\nexec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_teal")
    );
    let program = sandbox.write("few/teal", text);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut teal = Teal::plan()
        .environment("shop", "production", "")
        .init(sandbox);
    teal.become_program(program);
    teal.serve();
    teal
}

/// What the proxy has used of the processors so far, in ticks of a hundredth of a second.
fn ticks(teal: &Teal) -> u64 {
    let all = teal.sandbox.processes().into_iter();
    let (pid, _) = all
        .into_iter()
        .find(|(_, line)| line.contains("teal proxy"))
        .unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let words: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap()
}

#[test]
fn an_attacker_with_thousands_of_half_open_connections_keeps_no_visitor_out() {
    let teal = allowed(400);
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let mut kept = Connection::open(teal.proxy()).unwrap();
    assert_eq!(kept.ask("GET", HOST, "/", "").unwrap().status, 200);
    let (mut held, before) = (Vec::new(), ticks(&teal));
    for round in 0..15 {
        for n in 0..200 {
            // This test has to get by with what it may open itself.
            if held.len() == 600 {
                held.remove(0);
            }
            let mut one = TcpStream::connect(teal.proxy()).unwrap();
            let begun: &[u8] = if n % 2 == 0 { b"GET / HT" } else { b"" };
            let _ = one.write_all(begun);
            held.push(one);
        }
        for _ in 0..5 {
            let answer = get(teal.proxy(), HOST, "/").unwrap();
            assert_eq!(answer.status, 200, "{round}: {}", answer.body);
            let answer = kept.ask("GET", HOST, "/", "").unwrap();
            assert_eq!(answer.status, 200, "{round}: {}", answer.body);
        }
    }
    let used = ticks(&teal) - before;
    assert!(used < 1000, "{used} hundredths of a second");
}
