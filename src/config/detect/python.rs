use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::super::runtime::Want;
use super::python_needs::{Needs, requirements, requires_python};
use super::python_web;

/// An app with `requirements.txt` or `pyproject.toml`.
pub(super) fn detect(draft: &mut Draft, files: &Files<'_>) -> bool {
    let Some(needs) = install(draft, files) else {
        return false;
    };
    draft.path(".venv/bin", needs.file);
    if let Some(asks) = requires_python(files) {
        let from = "`requires-python` of pyproject.toml".to_owned();
        draft.wants.push(Want {
            tool: "python3",
            asks,
            from,
        });
    }
    for (file, what) in [
        ("poetry.lock", "Poetry"),
        ("Pipfile.lock", "Pipenv"),
        ("pdm.lock", "PDM"),
    ] {
        // Beside requirements.txt or uv.lock, another lockfile is not the one that counts.
        if files.has(file) && needs.file == "pyproject.toml" && !files.has("uv.lock") {
            draft.doubt(
                "build.install",
                format!(
                    "{file} is not used: say in .teal.toml how {what} installs (`[build] install`)"
                ),
            );
        }
    }
    python_web::detect(draft, files, &needs);
    true
}

fn install(draft: &mut Draft, files: &Files<'_>) -> Option<Needs> {
    let project = files.text("pyproject.toml");
    if let (Some(text), true) = (&project, files.has("uv.lock")) {
        draft.tool("uv", "uv.lock");
        let mut lockfiles = vec!["uv.lock".to_owned(), "pyproject.toml".to_owned()];
        lockfiles.extend(files.present(&[".python-version"]));
        draft.install("uv sync --frozen", lockfiles, &[".venv"], "uv.lock");
        return Some(Needs {
            texts: vec![text.clone()],
            file: "pyproject.toml",
        });
    }
    draft_pip(draft, files, project)
}

fn draft_pip(draft: &mut Draft, files: &Files<'_>, project: Option<String>) -> Option<Needs> {
    const VENV: &str = "python3 -m venv .venv && .venv/bin/pip install";
    if files.has("requirements.txt") {
        let (names, texts) = requirements(files);
        draft.tool("python3", "requirements.txt");
        draft.install(
            &format!("{VENV} -r requirements.txt"),
            names,
            &[".venv"],
            "requirements.txt",
        );
        return Some(Needs {
            texts,
            file: "requirements.txt",
        });
    }
    let text = project?;
    if !text.contains("[project]") && !text.contains("[build-system]") {
        // A file with nothing but settings of tools is no package.
        return None;
    }
    draft.tool("python3", "pyproject.toml");
    let lockfiles = vec!["pyproject.toml".to_owned()];
    draft.install(
        &format!("{VENV} ."),
        lockfiles,
        &[".venv"],
        "pyproject.toml",
    );
    Some(Needs {
        texts: vec![text],
        file: "pyproject.toml",
    })
}
