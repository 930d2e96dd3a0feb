use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::super::runtime::Want;
use super::{is_plain, python_web};

/// What a Python app declares to need.
pub(super) struct Needs {
    texts: Vec<String>,
    /// The file to name in messages.
    pub file: &'static str,
}

impl Needs {
    /// Whether the package is named in one of the files.
    pub fn package(&self, name: &str) -> bool {
        self.texts
            .iter()
            .flat_map(|text| text.split(['\n', ',']))
            .any(|item| {
                let item = item
                    .trim()
                    .trim_start_matches("dependencies = [")
                    .trim_start_matches(['"', '\'', '[', ' ']);
                let lower = item.to_ascii_lowercase();
                lower.strip_prefix(name).is_some_and(|rest| {
                    !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                })
            })
    }
}

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

/// `requirements.txt` and the files that it names with `-r` and `-c`, one after the other.
fn requirements(files: &Files<'_>) -> (Vec<String>, Vec<String>) {
    let mut names = vec!["requirements.txt".to_owned()];
    let mut texts = Vec::new();
    let mut next = 0;
    while next < names.len() && next < 20 {
        let text = files.text(&names[next]).unwrap_or_default();
        let folder = names[next]
            .rsplit_once('/')
            .map(|(folder, _)| format!("{folder}/"))
            .unwrap_or_default();
        for line in text.lines() {
            let named = ["-r", "-c", "--requirement", "--constraint"]
                .iter()
                .find_map(|option| line.trim().strip_prefix(option)?.strip_prefix([' ', '=']));
            let path =
                named.map(|path| format!("{folder}{}", path.trim().trim_start_matches("./")));
            if let Some(path) =
                path.filter(|path| is_plain(path) && !names.contains(path) && files.has(path))
            {
                names.push(path);
            }
        }
        texts.push(text);
        next += 1;
    }
    (names, texts)
}

fn requires_python(files: &Files<'_>) -> Option<String> {
    let table: toml::Table = files.text("pyproject.toml")?.parse().ok()?;
    let asks = table.get("project")?.get("requires-python")?.as_str()?;
    Some(
        asks.chars()
            .take(60)
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .collect(),
    )
}
