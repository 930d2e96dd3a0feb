use super::super::draft::Draft;
use super::super::repo_view::Files;

/// A folder of files with an `index.html`, when nothing else starts the app.
pub(super) fn detect(draft: &mut Draft, files: &Files<'_>) {
    for folder in [".", "public"] {
        let file = match folder {
            "." => "index.html".to_owned(),
            folder => format!("{folder}/index.html"),
        };
        if files.has(&file) {
            return draft.web(&format!("teal static --dir {folder}"), &file);
        }
    }
}
