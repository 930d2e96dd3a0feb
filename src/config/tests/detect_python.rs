use super::{plan, repo, versions};
use crate::config::*;
use insta::assert_snapshot;

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
