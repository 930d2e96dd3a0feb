use super::{plan, repo, versions};
use crate::config::*;
use insta::assert_snapshot;

#[test]
fn a_procfile_wins_over_what_is_detected() {
    let files = [
        ("package.json", r#"{"scripts": {"start": "node x"}}"#),
        ("package-lock.json", ""),
        (
            "Procfile",
            "# processes\r\nweb: node y --port $PORT\r\nworker: node w\r\nrelease: node migrate\r\nnonsense\r\n",
        ),
        ("migrations/run.sh", ""),
    ];
    assert_snapshot!(plan(&files), @r"
    path              node_modules/.bin                package.json
    build.install     npm ci                           package-lock.json
    build.lockfiles   package-lock.json, package.json  package-lock.json
    build.deps        node_modules                     package-lock.json
    migrate.command   node migrate                     Procfile line 4
    migrate.inputs    –                                none are declared: it always runs
    run.web           node y --port $PORT              Procfile line 2
    run.worker        node w                           Procfile line 3
    warning: Procfile line 5 is not `name: command` and means nothing
    ");
}

#[test]
fn a_rust_package_is_its_program() {
    assert_snapshot!(plan(&[("Cargo.toml", "[package]\nname = 'shop'\n"), ("src/main.rs", "")]), @r"
    build.build       cargo build --release    Cargo.toml
    build.outputs     target/release           Cargo.toml
    run.web           ./target/release/shop    Cargo.toml
    ");
    let two = [
        ("Cargo.toml", "[package]\nname = 'shop'\n"),
        ("src/main.rs", ""),
        ("src/bin/tool.rs", ""),
    ];
    assert_snapshot!(plan(&two), @r#"
    nothing in the repository says how the app is started
      Cargo.toml has 2 programs: set `default-run`, or name the one to start
      looked for: package.json, Procfile, requirements.txt, pyproject.toml, Cargo.toml, go.mod, index.html
    write this into .teal.toml and push again:

        # What starts the app; it has to listen on $PORT.
        [run]
        web = "./target/release/server"
    "#);
    let chosen = [
        (
            "Cargo.toml",
            "[package]\nname = 'shop'\ndefault-run = 'tool'\n",
        ),
        two[1],
        two[2],
    ];
    assert!(plan(&chosen).contains("./target/release/tool"));
    let renamed = [
        (
            "Cargo.toml",
            "[package]\nname = 'shop'\n[[bin]]\nname = 'shopd'\npath = 'src/main.rs'\n",
        ),
        two[1],
    ];
    assert!(plan(&renamed).contains("./target/release/shopd "));
    assert!(plan(&[("Cargo.toml", "[workspace]\n")]).contains("is a workspace"));
    assert!(plan(&[("Cargo.toml", "[package\n")]).contains("is not TOML"));
}

#[test]
fn a_go_module_is_its_program() {
    assert_snapshot!(plan(&[("go.mod", "module x\n\ngo 1.23\n"), ("main.go", "package main\n")]), @r"
    build.build       go build -o bin/app .    go.mod
    build.outputs     bin                      go.mod
    run.web           ./bin/app                go.mod
    warning: `go` of go.mod asks for go >=1.23, this server has 1.22.1
    ");
    let one = [
        ("go.mod", "module x\n"),
        ("cmd/shop/main.go", "package main\n"),
    ];
    assert!(plan(&one).contains("go build -o bin/app ./cmd/shop"));
    let two = [one[0], one[1], ("cmd/tool/main.go", "package main\n")];
    assert!(plan(&two).contains("cmd/ has 2 programs"));
    assert!(plan(&[one[0], ("lib.go", "package lib\n")]).contains("no `package main`"));
}

#[test]
fn a_folder_of_files_is_served() {
    assert_snapshot!(plan(&[("index.html", "")]), @"run.web           teal static --dir .      index.html");
    assert!(plan(&[("public/index.html", "")]).contains("teal static --dir public"));
}

#[test]
fn detection_stays_below_dir() {
    let files = [
        (".teal.toml", "dir = 'apps/api'\n"),
        ("package.json", r#"{"scripts": {"start": "root"}}"#),
        ("apps/api/Procfile", "web: ./api\n"),
        ("apps/api/migrations/run.sh", ""),
    ];
    assert_snapshot!(plan(&files), @r"
    dir               apps/api                                  .teal.toml line 1
    migrate.command   bash migrations/run.sh $TEAL_ENVIRONMENT  migrations/run.sh
    migrate.inputs    migrations/**                             migrations/run.sh
    run.web           ./api                                     Procfile line 1
    ");
}

#[test]
fn runtimes_that_do_not_fit_are_said() {
    let files = [
        ("package.json", "{}"),
        ("package-lock.json", ""),
        ("server.js", ""),
        (".nvmrc", "v22\n"),
        (".tool-versions", "nodejs 18.2.0\nruby 3\n"),
    ];
    let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
    assert_snapshot!(recipe.warnings.join("\n"), @r"
    .nvmrc asks for node 22, this server has 20.1.0
    .tool-versions asks for node 18.2.0, this server has 20.1.0
    ");
    let bare = Recipe::resolve(&repo(&files), &|_| None).unwrap();
    assert_snapshot!(bare.warnings.join("\n"), @r"
    `npm` is not installed on this server (package-lock.json needs it)
    `node` is not installed on this server (package.json needs it)
    ");
}

#[test]
fn a_hostile_repository_prints_nothing_but_text() {
    let files = [
        ("Procfile", "web: echo \u{1b}[31m\n"),
        (
            ".teal.toml",
            "[run]\nweb = \"echo \u{202e}evil\"\n[build]\nbuild = \"a\\nb\"\n",
        ),
    ];
    let text = plan(&files);
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text}"
    );
    assert!(text.contains("a ⏎ b"), "{text}");
}

#[test]
fn a_tree_in_git_and_a_folder_on_disk_give_the_same_recipe() {
    let dir = tempfile::tempdir().unwrap();
    let git = git2::Repository::init(dir.path()).unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("api/package.json", r#"{"scripts": {"start": "node ."}}"#);
    write("api/package-lock.json", &" ".repeat(1_100_000));
    write("api/migrations/run.sh", "");
    write(".teal.toml", "dir = 'api'\n");
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("api/Procfile")).unwrap();
    std::os::unix::fs::symlink("api", dir.path().join("link")).unwrap();
    let mut index = git.index().unwrap();
    index
        .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
        .unwrap();
    let tree = git.find_tree(index.write_tree().unwrap()).unwrap();
    let in_git = RepoView::of_tree(&git, &tree);
    let on_disk = RepoView::of_folder(dir.path());
    for view in [&in_git, &on_disk] {
        assert_eq!(view.entry("api/Procfile"), None);
        assert_eq!(view.read("api/Procfile"), None);
        assert_eq!(view.entry("link"), None);
        assert_eq!(view.read("api"), None);
        assert_eq!(view.entry("api/package-lock.json"), Some(Entry::File));
        assert_eq!(view.read("api/package-lock.json"), None);
    }
    assert_eq!(on_disk.read("link/package.json"), None);
    assert_eq!(on_disk.read("api/../api/package.json"), None);
    let recipe = Recipe::resolve(&in_git, &versions).unwrap();
    assert_eq!(recipe, Recipe::resolve(&on_disk, &versions).unwrap());
    assert_eq!(recipe.steps.install.as_deref(), Some("npm ci"));
    assert_eq!(recipe.processes["web"].command, "npm start");
}

#[test]
fn doubts_about_a_guess_end_where_the_authors_have_written() {
    let of = |recipe: &str| {
        let files = [
            (
                "package.json",
                r#"{"scripts": {"start": "nodemon x", "build": "make"}}"#,
            ),
            ("poetry.lock", ""),
            ("pyproject.toml", "[project]"),
            (".teal.toml", recipe),
        ];
        let nothing = |tool: &str| (tool == "node").then(|| "v20.1.0".to_owned());
        Recipe::resolve(&repo(&files), &nothing).unwrap().warnings
    };
    assert_snapshot!(of("").join("\n"), @r"
    package.json has no lockfile beside it: every install may bring other versions
    no folder is known that the build fills, so it always runs: name it as `[build] outputs` in .teal.toml
    the `start` script looks like a development server: `[run] web` in .teal.toml can say better
    poetry.lock is not used: say in .teal.toml how Poetry installs (`[build] install`)
    `npm` is not installed on this server (package.json needs it)
    `python3` is not installed on this server (pyproject.toml needs it)
    ");
    assert_eq!(
        of("[build]\ninstall = 'a'\noutputs = ['b']\nbuild = 'c'\n[run]\nweb = 'd'"),
        Vec::<String>::new()
    );
}
