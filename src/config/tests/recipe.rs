use super::{repo, versions};
use crate::config::*;
use insta::assert_snapshot;

fn of(text: &str) -> Result<Recipe, ConfigError> {
    Recipe::resolve(&repo(&[(".teal.toml", text), ("api/x", "")]), &versions)
}

#[test]
fn every_key_is_read_with_its_line() {
    let recipe = of(r#"dir = "./api/"
[build]
install = "make deps"
deps = ["vendor"]
build = """
make one
make two"""
outputs = ["out", "gen/"]
test = "make test"
ignore = ["docs/**", "*.md"]
env = ["VITE_*", "API_URL"]
[run]
web = { command = "./serve", on_switch = "exclusive", count = 2 }
worker = "./work"
mailer = { command = "./mail", on_switch = "handover" }
shared = ["uploads", "data/db.sqlite"]
before = "./warm"
after = ""
[migrate]
command = "./migrate"
inputs = ["db/**"]
backup = "./dump"
[health]
path = "/api/health?deep=1"
expect = { status = "ok", code = 1, ready = true }
timeout = "90s"
[timeouts]
build = "45m"
"#)
    .unwrap();
    assert_eq!(recipe.processes["web"].count, 2);
    assert_eq!(recipe.processes["mailer"].on_switch, OnSwitch::Handover);
    assert_eq!(recipe.after, None);
    assert_eq!(recipe.health.expect["code"], 1);
    assert_snapshot!(recipe.explain(), @r#"
    dir               api                                    .teal.toml line 1
    build.install     make deps                              .teal.toml line 3
    build.deps        vendor                                 .teal.toml line 4
    build.build       make one ⏎ make two                    .teal.toml line 5
    build.outputs     out, gen                               .teal.toml line 8
    build.test        make test                              .teal.toml line 9
    build.ignore      docs/**, *.md                          .teal.toml line 10
    build.env         VITE_*, API_URL                        .teal.toml line 11
    migrate.command   ./migrate                              .teal.toml line 20
    migrate.inputs    db/**                                  .teal.toml line 21
    migrate.backup    ./dump                                 .teal.toml line 22
    run.web           ./serve (exclusive) ×2                 .teal.toml line 13
    run.mailer        ./mail (handover)                      .teal.toml line 15
    run.worker        ./work                                 .teal.toml line 14
    run.shared        uploads, data/db.sqlite                .teal.toml line 16
    run.before        ./warm                                 .teal.toml line 17
    run.after         –                                      .teal.toml line 18
    health.path       GET /api/health?deep=1 answers 2xx     .teal.toml line 24
    health.expect     code = 1, ready = true, status = "ok"  .teal.toml line 25
    health.timeout    90s                                    .teal.toml line 26
    timeouts.install  15m                                    default
    timeouts.build    45m                                    .teal.toml line 28
    timeouts.test     30m                                    default
    timeouts.migrate  15m                                    default
    timeouts.hooks    5m                                     default
    "#);
}

#[test]
fn what_is_written_wins_and_an_empty_command_takes_a_step_out() {
    let files = [
        (
            "package.json",
            r#"{"scripts": {"build": "tsc", "start": "node ."}, "main": "x.js"}"#,
        ),
        ("package-lock.json", ""),
        ("tsconfig.json", "{\n  \"outDir\": \"./lib\"\n}"),
        ("Procfile", "web: from procfile\nworker: w\n"),
        ("migrations/run.sh", ""),
        (
            ".teal.toml",
            "[build]\ninstall = ''\nbuild = ''\n[run]\nworker = ''\n[migrate]\ncommand = ''\n",
        ),
    ];
    let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
    assert_eq!(recipe.steps, Steps::default());
    assert_eq!(recipe.processes.keys().collect::<Vec<_>>(), ["web"]);
    assert_snapshot!(recipe.explain(), @r"
    dir               .                        default
    path              node_modules/.bin        package.json
    build.install     –                        .teal.toml line 2
    build.build       –                        .teal.toml line 3
    migrate.command   –                        .teal.toml line 7
    run.web           from procfile            Procfile line 1
    run.worker        –                        .teal.toml line 5
    health.path       GET / answers below 500  default
    health.timeout    60s                      default
    timeouts.install  15m                      default
    timeouts.build    30m                      default
    timeouts.test     30m                      default
    timeouts.migrate  15m                      default
    timeouts.hooks    5m                       default
    ");
}

#[test]
fn another_migration_command_does_not_inherit_the_inputs_of_the_script() {
    let files = [
        ("migrations/run.sh", ""),
        (".teal.toml", "[run]\nweb = 'x'\n[migrate]\ncommand = 'y'\n"),
    ];
    let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
    assert!(recipe.steps.migrate_inputs.is_empty());
}

#[test]
fn a_worker_alone_is_an_app() {
    let recipe = of("[run]\nworker = 'x'\n").unwrap();
    assert!(!recipe.processes.contains_key("web"));
}

#[test]
fn a_recipe_survives_json() {
    let recipe = of("[run]\nweb = 'x'\n[health]\npath='/h'\nexpect={a='b'}\n").unwrap();
    let text = serde_json::to_string(&recipe).unwrap();
    assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
}
