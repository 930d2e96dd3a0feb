//! A service under its supervisor: it lives, it dies, it is stopped, its supervisor dies.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use teal::service::{How, Service, ServiceError, Services, Spec};
use teal::system::process::{Identity, Stat};

/// A place for services of one test; what is left of them at its end is killed.
pub struct World {
    pub dir: tempfile::TempDir,
    pub services: Services,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let services = Services {
            run_dir: dir.path().join("run"),
            exe: PathBuf::from(env!("CARGO_BIN_EXE_teal")),
        };
        World { dir, services }
    }

    pub fn spec(&self, command: &str) -> Spec {
        Spec {
            key: "shop-blue".to_owned(),
            command: command.to_owned(),
            cwd: self.dir.path().to_owned(),
            env: vec![
                ("PATH".to_owned(), std::env::var("PATH").unwrap()),
                ("COLOR".to_owned(), "blue".to_owned()),
            ],
            log: self.path("blue-service.log"),
            pid_file: self.path("blue.pid"),
            drain: Duration::from_secs(5),
            run_as: None,
            mask: vec!["swordfish-7".to_owned()],
            ..Spec::default()
        }
    }

    pub async fn start(&self, command: &str) -> Service {
        self.services.start(&self.spec(command)).await.unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("blue-service.log")).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let services = self.services.clone();
        // A thread of its own, because the test's runtime is busy ending.
        let stopped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                if let Ok(Some(service)) = services.find("shop-blue").await {
                    let _ = service.stop(Duration::ZERO).await;
                }
            });
        });
        let _ = stopped.join();
    }
}

/// Waits for a condition that something else brings about.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        tick.tick().await;
        tick.tick().await;
    }
}

pub fn number_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

pub fn alive(pid: i32) -> bool {
    Stat::read(pid).is_some_and(|stat| stat.runs())
}

