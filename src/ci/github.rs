//! GitHub: the runs of Actions for this push, the check runs of everybody else, and commit statuses. A run of Actions is
//! known from its first moment on, its jobs only when their turn comes: so it is the run that counts, and never a check
//! suite, which some apps open and never close.

use super::branch_or_tag;
use super::verdict::{Check, Standing};
use crate::config::ForgeApi;
use crate::domain::CommitId;
use crate::report::{GitHubApi, Refusal};
use serde_json::Value;

/// Pages of a hundred that are looked at; no commit has more that matter.
const PAGES: u32 = 10;
/// The app that Actions' own check runs come from.
const ACTIONS: &str = "github-actions";

/// The checks of one repository.
#[derive(Debug)]
pub struct GitHub {
    api: GitHubApi,
    project: String,
}

impl GitHub {
    pub(super) fn new(api: &ForgeApi) -> Result<GitHub, Refusal> {
        Ok(GitHub {
            api: GitHubApi::new(api)?,
            project: api.project.clone(),
        })
    }

    pub(super) async fn checks(
        &self,
        commit: &CommitId,
        ref_name: &str,
    ) -> Result<Vec<Check>, Refusal> {
        let runs = self.runs(commit, ref_name).await?;
        let suites: Vec<u64> = { runs.iter() }
            .filter_map(|run| run["check_suite_id"].as_u64())
            .collect();
        let mut checks: Vec<Check> = runs.iter().map(workflow).collect();
        checks.extend(self.check_runs(commit, &suites).await?);
        checks.extend(self.statuses(commit).await?);
        Ok(checks)
    }

    /// The newest run of each workflow that this push began. The branch of a fork may have the same name and the same
    /// commit, and what it runs is a stranger's.
    async fn runs(&self, commit: &CommitId, ref_name: &str) -> Result<Vec<Value>, Refusal> {
        let path = format!("actions/runs?head_sha={commit}&event=push&per_page=100");
        let answer = self.api.get(&self.path(&path)).await?;
        if answer.status.as_u16() == 404 {
            // Where Actions is switched off there are no runs, and the other answers tell if the repository is hidden.
            return Ok(Vec::new());
        }
        let answer = answer.taken().map_err(|why| self.needs(why, "Actions"))?;
        let all = answer.json["workflow_runs"].as_array();
        let all = all.ok_or_else(|| answer.garbage())?;
        let branch = branch_or_tag(ref_name);
        let own = all.iter().filter(|run| {
            let home = text(&run["head_repository"]["full_name"]);
            run["head_sha"] == commit.as_str()
                && run["event"] == "push"
                && branch.is_none_or(|branch| run["head_branch"] == branch)
                && home.eq_ignore_ascii_case(&self.project)
        });
        let mut newest: Vec<Value> = Vec::new();
        for run in own {
            match newest
                .iter_mut()
                .find(|one| one["workflow_id"] == run["workflow_id"])
            {
                Some(one) if one["id"].as_u64() >= run["id"].as_u64() => {}
                Some(one) => *one = run.clone(),
                None => newest.push(run.clone()),
            }
        }
        Ok(newest)
    }

    /// The check runs: those of Actions are parts of the runs of this push, or of something else that does not count.
    async fn check_runs(&self, commit: &CommitId, suites: &[u64]) -> Result<Vec<Check>, Refusal> {
        let path = format!("commits/{commit}/check-runs?filter=latest");
        let all = self.pages(&path, "check_runs", "Checks").await?;
        let checks = all.iter().filter_map(|run| {
            let is_part = run["app"]["slug"] == ACTIONS;
            let suite = run["check_suite"]["id"].as_u64();
            let counts = !is_part || suite.is_some_and(|suite| suites.contains(&suite));
            counts.then(|| Check {
                is_part,
                ..done(run, "name")
            })
        });
        Ok(checks.collect())
    }

    async fn statuses(&self, commit: &CommitId) -> Result<Vec<Check>, Refusal> {
        let path = format!("commits/{commit}/status?");
        let all = self.pages(&path, "statuses", "Commit statuses").await?;
        let checks = all.iter().map(|status| Check {
            name: text(&status["context"]).to_owned(),
            standing: match text(&status["state"]) {
                "success" => Standing::Good,
                "pending" => Standing::Open,
                other => Standing::Bad(other.to_owned()),
            },
            page: status["target_url"].as_str().map(str::to_owned),
            is_part: false,
        });
        Ok(checks.collect())
    }

    /// The items of a list below this key, over all its pages.
    async fn pages(&self, path: &str, key: &str, right: &str) -> Result<Vec<Value>, Refusal> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let path = self.path(&format!("{path}&per_page=100&page={page}").replace("?&", "?"));
            let answer = self.api.get(&path).await?;
            let answer = answer.taken().map_err(|why| self.needs(why, right))?;
            let items = answer.json[key].as_array();
            let items = items.ok_or_else(|| answer.garbage())?;
            all.extend(items.iter().cloned());
            if items.len() < 100 {
                break;
            }
        }
        Ok(all)
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.project)
    }

    fn needs(&self, refusal: Refusal, right: &str) -> Refusal {
        let project = &self.project;
        match refusal.words.get(..15) {
            Some("it answered 401") => refusal.hint("the token is wrong or has expired"),
            Some("it answered 403" | "it answered 404") => {
                refusal.hint(&format!("the token needs \"{right}: read\" for {project}"))
            }
            Some("it answered 422") => Refusal::later("it does not know the commit"),
            _ => refusal,
        }
    }
}

fn workflow(run: &Value) -> Check {
    done(run, "name")
}

/// A run of a workflow or of a check: both have a status, and a conclusion once that is `completed`.
fn done(run: &Value, name: &str) -> Check {
    Check {
        name: text(&run[name]).to_owned(),
        standing: match (text(&run["status"]), text(&run["conclusion"])) {
            ("completed", "success" | "neutral" | "skipped") => Standing::Good,
            ("completed", other) => Standing::Bad(other.to_owned()),
            _ => Standing::Open,
        },
        page: run["html_url"].as_str().map(str::to_owned),
        is_part: false,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
