use super::recipe_tests::{repo, versions};
use super::*;
use insta::assert_snapshot;

/// What was detected, without the lines that are the same for every app.
fn plan(files: &[(&str, &str)]) -> String {
    match Recipe::resolve(&repo(files), &versions) {
        Ok(recipe) => {
            let plan = recipe.explain();
            let lines = plan.lines().filter(|line| !line.ends_with("  default"));
            lines.map(|line| format!("{}\n", line.trim_end())).collect()
        }
        Err(error) => error.to_string(),
    }
}

/// The install command and the folders it fills, for a package beside these files.
fn installs(package: &str, others: &[&str]) -> String {
    let mut files = vec![("package.json", package), ("server.js", "")];
    files.extend(others.iter().map(|name| (*name, "")));
    let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
    let steps = recipe.steps;
    format!(
        "{} | {} | {}",
        steps.install.unwrap(),
        steps.lockfiles.join(" "),
        steps.deps.join(" ")
    )
}

#[test]
fn the_lockfile_names_the_package_manager() {
    assert_snapshot!(installs("{}", &["package-lock.json", ".npmrc"]), @"npm ci | package-lock.json package.json .npmrc | node_modules");
    assert_snapshot!(installs("{}", &["npm-shrinkwrap.json"]), @"npm ci | npm-shrinkwrap.json package.json | node_modules");
    assert_snapshot!(installs("{}", &["pnpm-lock.yaml"]), @"pnpm install --frozen-lockfile | pnpm-lock.yaml package.json | node_modules");
    assert_snapshot!(installs("{}", &["yarn.lock"]), @"yarn install --frozen-lockfile | yarn.lock package.json | node_modules");
    assert_snapshot!(installs("{}", &["yarn.lock", ".yarnrc.yml"]), @"yarn install --immutable | yarn.lock package.json .yarnrc.yml | .pnp.cjs .yarn/cache .yarn/unplugged");
    assert_snapshot!(installs(r#"{"packageManager": "yarn@4.1.0"}"#, &["yarn.lock", ".yarn/cache/x.zip"]), @"yarn install --immutable | yarn.lock package.json | .pnp.cjs .yarn/unplugged");
    assert_snapshot!(installs(r#"{"packageManager": "yarn@1.22.0"}"#, &["yarn.lock"]), @"yarn install --frozen-lockfile | yarn.lock package.json | node_modules");
    assert_snapshot!(installs("{}", &["bun.lock"]), @"bun install --frozen-lockfile | bun.lock package.json | node_modules");
    assert_snapshot!(installs("{}", &[]), @"npm install | package.json | node_modules");
    assert_snapshot!(installs(r#"{"packageManager": "pnpm@9"}"#, &["package-lock.json", "pnpm-lock.yaml"]), @"pnpm install --frozen-lockfile | pnpm-lock.yaml package.json | node_modules");
    assert_snapshot!(installs("{}", &["package-lock.json", "prisma/schema.prisma", "patches/a.patch"]), @"npm ci | package-lock.json package.json prisma/schema.prisma patches/a.patch | node_modules");
    assert_snapshot!(installs(r#"{"workspaces": ["packages/*", "../evil/*"]}"#, &["package-lock.json", "packages/a/package.json", "packages/b/x"]), @"npm ci | package-lock.json package.json | node_modules packages/a/node_modules packages/b/node_modules");
}

#[test]
fn a_nest_app_is_started_from_its_build() {
    let package = r#"{
  "scripts": {
    "build": "nest build",
    "start": "nest start",
    "start:prod": "node dist/main",
    "test": "jest"
  },
  "dependencies": { "@nestjs/core": "^10" },
  "engines": { "node": ">=22" }
}"#;
    assert_snapshot!(plan(&[("package.json", package), ("package-lock.json", "")]), @r"
    path              node_modules/.bin                package.json
    build.install     npm ci                           package-lock.json
    build.lockfiles   package-lock.json, package.json  package-lock.json
    build.deps        node_modules                     package-lock.json
    build.build       npm run build                    package.json line 3
    build.outputs     dist                             package.json: the framework's usual folder
    build.test        –                                not run: many `test` scripts need a database or never end; `[build] test` in .teal.toml turns it on
    run.web           npm run start:prod               package.json line 5
    warning: `engines.node` of package.json asks for node >=22, this server has 20.1.0
    ");
}

#[test]
fn a_vite_app_is_served_as_files() {
    let package = r#"{"scripts": {"dev": "vite", "build": "tsc && vite build", "preview": "vite preview"}, "devDependencies": {"vite": "5"}}"#;
    assert_snapshot!(plan(&[("package.json", package), ("pnpm-lock.yaml", ""), ("index.html", "")]), @r"
    path              node_modules/.bin               package.json
    build.install     pnpm install --frozen-lockfile  pnpm-lock.yaml
    build.lockfiles   pnpm-lock.yaml, package.json    pnpm-lock.yaml
    build.deps        node_modules                    pnpm-lock.yaml
    build.build       pnpm run build                  package.json line 1
    build.outputs     dist                            package.json: the framework's usual folder
    run.web           teal static --dir dist          package.json: a static build
    ");
}

#[test]
fn each_framework_has_its_folder_and_its_start() {
    let of = |scripts: &str, deps: &str| {
        let package = format!(r#"{{"scripts": {{{scripts}}}, "dependencies": {{{deps}}}}}"#);
        let files = [
            ("package.json", package.as_str()),
            ("package-lock.json", ""),
        ];
        let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
        format!(
            "{} | {}",
            recipe.steps.outputs.join(" "),
            recipe.processes["web"].command
        )
    };
    let built = r#""build": "b""#;
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "next start""#),
            r#""next": "1""#
        ),
        ".next | npm start"
    );
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "react-scripts start""#),
            r#""react-scripts": "5""#
        ),
        "build | teal static --dir build"
    );
    assert_eq!(
        of(&format!(r#"{built}, "start": "vite""#), r#""vite": "5""#),
        "dist | teal static --dir dist"
    );
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "vite preview --port $PORT""#),
            r#""vite": "5""#
        ),
        "dist | npm start"
    );
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "node server""#),
            r#""vite": "5", "express": "4""#
        ),
        "dist | npm start"
    );
    assert_eq!(
        of(
            r#""build": "tsup", "start": "node dist""#,
            r#""typescript": "5""#
        ),
        "dist | npm start"
    );
    assert_eq!(
        of(
            r#""build": "esbuild a.ts --outdir=out", "start": "node out""#,
            ""
        ),
        "out | npm start"
    );
    assert_eq!(
        of(r#""start": "nodemon x", "start:prod": "node x""#, ""),
        " | npm run start:prod"
    );
}

#[test]
fn a_package_without_a_start_script_is_started_by_its_file() {
    let web = |package: &str, file: &str| {
        let files = [("package.json", package), ("yarn.lock", ""), (file, "")];
        Recipe::resolve(&repo(&files), &versions)
            .map(|recipe| recipe.processes["web"].command.clone())
    };
    assert_eq!(web("{}", "server.js").unwrap(), "node server.js");
    assert_eq!(
        web(r#"{"main": "./src/app.js"}"#, "src/app.js").unwrap(),
        "node src/app.js"
    );
    assert_eq!(
        web(r#"{"scripts": {"start": "node x"}}"#, "x").unwrap(),
        "yarn start"
    );
    assert!(web(r#"{"main": "x.js"}"#, "other.js").is_err());
    assert!(web(r#"{"main": "$(id).js"}"#, "$(id).js").is_err());
}

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
fn a_django_app_is_served_by_gunicorn() {
    let files = [
        (
            "manage.py",
            "import os\nos.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"mysite.settings\")\n",
        ),
        (
            "mysite/settings.py",
            "DEBUG = False\nWSGI_APPLICATION = 'mysite.wsgi.application'\n",
        ),
        ("requirements.txt", "-r base.txt\nGunicorn==21.2\n"),
        ("base.txt", "Django>=4\n"),
        (".python-version", "3.12\n"),
    ];
    assert_snapshot!(plan(&files), @r"
    path              .venv/bin                                                requirements.txt
    build.install     python3 -m venv .venv && .venv/bin/pip install -r requirements.txt  requirements.txt
    build.lockfiles   requirements.txt, base.txt                               requirements.txt
    build.deps        .venv                                                    requirements.txt
    migrate.command   python manage.py migrate --noinput                       manage.py
    migrate.inputs    –                                                        none are declared: it always runs
    run.web           gunicorn mysite.wsgi:application --bind 127.0.0.1:$PORT  mysite/settings.py
    warning: .python-version asks for python3 3.12, this server has 3.11.2
    ");
    let without = [
        files[0],
        files[1],
        ("requirements.txt", "Django\ngunicorn-extra\n"),
    ];
    assert_snapshot!(plan(&without), @r#"
    nothing in the repository says how the app is started
      a Django app (mysite.wsgi:application) without gunicorn in requirements.txt: add it there, or say what serves the app
      looked for: package.json, Procfile, requirements.txt, pyproject.toml, Cargo.toml, go.mod, index.html
    write this into .teal.toml and push again:

        # What starts the app; it has to listen on $PORT.
        [run]
        web = "gunicorn app:app --bind 127.0.0.1:$PORT"
    "#);
    let procfile = [
        files[0],
        files[1],
        ("requirements.txt", "Django\n"),
        ("Procfile", "web: gunicorn mysite.wsgi\n"),
    ];
    assert_snapshot!(plan(&procfile), @r"
    path              .venv/bin                           requirements.txt
    build.install     python3 -m venv .venv && .venv/bin/pip install -r requirements.txt  requirements.txt
    build.lockfiles   requirements.txt                    requirements.txt
    build.deps        .venv                               requirements.txt
    migrate.command   python manage.py migrate --noinput  manage.py
    migrate.inputs    –                                   none are declared: it always runs
    run.web           gunicorn mysite.wsgi                Procfile line 1
    ");
}

#[test]
fn a_migration_script_wins_over_djangos_own() {
    let files = [
        (
            "manage.py",
            "setdefault('DJANGO_SETTINGS_MODULE', 'a.settings')",
        ),
        ("a/wsgi.py", ""),
        ("requirements.txt", "gunicorn"),
        ("migrations/run.sh", ""),
    ];
    let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
    assert_eq!(
        recipe.steps.migrate.as_deref(),
        Some("bash migrations/run.sh $TEAL_ENVIRONMENT")
    );
    assert_eq!(recipe.steps.migrate_inputs, ["migrations/**"]);
    assert_eq!(
        recipe.processes["web"].command,
        "gunicorn a.wsgi:application --bind 127.0.0.1:$PORT"
    );
}

#[test]
fn python_is_installed_as_its_files_say() {
    let uv = [
        (
            "pyproject.toml",
            "[project]\nname = 'x'\nrequires-python = '>=3.12'\ndependencies = [\"fastapi\", \"uvicorn>=0.30\"]\n",
        ),
        ("uv.lock", ""),
        (
            "main.py",
            "from fastapi import FastAPI\n\napi = FastAPI(title='x')\n",
        ),
    ];
    assert_snapshot!(plan(&uv), @r"
    path              .venv/bin                                       pyproject.toml
    build.install     uv sync --frozen                                uv.lock
    build.lockfiles   uv.lock, pyproject.toml                         uv.lock
    build.deps        .venv                                           uv.lock
    run.web           uvicorn main:api --host 127.0.0.1 --port $PORT  main.py
    warning: `requires-python` of pyproject.toml asks for python3 >=3.12, this server has 3.11.2
    ");
    let pip = [
        (
            "pyproject.toml",
            "[project]\nname = 'x'\ndependencies = [\n  \"flask\",\n  \"gunicorn\",\n]\n",
        ),
        (
            "app.py",
            "import flask\napp: flask.Flask = flask.Flask(__name__)\n",
        ),
        ("poetry.lock", ""),
    ];
    assert_snapshot!(plan(&pip), @r"
    path              .venv/bin                                         pyproject.toml
    build.install     python3 -m venv .venv && .venv/bin/pip install .  pyproject.toml
    build.lockfiles   pyproject.toml                                    pyproject.toml
    build.deps        .venv                                             pyproject.toml
    run.web           gunicorn app:app --bind 127.0.0.1:$PORT           app.py
    warning: poetry.lock is not used: say in .teal.toml how Poetry installs (`[build] install`)
    ");
    let settings_only = [("pyproject.toml", "[tool.ruff]\n"), ("index.html", "")];
    assert_snapshot!(plan(&settings_only), @"run.web           teal static --dir .      index.html");
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
fn an_app_of_two_kinds_gets_both_builds() {
    let files = [
        (
            "package.json",
            r#"{"scripts": {"build": "vite build", "start": "vite"}, "devDependencies": {"vite": "5"}}"#,
        ),
        ("package-lock.json", ""),
        (
            "manage.py",
            "setdefault('DJANGO_SETTINGS_MODULE', 'a.settings')",
        ),
        ("a/wsgi.py", ""),
        ("requirements.txt", "gunicorn"),
    ];
    assert_snapshot!(plan(&files), @r"
    path              node_modules/.bin, .venv/bin                        package.json, requirements.txt
    build.install     npm ci && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt  package-lock.json, requirements.txt
    build.lockfiles   package-lock.json, package.json, requirements.txt   package-lock.json, requirements.txt
    build.deps        node_modules, .venv                                 package-lock.json, requirements.txt
    build.build       npm run build                                       package.json line 1
    build.outputs     dist                                                package.json: the framework's usual folder
    migrate.command   python manage.py migrate --noinput                  manage.py
    migrate.inputs    –                                                   none are declared: it always runs
    run.web           gunicorn a.wsgi:application --bind 127.0.0.1:$PORT  a/wsgi.py
    warning: package.json: a static build and a/wsgi.py both could start `web`; a/wsgi.py is taken, `[run] web` in .teal.toml decides
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
