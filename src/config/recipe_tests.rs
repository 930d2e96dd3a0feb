use super::*;
use insta::assert_snapshot;

/// A repository of these files, each `path` with its text.
pub(super) fn repo<'f>(files: &'f [(&'f str, &'f str)]) -> RepoView<'f> {
    RepoView::new(
        move |path| {
            let file = files.iter().find(|(name, _)| *name == path);
            file.map(|(_, text)| text.as_bytes().to_vec())
        },
        move |folder| {
            let prefix = if folder.is_empty() {
                String::new()
            } else {
                format!("{folder}/")
            };
            let mut entries: Vec<(String, Entry)> = files
                .iter()
                .filter_map(|(name, _)| name.strip_prefix(&prefix))
                .map(|rest| match rest.split_once('/') {
                    Some((folder, _)) => (folder.to_owned(), Entry::Folder),
                    None => (rest.to_owned(), Entry::File),
                })
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup();
            entries
        },
    )
}

/// A server that has everything.
pub(super) fn versions(tool: &str) -> Option<String> {
    let version = match tool {
        "node" => "v20.1.0",
        "python3" => "Python 3.11.2",
        "go" => "go version go1.22.1 linux/amd64",
        _ => "1.0.0",
    };
    Some(version.to_owned())
}

fn of(text: &str) -> Result<Recipe, ConfigError> {
    Recipe::resolve(&repo(&[(".teal.toml", text), ("api/x", "")]), &versions)
}

