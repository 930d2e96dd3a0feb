//! What an app's commands and services may take of the machine: time, memory, processes, room for what they print. Whoever
//! takes more is stopped and named, nothing of it is left, and the old release serves on.

use crate::harness::{App, Teal};
use std::fs;
use std::path::Path;

const HOST: &str = "production.shop.test";

/// A server where `v1` serves, with these limits for production.
fn limited(limits: &str) -> (Teal, App) {
    let teal = Teal::shop_with(&format!("limits = {{ {limits} }}"));
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    (teal, app)
}

/// Pushes a release with these tables in its recipe, which has to fail at this step while `v1` serves; what its pusher was
/// told.
#[track_caller]
fn fails(teal: &Teal, app: &App, recipe: &str, step: &str) -> String {
    app.recipe(recipe);
    app.version("v2");
    let told = app.git().push(["production", "main"]).stderr;
    assert!(told.contains(&format!("FAILED at {step}")), "{told}");
    assert_eq!(teal.serves(HOST), "v1", "{told}");
    told
}

/// The same with `v3`, which takes little.
#[track_caller]
fn works_again(teal: &Teal, app: &App) {
    app.recipe("");
    app.version("v3");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v3", "{}", pushed.stderr);
}

#[track_caller]
fn nobody_left(teal: &Teal, word: &str) {
    let all = teal.sandbox.processes().into_iter();
    let left: Vec<_> = all.filter(|(_, line)| line.contains(word)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_build_that_takes_too_long_ends_with_all_that_it_started() {
    let (teal, app) = limited("processes = 500");
    let recipe =
        "[build]\nbuild = \"setsid sleep 4321 & sleep 4321\"\n[timeouts]\nbuild = \"1s\"\n";
    let told = fails(&teal, &app, recipe, "build");
    assert!(told.contains("did not end within 1.0 s"), "{told}");
    nobody_left(&teal, "sleep 4321");
    works_again(&teal, &app);
}

/// Says why it has no memory: by the kernel, or, where no group counts, by the program itself.
fn names_memory(told: &str) -> bool {
    told.contains("memory ran out") || told.contains("MemoryError")
}

#[test]
fn a_build_that_takes_too_much_memory_is_named() {
    let (teal, app) = limited("build_memory = \"64MB\"");
    let recipe = "[build]\nbuild = \"python3 -c 'x = bytearray(300 << 20)'\"\n";
    let told = fails(&teal, &app, recipe, "build");
    assert!(names_memory(&told), "{told}");
    works_again(&teal, &app);
}

#[test]
fn a_service_that_takes_too_much_memory_is_named() {
    let (teal, app) = limited("memory = \"64MB\"");
    let recipe = "[run]\nweb = \"exec python3 -c 'x = bytearray(300 << 20)'\"\n";
    let told = fails(&teal, &app, recipe, "health");
    assert!(names_memory(&told), "{told}");
    works_again(&teal, &app);
}

#[test]
fn a_build_that_multiplies_is_held_and_leaves_nobody() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can count the processes of a group here");
        return;
    }
    let (teal, app) = limited("processes = 40");
    let recipe =
        "[build]\nbuild = \"for n in $(seq 300); do sleep 4321 & done; echo all $((300)) run\"\n";
    let told = fails(&teal, &app, recipe, "build");
    assert!(!told.contains("all 300 run"), "{told}");
    assert!(told.to_lowercase().contains("fork"), "{told}");
    nobody_left(&teal, "sleep 4321");
    works_again(&teal, &app);
}

#[test]
fn a_flood_of_output_is_cut_and_the_deployment_goes_on() {
    let (teal, app) = limited("log = \"1MB\"");
    app.recipe("[build]\nbuild = \"yes flooded | head -c 30000000; echo the end\"\n");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v2", "{}", pushed.stderr);
    assert!(pushed.stderr.len() < 10_000, "{}", pushed.stderr.len());
    let log = teal.state_dir().join("logs/2/build.log");
    let length = fs::metadata(&log).unwrap().len();
    assert!((1_000_000..1_000_200).contains(&length), "{length}");
    let shown = teal.cli(["logs", "2"]).ok();
    assert!(shown.contains("it is limited to 1 MB"));
}

#[test]
fn a_service_that_floods_keeps_a_log_of_limited_size() {
    let (teal, app) = limited("processes = 500");
    app.recipe("[run]\nweb = \"yes flooded by a service | head -c 60000000; exec python3 -u app.py\"\n[health]\npath = \"/api/health\"\n");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v2", "{}", pushed.stderr);
    let shared = teal.root("shop", "production").join("shared");
    let logs = fs::read_dir(shared).unwrap().flatten();
    let logs = logs.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("green-service.log")
    });
    let total: u64 = logs.map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(total <= 41 << 20, "{total}");
}

/// Shell words that print how a command stands beside others: niceness, whether it goes first when memory runs out, and the
/// weight of its group, as far as there is one.
const STANDING: &str = "echo nice $(nice) oom $(cat /proc/self/oom_score_adj) weight \
    $(for p in $(cut -d: -f3 /proc/self/cgroup); do cat /sys/fs/cgroup/cpu$p/cpu.shares /sys/fs/cgroup$p/cpu.weight 2>/dev/null; done \
    | sort -n | head -n 1)";

#[test]
fn builds_give_way_to_what_serves() {
    let (teal, app) = limited("processes = 500");
    app.recipe(&format!(
        "[build]\nbuild = '''{STANDING}'''\n[run]\nweb = '''{STANDING}; exec python3 -u app.py'''\n"
    ));
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v2", "{}", pushed.stderr);
    let said = |text: String| -> Vec<String> {
        let line = text.lines().find(|line| line.contains("nice ")).unwrap();
        let words = line.split(' ').map(str::to_owned);
        words.skip_while(|word| word != "nice").collect()
    };
    let build = said(fs::read_to_string(teal.state_dir().join("logs/2/build.log")).unwrap());
    let log = teal
        .root("shop", "production")
        .join("shared/green-service.log");
    let service = said(fs::read_to_string(log).unwrap());
    let own = format!("nice {} oom", nix_nice());
    assert!(service.join(" ").starts_with(&own), "{service:?}");
    assert_eq!(build[..4], ["nice", "10", "oom", "500"], "{build:?}");
    let weight = |words: &[String]| words.get(5).and_then(|word| word.parse::<u64>().ok());
    match (weight(&build), weight(&service)) {
        (Some(build), Some(service)) => assert!(build * 9 < service, "{build} {service}"),
        _ => eprintln!("skipped in part: no control group weighs processors here"),
    }
    assert!(Path::new("/proc/self/autogroup").exists() || weight(&build).is_some());
}

/// How nice this test itself is, and with it every service.
fn nix_nice() -> i32 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(16).unwrap().parse().unwrap()
}
