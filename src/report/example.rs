use super::news::{Changes, News, StepTold};
use super::wording::{ending, failure_report};
use crate::domain::{
    Color, Deployment, EnvId, Failure, Kind, Mode, Moment, NameError, Origin, State, Step, StepEnd,
};

const MADE_MS: i64 = 1_795_000_000_000;

/// News of a failure as it could have been, in that environment: what `teal notify test` sends.
pub fn example(env: &EnvId, url: &str, page: &str) -> Result<News, NameError> {
    let deployment = deployment(env)?;
    let story = deployment.failure.iter().flat_map(failure_report);
    let mut story: Vec<String> = story.map(|line| line.text).collect();
    story.push(ending(&deployment, url).text);
    Ok(News {
        moment: Moment::Failed,
        subject: Some("Show the receipt on the order's page".to_owned()),
        url: url.to_owned(),
        page: page.to_owned(),
        steps: vec![StepTold {
            step: Step::Health,
            end: Some(StepEnd::Failed),
            ms: 60_000,
        }],
        why: None,
        story,
        changes: Some(Changes {
            since: 41,
            commits: vec!["61722a77f Show the receipt on the order's page (Ada)".to_owned()],
            more: false,
            lockfiles: vec!["package-lock.json".to_owned()],
            settings: vec!["DATABASE_URL".to_owned()],
            migrated: None,
        }),
        heard: None,
        before: None,
        again: false,
        test: true,
        deployment,
    })
}

fn deployment(env: &EnvId) -> Result<Deployment, NameError> {
    Ok(Deployment {
        id: 42,
        env: env.clone(),
        kind: Kind::Deploy,
        commit: "61722a77f3a0c5d1b2e49f8067d5c4b3a2918f70".parse()?,
        ref_name: "refs/heads/main".to_owned(),
        by: "ada".to_owned(),
        origin: Origin::Hook,
        mode: Mode::Fast,
        redeploy: false,
        skip_tests: false,
        state: State::Failed,
        color: Some(Color::Green),
        env_digest: None,
        restore_point: None,
        ci: None,
        approval: None,
        retry_of: None,
        created_ms: MADE_MS,
        started_ms: Some(MADE_MS + 20),
        switched_ms: None,
        ended_ms: Some(MADE_MS + 65_400),
        failure: Some(Failure {
            step: Some(Step::Health),
            cause: "GET /api/health answered 500: no database".to_owned(),
            tail: vec!["Error: connect ECONNREFUSED 127.0.0.1:5432".to_owned()],
            serving: "blue serves 1a2b3c4d5 (deployment 41), untouched".to_owned(),
            next: "teal logs 42 shows the whole output".to_owned(),
        }),
        receipt: None,
    })
}

/// The same for tests.
#[cfg(test)]
pub(super) fn failed() -> News {
    let env = "shop/production".parse().unwrap();
    let page = "https://deploy.example.com/deployments/42";
    example(&env, "https://shop.example.com", page).unwrap()
}
