//! Commands that run to their end, and what happens to those that do not.

use crate::supervisor::{World, alive, number_in, until};
use std::future::{Future, pending};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use teal::service::{Job, JobEnd, JobError, JobExit, run_job};

fn exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_teal"))
}

fn job(world: &World, command: &str) -> Job {
    Job {
        command: command.to_owned(),
        cwd: world.dir.path().to_owned(),
        env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
        log: world.path("job.log"),
        deadline: Duration::from_secs(60),
        mask: vec!["swordfish-7".to_owned()],
        ..Job::default()
    }
}

async fn run(job: Job) -> Result<JobEnd, JobError> {
    run_job(exe(), job, pending()).await
}

fn log(world: &World) -> String {
    String::from_utf8_lossy(&std::fs::read(world.path("job.log")).unwrap()).into_owned()
}

#[tokio::test]
async fn a_job_runs_and_its_output_is_kept() {
    let world = World::new();
    let end = run(job(&world, "echo one; echo two >&2; printf three"))
        .await
        .unwrap();
    assert!(end.exit.is_success());
    assert_eq!(end.tail, ["one", "two", "three"]);
    assert_eq!(log(&world), "one\ntwo\nthree");
}

#[tokio::test]
async fn failures_have_names() {
    let world = World::new();
    let said = async |command: &str| run(job(&world, command)).await.unwrap().exit.to_string();
    assert_eq!(said("exit 3").await, "exited with code 3");
    assert_eq!(
        said("kill -SEGV $$").await,
        "was killed by signal 11 (SIGSEGV)"
    );
    assert_eq!(
        said("no-such-command-here").await,
        "exited with code 127 (command not found)"
    );
    let mut nowhere = job(&world, "true");
    nowhere.cwd = world.path("missing");
    let error = run(nowhere).await.unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}

#[tokio::test]
async fn a_grandchild_that_keeps_the_output_open_does_not_hold_the_job_up() {
    let world = World::new();
    let end = run(job(&world, "setsid sleep 1000 & echo $! > far; echo done"))
        .await
        .unwrap();
    let far = number_in(&world.path("far")).unwrap();
    assert!(!alive(far));
    assert_eq!(end.tail, ["done"]);
    assert!(matches!(end.exit, JobExit::Exited(exit) if exit.left_behind == 1));
}

#[tokio::test]
async fn the_deadline_ends_the_whole_tree() {
    let world = World::new();
    let mut slow = job(
        &world,
        "trap '' TERM; setsid sleep 1000 & echo $! > far; echo started; sleep 1000; true",
    );
    slow.deadline = Duration::from_secs(1);
    let end = run(slow).await.unwrap();
    assert_eq!(end.exit, JobExit::DeadlinePassed(Duration::from_secs(1)));
    assert_eq!(end.tail, ["started"]);
    assert!(!alive(number_in(&world.path("far")).unwrap()));
}

#[tokio::test]
async fn a_job_that_nobody_wants_any_more_is_killed() {
    let world = World::new();
    let far = world.path("far");
    let wanted = {
        let far = far.clone();
        async move { until("the child", || number_in(&far)).await }
    };
    let long = job(&world, "sleep 1000 & echo $! > far; wait");
    let cancel = async {
        wanted.await;
    };
    let end = run_job(exe(), long, cancel).await.unwrap();
    assert_eq!(end.exit, JobExit::Cancelled);
    assert!(!alive(number_in(&far).unwrap()));
}

#[tokio::test]
async fn a_job_whose_future_is_dropped_is_killed() {
    let world = World::new();
    let far = world.path("far");
    let long = job(&world, "setsid sleep 1000 & echo $! > far; wait");
    let pid = {
        let running = run_job(exe(), long, pending());
        tokio::pin!(running);
        let child = until("the child", || number_in(&far));
        tokio::select! {
            end = &mut running => panic!("{end:?}"),
            pid = child => pid,
        }
    };
    until("its end", || (!alive(pid)).then_some(())).await;
}

#[tokio::test]
async fn secrets_never_reach_the_log() {
    let world = World::new();
    let command = "printf sword; printf 'fish-7\\n'; printf user:swordfish-7 | base64; echo a%20b";
    let mut spoken = job(&world, command);
    spoken.mask.push("a b/c".to_owned());
    let end = run(spoken).await.unwrap();
    let log = log(&world);
    assert!(!log.contains("fish"), "{log}");
    assert!(log.starts_with("***\ndXNlc"), "{log}");
    assert_eq!(end.tail[0], "***");
    assert!(!log.contains("c3dvcmRmaXNoLTc"), "{log}");
}

#[tokio::test]
async fn a_flood_is_capped_and_its_end_still_told() {
    let world = World::new();
    let command = "head -c 60000000 /dev/zero | tr '\\0' 'x'; echo; echo the end";
    let end = run(job(&world, command)).await.unwrap();
    assert_eq!(end.tail.last().unwrap(), "the end");
    let length = std::fs::metadata(world.path("job.log")).unwrap().len();
    assert!(length < 51 * 1024 * 1024 + 1000, "{length}");
    assert!(log(&world).ends_with("limited to 50 MB\n"));
}

#[tokio::test]
async fn a_low_priority_job_gives_way() {
    let world = World::new();
    let mut low = job(&world, "nice; cat /proc/self/oom_score_adj");
    low.low_priority = true;
    let end = run(low).await.unwrap();
    assert_eq!(end.tail, ["10", "500"]);
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_job_with_it() {
    let world = World::new();
    let far = world.path("far");
    let command = "setsid sleep 1000 & echo $! > far; echo $PPID > above; wait";
    let wanted = job(&world, command);
    let above = world.path("above");
    let kill = async {
        let pid = until("the supervisor", || number_in(&above)).await;
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    };
    let end = both(run(wanted), kill).await;
    assert!(matches!(end, Err(JobError::Lost(_))), "{end:?}");
    assert!(!alive(number_in(&far).unwrap()));
}

#[tokio::test]
async fn a_job_ends_with_the_server_that_wanted_it() {
    // A stand-in for a server that is killed: it holds the lifeline, and dies without a word.
    let world = World::new();
    let order = serde_json::json!({
        "id": "job-of-a-dead-server",
        "command": "setsid sleep 1000 & echo $! > far.new; mv far.new far; wait",
        "cwd": world.dir.path(),
        "env": [["PATH", std::env::var("PATH").unwrap()]],
        "log": world.path("job.log"),
        "deadline": {"secs": 1000, "nanos": 0},
        "low_priority": false,
        "run_as": null,
        "mask": [],
    });
    std::fs::write(world.path("order"), format!("{order}\n")).unwrap();
    let script = format!(
        "(cat order; exec sleep 1000) | {} supervise job",
        exe().display()
    );
    let mut server = std::process::Command::new("/bin/sh")
        .args(["-c", "exec setsid sh -c \"$SCRIPT\""])
        .env("SCRIPT", script)
        .current_dir(world.dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let far = until("the child", || number_in(&world.path("far"))).await;
    let session = nix::unistd::Pid::from_raw(server.id() as i32);
    nix::sys::signal::killpg(session, nix::sys::signal::Signal::SIGKILL).unwrap();
    server.wait().unwrap();
    until("the job's end", || (!alive(far)).then_some(())).await;
}

async fn both<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> T {
    tokio::join!(first, second).0
}
