use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::python_needs::Needs;

/// How the app is served, where that is certain.
pub(super) fn detect(draft: &mut Draft, files: &Files<'_>, needs: &Needs) {
    draft.example = "[run]\nweb = \"gunicorn app:app --bind 127.0.0.1:$PORT\"";
    if files.has("manage.py") {
        django(draft, files, needs);
    } else if !frameworks(draft, files, needs) {
        draft.missing.push(format!(
            "{} is there, but no manage.py, and no app.py or main.py with a Flask app and gunicorn or a FastAPI app and uvicorn",
            needs.file
        ));
    }
}

fn django(draft: &mut Draft, files: &Files<'_>, needs: &Needs) {
    draft.migrate("python manage.py migrate --noinput", &[], "manage.py");
    let Some((wsgi, from)) = wsgi(files) else {
        return draft
            .missing
            .push("manage.py is there, but its settings name no WSGI_APPLICATION".to_owned());
    };
    if !needs.package("gunicorn") {
        return draft.missing.push(format!(
            "a Django app ({wsgi}) without gunicorn in {}: add it there, or say what serves the app",
            needs.file
        ));
    }
    draft.web(&format!("gunicorn {wsgi} --bind 127.0.0.1:$PORT"), &from);
}

/// `mysite.wsgi:application` and the file that says so.
fn wsgi(files: &Files<'_>) -> Option<(String, String)> {
    let manage = files.text("manage.py")?;
    let after = manage.split("DJANGO_SETTINGS_MODULE").nth(1)?;
    // What follows the closing quote of the name is `, "mysite.settings"`.
    let module = after
        .split(['"', '\''])
        .nth(2)
        .filter(|name| is_module(name))?;
    let path = module.replace('.', "/");
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let candidates = [
        format!("{path}.py"),
        format!("{path}/__init__.py"),
        format!("{path}/base.py"),
        format!("{parent}/base.py"),
        format!("{parent}/__init__.py"),
    ];
    let named = candidates.iter().find_map(|file| {
        let text = files.text(file)?;
        let line = text
            .lines()
            .find(|line| line.starts_with("WSGI_APPLICATION"))?;
        let value = line
            .split(['"', '\''])
            .nth(1)
            .filter(|name| is_module(name))?;
        let (module, object) = value.rsplit_once('.')?;
        Some((format!("{module}:{object}"), file.clone()))
    });
    named.or_else(|| {
        let package = module.split('.').next()?;
        let file = format!("{package}/wsgi.py");
        files
            .has(&file)
            .then(|| (format!("{package}.wsgi:application"), file.clone()))
    })
}

fn is_module(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.split('.').all(plain)
}

fn frameworks(draft: &mut Draft, files: &Files<'_>, needs: &Needs) -> bool {
    for module in ["app", "main", "wsgi"] {
        let file = format!("{module}.py");
        let Some(text) = files.text(&file) else {
            continue;
        };
        if let Some(name) = assigned(&text, "Flask").filter(|_| needs.package("gunicorn")) {
            draft.web(
                &format!("gunicorn {module}:{name} --bind 127.0.0.1:$PORT"),
                &file,
            );
            return true;
        }
        if let Some(name) = assigned(&text, "FastAPI")
            .filter(|_| needs.package("uvicorn") || needs.package("fastapi[standard]"))
        {
            draft.web(
                &format!("uvicorn {module}:{name} --host 127.0.0.1 --port $PORT"),
                &file,
            );
            return true;
        }
    }
    false
}

/// The variable that the module sets to a new object of the class: `app = Flask(__name__)`.
fn assigned<'t>(text: &'t str, class: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.split(':').next()?.trim_end();
        let value = value.trim_start();
        let value = value
            .rsplit_once('.')
            .filter(|(module, _)| is_module(module))
            .map_or(value, |_| {
                value.split_once('.').map_or(value, |(_, rest)| rest)
            });
        (is_module(name) && !name.contains('.') && value.strip_prefix(class)?.starts_with('('))
            .then_some(name)
    })
}
