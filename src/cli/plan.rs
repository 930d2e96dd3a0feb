//! `teal plan [env]`: how an app would be built and run, and what a deployment would do.

use super::args::Plan;
use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::screen::Screen;
use super::table::cell;
use crate::config::{Recipe, RepoView};
use crate::report::{Line, Tone};
use crate::web::types::{PlanShown, Which};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Shows the recipe of the repository in this folder.
pub(super) fn here(_args: &Plan, screen: &mut Screen) -> Result<Code, CliError> {
    let folder = std::env::current_dir()
        .map_err(|source| CliError::local("cannot tell which folder this is", source))?;
    let root = repository(&folder);
    let recipe = Recipe::resolve(&RepoView::of_folder(&root), &version)?;
    if screen.json {
        return screen.document(&recipe);
    }
    screen.say(format!("the app in {}", root.display()));
    screen.say("");
    screen.say(recipe.explain().trim_end());
    Ok(Code::Done)
}

/// Asks the server what a deployment would do.
pub(super) async fn there(
    client: &Client,
    which: &Which,
    args: &Plan,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    let [env, app] = named(which);
    let query = [env, app, ("ref", args.ref_name.as_deref())];
    let plan: PlanShown = client.get("plan", &query).await?;
    if screen.json {
        return screen.document(&plan);
    }
    for line in lines(&plan) {
        screen.line(&line);
    }
    Ok(Code::Done)
}

fn lines(plan: &PlanShown) -> Vec<Line> {
    let plain = |text: &str| cell(Tone::Plain, text);
    let mut lines = vec![plain(&plan.head), plain("")];
    lines.extend(plan.recipe.trim_end().lines().map(plain));
    lines.push(plain(""));
    for step in &plan.steps {
        let (tone, does) = match step.runs {
            true => (Tone::Plain, "runs"),
            false => (Tone::Quiet, "skipped"),
        };
        let text = format!("  {:<9} {does:>8}  {}", step.step, step.why);
        lines.push(cell(tone, text.trim_end()));
    }
    lines
}

/// The repository's top, where `.teal.toml` stands; this folder when it is in none.
fn repository(folder: &Path) -> PathBuf {
    let above = folder.ancestors().find(|dir| dir.join(".git").exists());
    above.unwrap_or(folder).to_owned()
}

/// What a program of this machine answers when it is asked for its version.
fn version(program: &str) -> Option<String> {
    let word = if program == "go" {
        "version"
    } else {
        "--version"
    };
    let answer = Command::new(program)
        .arg(word)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    (answer.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::types::PlannedStep;

    #[test]
    fn a_plan_says_of_each_step_whether_it_runs_and_why() {
        let step = |step: &str, runs, why: &str| PlannedStep {
            step: step.to_owned(),
            runs,
            why: why.to_owned(),
        };
        let plan = PlanShown {
            head: "arq/production would get 1a2b3c4d5 (main)".to_owned(),
            recipe: "build.install  npm ci     package-lock.json\nrun.web        npm start  package.json\n".to_owned(),
            warnings: Vec::new(),
            steps: vec![step("deps", false, "same lockfile as deployment 41"), step("build", true, "npm run build")],
        };
        let text: Vec<String> = lines(&plan).into_iter().map(|line| line.text).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        arq/production would get 1a2b3c4d5 (main)

        build.install  npm ci     package-lock.json
        run.web        npm start  package.json

          deps       skipped  same lockfile as deployment 41
          build         runs  npm run build
        ");
    }

    #[test]
    fn the_repository_is_found_from_a_folder_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert_eq!(repository(&deep), dir.path());
    }
}
