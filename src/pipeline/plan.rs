//! What a deployment would do, without doing any of it.

use super::outcome::{Need, Stop};
use super::{Cancel, Run, Tools, build, deps, migrate, test};
use crate::config::Recipe;
use crate::domain::{CommitId, Deployment, EnvId, Kind, Mode, Origin, State, Step};
use crate::store::environments::Release;

/// What would be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How the commit would be installed, built, tested, migrated, started and probed.
    pub recipe: Recipe,
    /// The steps, in order.
    pub steps: Vec<(Step, Need)>,
}

/// What deploying the commit to the environment would do now. Nothing is journaled, fetched or written.
pub async fn plan(
    tools: &Tools,
    env: &EnvId,
    ref_name: &str,
    commit: &CommitId,
    mode: Mode,
) -> Result<Plan, Stop> {
    let mut run = Run::prepare(
        tools,
        rehearsal(env, ref_name, commit, mode),
        Cancel::default(),
    )
    .await?;
    let recipe = super::fetch::recipe(&run.repo()?, commit)?;
    run.release = Some(Release {
        deployment: 0,
        commit: commit.clone(),
        ref_name: ref_name.to_owned(),
        recipe: recipe.clone(),
        env_digest: run.variables.digest.clone(),
        backup: None,
        served: false,
    });
    let always = |why: &str| Need::Run(why.to_owned());
    let first = run.from().is_none();
    let mut steps = vec![
        (Step::Fetch, Need::Skip("the commit is here".to_owned())),
        (Step::Vacate, always(&format!("takes {}", run.color))),
        (Step::Checkout, always("writes only what differs")),
        (
            Step::Backup,
            match first {
                true => {
                    Need::Skip("first deployment: nothing serves that could be kept".to_owned())
                }
                false => Need::Skip("what serves was sealed before it started".to_owned()),
            },
        ),
        (Step::Deps, deps::need(&run).await?),
        (Step::Build, build::need(&run).await?),
        (Step::Test, test::need(&run).await?),
        (Step::Migrate, migrate::need(&run).await?),
    ];
    let web = recipe
        .processes
        .keys()
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    steps.push((
        Step::Start,
        always(&format!("{web} on port {}", run.env.ports.of(run.color))),
    ));
    steps.push((
        Step::Health,
        always(
            recipe
                .health
                .path
                .as_deref()
                .unwrap_or("GET /, any answer below 500"),
        ),
    ));
    steps.push((Step::Switch, always(&format!("{} serves", run.color))));
    let watched = u64::try_from(run.env.observe.as_millis()).unwrap_or(u64::MAX);
    steps.push((
        Step::Observe,
        always(&format!("for {}", crate::report::duration(watched))),
    ));
    Ok(Plan { recipe, steps })
}

fn rehearsal(env: &EnvId, ref_name: &str, commit: &CommitId, mode: Mode) -> Deployment {
    Deployment {
        id: 0,
        env: env.clone(),
        kind: Kind::Deploy,
        commit: commit.clone(),
        ref_name: ref_name.to_owned(),
        by: String::new(),
        origin: Origin::Cli,
        mode,
        redeploy: false,
        skip_tests: false,
        state: State::Queued,
        color: None,
        env_digest: None,
        restore_point: None,
        ci: None,
        approval: None,
        retry_of: None,
        created_ms: 0,
        started_ms: None,
        switched_ms: None,
        ended_ms: None,
        failure: None,
        receipt: None,
    }
}