fn wrong(text: &str) -> String {
    of(text).unwrap_err().to_string()
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
fn a_repository_sets_nothing_of_the_servers() {
    assert_snapshot!(wrong("port = 3000"), @r"
    .teal.toml:1:1: a repository may not set `port`: users, ports, domains, folders and secrets are the server's, in its teal.toml
      |
    1 | port = …
      | ^^^^
    ");
    assert_snapshot!(wrong("[run]\nuser = 'root'"), @r"
    .teal.toml:2:1: a repository may not set `user`: users, ports, domains, folders and secrets are the server's, in its teal.toml
      |
    2 | user = …
      | ^^^^
    ");
    assert_snapshot!(wrong("[build]\nsecrets = ['A']"), @r"
    .teal.toml:2:1: a repository may not set `secrets`: users, ports, domains, folders and secrets are the server's, in its teal.toml
      |
    2 | secrets = …
      | ^^^^^^^
    ");
    assert_snapshot!(wrong("dir = '/etc'"), @r#"
    .teal.toml:1:7: `dir`: "/etc" is not inside the release: the recipe may only name paths inside the release
      |
    1 | dir = '/etc'
      |       ^^^^^^
    "#);
    assert_snapshot!(wrong("[run]\nshared = ['../other']"), @r#"
    .teal.toml:2:11: `shared`: "../other" leads out with `..`: the recipe may only name paths inside the release
      |
    2 | shared = ['../other']
      |           ^^^^^^^^^^
    "#);
    assert_snapshot!(wrong("[build]\noutputs = ['.git/hooks']"), @r#"
    .teal.toml:2:12: `outputs`: ".git/hooks" is git's own folder, which no release has
      |
    2 | outputs = ['.git/hooks']
      |            ^^^^^^^^^^^^
    "#);
    assert_snapshot!(wrong("[build]\noutputs = ['.']"), @r"
    .teal.toml:2:12: `outputs` cannot be the whole release
      |
    2 | outputs = ['.']
      |            ^^^
    ");
    assert_snapshot!(wrong("[migrate]\ncommand = 'x'\ninputs = ['/etc/**']"), @r#"
    .teal.toml:3:11: `inputs`: "/etc/**" is not inside the release: the recipe may only name paths inside the release
      |
    3 | inputs = ['/etc/**']
      |           ^^^^^^^^^
    "#);
    assert_snapshot!(wrong("[build]\nignore = ['a[']"), @r#"
    .teal.toml:2:11: "a[" is not a pattern: unclosed character class; missing ']'
      |
    2 | ignore = ['a[']
      |           ^^^^
    "#);
    assert_snapshot!(wrong("[build]\nenv = ['A=b']"), @r#"
    .teal.toml:2:8: "A=b" is not a variable's name
      |
    2 | env = ['A=b']
      |        ^^^^^ names such as "API_URL" or "VITE_*", without values
    "#);
}

#[test]
fn slips_are_named() {
    assert_snapshot!(wrong("[biuld]\nbuild = 'x'"), @r"
    .teal.toml:1:2: unknown key `biuld`
      |
    1 | [biuld]
      |  ^^^^^ did you mean `build`?
    ");
    assert_snapshot!(wrong("[build]\noutput = ['x']"), @r"
    .teal.toml:2:1: unknown key `output` in [build]
      |
    2 | output = …
      | ^^^^^^ did you mean `outputs`?
    ");
    assert_snapshot!(wrong("[build]\nshared = ['x']"), @r"
    .teal.toml:2:1: unknown key `shared` in [build]
      |
    2 | shared = …
      | ^^^^^^ `shared` belongs in [run]
    ");
    assert_snapshot!(wrong("[run]\nbefor = 'x'"), @r"
    .teal.toml:2:1: `befor` in [run] would be a process of its own
      |
    2 | befor = …
      | ^^^^^ did you mean `before`?
    ");
    assert_snapshot!(wrong("[run]\nshraed = ['x']"), @r"
    .teal.toml:2:1: `shraed` in [run] would be a process of its own
      |
    2 | shraed = …
      | ^^^^^^ did you mean `shared`?
    ");
    assert_snapshot!(wrong("[run]\nworker = 3"), @r"
    .teal.toml:2:10: `worker` must be a command or a table, not a number
      |
    2 | worker = 3
      |          ^
    ");
    assert_snapshot!(wrong("[run]\n'a b' = 'x'"), @r"
    .teal.toml:2:1: `a b` cannot be the name of a process
      |
    2 | 'a b' = …
      | ^^^^^ letters, digits, `-` and `_`, 40 at most
    ");
    assert_snapshot!(wrong("[run]\nworker = { comand = 'x' }"), @r"
    .teal.toml:2:12: unknown key `comand` in [run.worker]
      |
    2 | worker = { comand = …
      |            ^^^^^^ did you mean `command`?
    ");
    assert_snapshot!(wrong("[run]\nworker = { count = 2 }"), @r"
    .teal.toml:2:1: process `worker` has no `command`
      |
    2 | worker = …
      | ^^^^^^
    ");
    assert_snapshot!(wrong("[run]\nworker = { command = 'x', on_switch = 'hand-over' }"), @r#"
    .teal.toml:2:39: `on_switch` cannot be "hand-over"
      |
    2 | worker = { command = 'x', on_switch = 'hand-over' }
      |                                       ^^^^^^^^^^^ did you mean "handover"?
    "#);
    assert_snapshot!(wrong("[run]\nworker = { command = 'x', count = 0 }"), @r"
    .teal.toml:2:35: `count` must be between 1 and 64
      |
    2 | worker = { command = 'x', count = 0 }
      |                                   ^
    ");
    assert_snapshot!(wrong("[run]\nweb = \"a\\u0007\""), @r#"
    .teal.toml:2:7: `web` has a control character in it
      |
    2 | web = "a\u0007"
      |       ^^^^^^^^^
    "#);
    assert_snapshot!(wrong("[run]\nshared = ['a', 'a/b']"), @r"
    .teal.toml:2:10: `shared` has both a and a/b: keep the outer one
      |
    2 | shared = ['a', 'a/b']
      |          ^^^^^^^^^^^^
    ");
    assert_snapshot!(wrong("[health]\npath = 'http://x/health'"), @r#"
    .teal.toml:2:8: `path` cannot be "http://x/health"
      |
    2 | path = 'http://x/health'
      |        ^^^^^^^^^^^^^^^^^ a path of the app, such as "/api/health"
    "#);
    assert_snapshot!(wrong("[health]\nexpect = { a = 1 }"), @r"
    .teal.toml:2:1: `expect` without `path`: there is no answer to compare
      |
    2 | expect = …
      | ^^^^^^
    ");
    assert_snapshot!(wrong("[health]\npath = '/'\nexpect = { a = [1] }"), @r"
    .teal.toml:3:16: `a` must be a string, a number, true or false, not a list
      |
    3 | expect = { a = [1] }
      |                ^^^
    ");
    assert_snapshot!(wrong("[timeouts]\nbuild = '0s'"), @r"
    .teal.toml:2:9: `build` must be more than nothing and at most 1d
      |
    2 | build = '0s'
      |         ^^^^
    ");
    assert_snapshot!(wrong("[migrate]\ninputs = ['x']"), @r"
    .teal.toml:2:1: `inputs` without a `command` in [migrate]
      |
    2 | inputs = …
      | ^^^^^^
    ");
    assert_snapshot!(wrong("dir = 'nowhere'"), @r"
    .teal.toml:1:7: there is no folder `nowhere` in the repository
      |
    1 | dir = 'nowhere'
      |       ^^^^^^^^^
    ");
    assert_snapshot!(wrong("[run\n"), @r"
    .teal.toml:1:5: unclosed table, expected `]`
      |
    1 | [run
      |     ^
    ");
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
fn nothing_to_start_says_what_was_looked_for_and_what_to_write() {
    assert_snapshot!(wrong(""), @r#"
    nothing in the repository says how the app is started
      looked for: package.json, Procfile, requirements.txt, pyproject.toml, Cargo.toml, go.mod, index.html
    write this into .teal.toml and push again:

        # What starts the app; it has to listen on $PORT.
        [run]
        web = "node server.js"
    "#);
    let empty = Recipe::resolve(&repo(&[]), &versions).unwrap_err();
    assert!(
        empty.to_string().starts_with("the repository is empty"),
        "{empty}"
    );
    let files = [
        ("requirements.txt", "requests\n"),
        ("package.json", "{ \"name\": }"),
        ("Procfile", "worker x\n"),
    ];
    assert_snapshot!(Recipe::resolve(&repo(&files), &versions).unwrap_err(), @r#"
    nothing in the repository says how the app is started
      package.json is not JSON (line 1 column 11)
      requirements.txt is there, but no manage.py, and no app.py or main.py with a Flask app and gunicorn or a FastAPI app and uvicorn
      Procfile has no `web` line
      looked for: package.json, Procfile, requirements.txt, pyproject.toml, Cargo.toml, go.mod, index.html
    write this into .teal.toml and push again:

        # What starts the app; it has to listen on $PORT.
        [run]
        web = "gunicorn app:app --bind 127.0.0.1:$PORT"
    "#);
}

#[test]
fn a_recipe_file_that_cannot_be_read_is_named() {
    let folder = Recipe::resolve(&repo(&[(".teal.toml/x", "")]), &versions).unwrap_err();
    assert_snapshot!(folder, @"cannot read .teal.toml: it is a folder");
    let large = "#".repeat(1_100_000);
    let large = Recipe::resolve(&repo(&[(".teal.toml", &large)]), &versions).unwrap_err();
    assert_snapshot!(large, @"cannot read .teal.toml: it is larger than 1 MB");
}

#[test]
fn a_recipe_survives_json() {
    let recipe = of("[run]\nweb = 'x'\n[health]\npath='/h'\nexpect={a='b'}\n").unwrap();
    let text = serde_json::to_string(&recipe).unwrap();
    assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
}