fn kill9(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

async fn supervisor_of(service: &Service) -> i32 {
    service.now().await.unwrap().supervisor.unwrap().pid
}

#[tokio::test]
async fn a_service_gets_its_environment_and_nothing_else() {
    let world = World::new();
    let service = world
        .start("env > env.new; mv env.new env; exec sleep 1000")
        .await;
    let env = until("the environment", || {
        fs::read_to_string(world.path("env")).ok()
    })
    .await;
    let names: Vec<&str> = env
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    assert!(names.contains(&"COLOR"), "{env}");
    assert!(
        !names.contains(&"CARGO_BIN_EXE_teal") && !names.contains(&"HOME"),
        "{env}"
    );
    assert_eq!(number_in(&world.path("blue.pid")), Some(service.pid()));
    assert_eq!(Stat::read(service.pid()).unwrap().session, service.pid());
    let command = teal::system::process::command(supervisor_of(&service).await).unwrap();
    assert!(!command.contains("sleep"), "{command}");
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    // The C library ignores two signals of its own (32 and 33) in whatever it spawns.
    for name in ["SigBlk:\t", "SigIgn:\t"] {
        let mask = status.split_once(name).unwrap().1;
        let mask = u64::from_str_radix(mask.lines().next().unwrap(), 16).unwrap();
        assert_eq!(mask & 0x7fff_ffff, 0, "{status}");
    }
    let stopped = service.stop(Duration::from_secs(20)).await.unwrap();
    assert_eq!(stopped.how, How::Term);
    assert!(!world.path("blue.pid").exists());
}

#[tokio::test]
async fn output_is_logged_with_its_time_and_without_secrets() {
    let world = World::new();
    let service = world
        .start("echo hello; echo password=swordfish-7 >&2; exit 3")
        .await;
    let exit = service.exited().await;
    assert_eq!(exit.to_string(), "exited with code 3");
    let log = world.log();
    assert!(log.contains("Z hello\n"), "{log}");
    assert!(log.contains("password=***"), "{log}");
    assert!(
        log.contains("[teal] the service exited with code 3"),
        "{log}"
    );
    assert!(world.services.find("shop-blue").await.unwrap().is_none());
    assert_eq!(
        service.exited().await,
        exit,
        "asked again, it says the same"
    );
    assert!(matches!(
        service.keep_alive(true).await,
        Err(ServiceError::Ended { .. })
    ));
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let world = World::new();
    let mut spec = world.spec("true");
    spec.cwd = world.path("missing");
    let error = world.services.start(&spec).await.unwrap_err().to_string();
    assert!(
        error.contains("the folder") && error.contains("missing"),
        "{error}"
    );
    spec.cwd = world.dir.path().to_owned();
    spec.run_as = Some("nobody-of-this-name".to_owned());
    let error = world.services.start(&spec).await.unwrap_err().to_string();
    assert!(error.contains("there is no user"), "{error}");
    spec.key = "../x".to_owned();
    assert!(matches!(
        world.services.start(&spec).await,
        Err(ServiceError::Key(_))
    ));
}

#[tokio::test]
async fn one_name_is_one_service() {
    let world = World::new();
    let service = world.start("exec sleep 1000").await;
    let again = world.services.start(&world.spec("exec sleep 1000")).await;
    assert!(matches!(again, Err(ServiceError::Running(_))), "{again:?}");
    let found = world.services.find("shop-blue").await.unwrap().unwrap();
    assert_eq!(found.pid(), service.pid());
    found.stop(Duration::from_secs(5)).await.unwrap();
    world.start("exec sleep 1000").await;
}

#[tokio::test]
async fn a_service_that_drains_is_not_killed() {
    let world = World::new();
    let service = world
        .start("trap 'echo draining; exit 0' TERM; while :; do sleep 1000 & touch up; wait; done")
        .await;
    until("up", || world.path("up").exists().then_some(())).await;
    let stopped = service.stop(Duration::from_secs(20)).await.unwrap();
    assert_eq!(
        (stopped.how, stopped.killed),
        (How::Term, 0),
        "{}",
        world.log()
    );
    assert_eq!(stopped.exit.unwrap().code, Some(0));
    assert!(world.log().contains("draining"));
}

#[tokio::test]
async fn a_service_that_ignores_the_signal_is_killed_with_all_its_children() {
    let world = World::new();
    let service = world
        .start(
            "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > far; sleep 1000' & sleep 1000",
        )
        .await;
    let far = until("the child", || number_in(&world.path("far"))).await;
    let stopped = service.stop(Duration::from_millis(50)).await.unwrap();
    assert_eq!(stopped.how, How::Kill);
    assert!(stopped.killed >= 3, "{stopped:?}");
    assert!(!alive(far) && !alive(service.pid()));
    assert_eq!(
        stopped.exit.unwrap().to_string(),
        "was killed by signal 9 (SIGKILL)"
    );
}

#[tokio::test]
async fn a_service_that_puts_itself_in_the_background_is_named_and_cleaned_up() {
    let world = World::new();
    let service = world
        .start("setsid sh -c 'echo $$ > far; exec sleep 1000' & while [ ! -s far ]; do :; done")
        .await;
    let exit = service.exited().await;
    assert_eq!(exit.left_behind, 1);
    assert!(
        exit.to_string().contains("went on in the background"),
        "{exit}"
    );
    let far = number_in(&world.path("far")).unwrap();
    assert!(!alive(far));
}

#[tokio::test]
async fn a_service_that_is_kept_alive_is_started_again() {
    let world = World::new();
    let service = world.start("echo run >> runs; exec sleep 1000").await;
    service.keep_alive(true).await.unwrap();
    kill9(service.pid());
    assert_eq!(
        service.exited().await.to_string(),
        "was killed by signal 9 (SIGKILL)"
    );
    let pid_file = world.path("blue.pid");
    let second = until("the second run", || {
        number_in(&pid_file).filter(|pid| *pid != service.pid())
    })
    .await;
    kill9(second);
    assert_eq!(service.exited().await.signal, Some(9));
    service.keep_alive(false).await.unwrap();
}

#[tokio::test]
async fn the_death_of_a_supervisor_is_not_the_services() {
    let world = World::new();
    let service = world
        .start("i=0; while [ ! -e stop ]; do echo line $i; i=$((i+1)); sleep 0.01; done; exit 7")
        .await;
    let first = supervisor_of(&service).await;
    let watcher = tokio::spawn({
        let service = service.clone();
        async move { service.exited().await }
    });
    kill9(first);
    until("its end", || (!alive(first)).then_some(())).await;
    let found = world.services.find("shop-blue").await.unwrap().unwrap();
    assert_eq!(found.identity(), service.identity());
    let second = supervisor_of(&found).await;
    assert_ne!(first, second);
    // It writes on, and what it writes is read again.
    let before = world.log().len();
    until("more lines", || {
        (world.log().len() > before + 100).then_some(())
    })
    .await;
    fs::write(world.path("stop"), "").unwrap();
    let exit = watcher.await.unwrap();
    assert!(exit.code == Some(7) || exit.trouble.is_some(), "{exit}");
    let log = world.log();
    assert!(log.contains("a new supervisor has taken over"), "{log}");
    let numbers: Vec<u32> = log
        .lines()
        .filter_map(|line| line.split_once("line ")?.1.parse().ok())
        .collect();
    let all: Vec<u32> = (0..numbers.len() as u32).collect();
    assert_eq!(numbers, all, "no line was lost or doubled");
}

#[tokio::test]
async fn an_adopted_service_is_stopped_with_all_its_children() {
    let world = World::new();
    let service = world
        .start("setsid sh -c 'echo $$ > far; sleep 1000' & echo x; sleep 1000; true")
        .await;
    let far = until("the child", || number_in(&world.path("far"))).await;
    kill9(supervisor_of(&service).await);
    let stopped = service.stop(Duration::from_secs(10)).await.unwrap();
    assert_ne!(stopped.how, How::Gone);
    assert!(!alive(far) && !alive(service.pid()), "{}", world.log());
}

#[tokio::test]
async fn service_and_supervisor_killed_together_come_back_when_kept_alive() {
    let world = World::new();
    let service = world.start("exec sleep 1000").await;
    service.keep_alive(true).await.unwrap();
    kill9(supervisor_of(&service).await);
    kill9(service.pid());
    let pid_file = world.path("blue.pid");
    until("the end", || (!alive(service.pid())).then_some(())).await;
    let found = world.services.find("shop-blue").await.unwrap().unwrap();
    until("the second run", || {
        number_in(&pid_file).filter(|pid| *pid != service.pid() && alive(*pid))
    })
    .await;
    found.stop(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_stranger_with_the_recorded_number_is_never_signalled() {
    let world = World::new();
    let service = world.start("exec sleep 1000").await;
    kill9(supervisor_of(&service).await);
    kill9(service.pid());
    until("the end", || (!alive(service.pid())).then_some(())).await;
    // The record now names a process that is another's.
    let mut stranger: Child = Command::new("sleep").arg("1000").spawn().unwrap();
    let who = Identity::of(stranger.id() as i32).unwrap();
    let path = world.path("run/services/shop-blue/status.json");
    let record = fs::read_to_string(&path).unwrap();
    let old = format!("\"pid\":{}", service.pid());
    let changed = record.replace(&old, &format!("\"pid\":{}", who.pid));
    assert_ne!(record, changed);
    fs::write(&path, changed).unwrap();
    assert!(world.services.find("shop-blue").await.unwrap().is_none());
    let stopped = service.stop(Duration::from_millis(1)).await.unwrap();
    assert_eq!(stopped.how, How::Gone);
    world.start("exec sleep 1000").await;
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_supervisor_that_is_asked_to_end_leaves_the_service_running() {
    let world = World::new();
    let service = world.start("exec sleep 1000").await;
    let first = supervisor_of(&service).await;
    kill(Pid::from_raw(first), Signal::SIGTERM).unwrap();
    until("its end", || (!alive(first)).then_some(())).await;
    assert!(alive(service.pid()));
    service.keep_alive(true).await.unwrap();
    assert_ne!(supervisor_of(&service).await, first);
}

#[tokio::test]
async fn a_service_that_runs_out_of_memory_is_named() {
    let world = World::new();
    let eater = "while [ ! -e go ]; do sleep 0.01; done; exec /usr/bin/python3 -c 'x = bytearray(500 << 20)'";
    let service = world.start(eater).await;
    // The limit is set from outside, as an administrator would. Where there are no groups, there is nothing to see.
    let Some(limit) = memory_limit_of(service.pid(), &service.status().id) else {
        return;
    };
    fs::write(limit, "33554432").unwrap();
    fs::write(world.path("go"), "").unwrap();
    let exit = service.exited().await;
    assert_eq!(exit.to_string(), "was killed because memory ran out");
}

/// The file that limits the memory of the group of this process, if the group is one of Teal's.
fn memory_limit_of(pid: i32, id: &str) -> Option<PathBuf> {
    let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let group = |controller: &str| {
        own.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            (controllers == controller && path.contains(id)).then(|| path[1..].to_owned())
        })
    };
    let old = group("memory").map(|path| Path::new("/sys/fs/cgroup/memory").join(path));
    let new = group("").map(|path| Path::new("/sys/fs/cgroup").join(path));
    [
        old.map(|folder| folder.join("memory.limit_in_bytes")),
        new.map(|folder| folder.join("memory.max")),
    ]
    .into_iter()
    .flatten()
    .find(|file| file.exists())
}
