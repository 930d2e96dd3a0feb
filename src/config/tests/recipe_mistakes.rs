use super::{repo, versions};
use crate::config::*;
use insta::assert_snapshot;

fn wrong(text: &str) -> String {
    let repo = [(".teal.toml", text), ("api/x", "")];
    Recipe::resolve(&super::repo(&repo), &versions)
        .unwrap_err()
        .to_string()
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
