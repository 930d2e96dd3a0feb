use super::testing::{bare, commit, files};
use super::*;
use crate::config::{Credentials, Secret};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

#[test]
fn a_repository_is_prepared_once_and_put_right_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.git");
    let hook = dir.path().join("teal-hook");
    Repo::create(&path, "main", 1 << 30, &hook).unwrap();
    let before = fs::read_to_string(path.join("config")).unwrap();
    fs::remove_file(path.join("hooks/post-receive")).unwrap();
    fs::write(path.join("hooks/post-receive"), "#!/bin/sh\n").unwrap();
    let (repo, hooks) = Repo::create(&path, "main", 1 << 30, &hook).unwrap();
    assert_eq!(
        hooks.moved_aside,
        [path.join("hooks/post-receive.before-teal")]
    );
    assert_eq!(
        fs::read_link(path.join("hooks/post-receive")).unwrap(),
        hook
    );
    assert_eq!(
        fs::read_link(path.join("hooks/proc-receive")).unwrap(),
        hook
    );
    let config = fs::read_to_string(path.join("config")).unwrap();
    assert_eq!(config, before);
    assert_eq!(config.matches("procReceiveRefs").count(), 3, "{config}");
    assert!(config.contains("advertisePushOptions = true"), "{config}");
    assert_eq!(
        fs::read_to_string(path.join("HEAD")).unwrap().trim(),
        "ref: refs/heads/main"
    );
    assert!(repo.refs("refs/*").unwrap().is_empty());
}

#[test]
fn a_word_resolves_to_a_commit_or_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let repo = bare(&dir.path().join("r.git"));
    let one = commit(&repo, &files(&[("a", "1")]), "one", None);
    let two = commit(&repo, &files(&[("a", "2")]), "two", Some(&one));
    let zero: CommitId = "0".repeat(40).parse().unwrap();
    repo.compare_and_swap_ref("refs/heads/main", &zero, &two)
        .unwrap();
    let object = repo.git().find_object(oid(&one).unwrap(), None).unwrap();
    let who = git2::Signature::now("x", "x@x").unwrap();
    repo.git().tag("v1", &object, &who, "tag", false).unwrap();
    assert_eq!(repo.resolve("main").unwrap(), two);
    assert_eq!(repo.resolve("v1").unwrap(), one);
    assert_eq!(repo.resolve("refs/tags/v1").unwrap(), one);
    assert_eq!(repo.resolve(one.as_str()).unwrap(), one);
    assert_eq!(repo.resolve(one.short()).unwrap(), one);
    for bad in [
        "",
        "-h",
        "--upload-pack=x",
        "$(id)",
        "main;id",
        "a\nb",
        "..",
        "main:a",
        "zzz",
        "^{/x}",
        "@{-1}",
        "abc",
    ] {
        assert!(
            matches!(repo.resolve(bad), Err(GitError::Unknown(_))),
            "{bad}"
        );
    }
    assert!(repo.contains(&one).unwrap());
    assert!(!repo.contains(&"12".repeat(20).parse().unwrap()).unwrap());
}

#[test]
fn a_ref_moves_only_from_where_it_was_seen() {
    let dir = tempfile::tempdir().unwrap();
    let repo = bare(&dir.path().join("r.git"));
    let one = commit(&repo, &files(&[("a", "1")]), "one", None);
    let two = commit(&repo, &files(&[("a", "2")]), "two", Some(&one));
    let zero: CommitId = "0".repeat(40).parse().unwrap();
    let main = "refs/heads/main";
    repo.compare_and_swap_ref(main, &zero, &one).unwrap();
    let moved = |result: Result<(), GitError>| matches!(result, Err(GitError::Moved { .. }));
    assert!(moved(repo.compare_and_swap_ref(main, &zero, &two)));
    assert!(moved(repo.compare_and_swap_ref(main, &two, &one)));
    assert!(moved(repo.compare_and_swap_ref("refs/heads/x", &one, &two)));
    repo.compare_and_swap_ref(main, &one, &two).unwrap();
    assert_eq!(repo.tip(main).unwrap(), Some(two.clone()));
    assert!(moved(repo.compare_and_swap_ref(main, &one, &zero)));
    repo.compare_and_swap_ref(main, &two, &zero).unwrap();
    assert_eq!(repo.tip(main).unwrap(), None);
    repo.hold(7, &two).unwrap();
    assert_eq!(
        repo.refs("refs/teal/*").unwrap(),
        [("refs/teal/7".to_owned(), two)]
    );
    repo.release_hold(7).unwrap();
    repo.release_hold(7).unwrap();
    assert!(repo.refs("refs/teal/*").unwrap().is_empty());
}

#[test]
fn what_a_commit_holds_is_read_as_data() {
    let dir = tempfile::tempdir().unwrap();
    let repo = bare(&dir.path().join("r.git"));
    let message = format!(
        "\n<!channel> \u{202e}evil\u{1b}[31m {}\n\nbody",
        "x".repeat(100_000)
    );
    let mut list = files(&[("a", "1"), ("d/b", "2"), ("d/e/c", "3")]);
    let one = commit(&repo, &list, &message, None);
    list.insert("link".to_owned(), (0o120_000, b"/etc/shadow".to_vec()));
    list.remove("a");
    let two = commit(&repo, &list, "two", Some(&one));
    let info = repo.commit_info(&one).unwrap();
    assert!(
        info.subject.starts_with("<!channel> evil[31m x"),
        "{}",
        info.subject
    );
    assert_eq!(info.subject.chars().count(), 200);
    assert_eq!(info.author, "Ann");
    assert_eq!(repo.read_file(&two, "d/b", 10).unwrap().unwrap(), b"2");
    assert_eq!(repo.read_file(&two, "./d/b", 10).unwrap().unwrap(), b"2");
    assert_eq!(repo.read_file(&two, "d/b", 0).unwrap(), None);
    for not_a_file in ["link", "d", "nothing", "../x", "d/../d/b"] {
        assert_eq!(
            repo.read_file(&two, not_a_file, 99).unwrap(),
            None,
            "{not_a_file}"
        );
    }
    assert_eq!(repo.changed_paths(&one, &two).unwrap(), ["a", "link"]);
    assert_eq!(
        repo.id_at(&one, "d").unwrap(),
        repo.id_at(&two, "d").unwrap()
    );
    assert_eq!(
        repo.id_at(&one, ".").unwrap(),
        Some(repo.tree_id(&one).unwrap())
    );
    let names: Vec<_> = repo
        .list(&two, "d")
        .unwrap()
        .unwrap()
        .into_iter()
        .map(|entry| (entry.name, entry.kind))
        .collect();
    assert_eq!(
        names,
        [
            ("b".to_owned(), TreeEntryKind::File),
            ("e".to_owned(), TreeEntryKind::Folder)
        ]
    );
    assert_eq!(repo.list(&two, "d/b").unwrap(), None);
    let log = repo.log_between(Some(&one), &two, 10).unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].subject, "two");
    assert_eq!(repo.log_between(None, &two, 10).unwrap().len(), 2);
}

/// Serves a folder of files over HTTP/1.0 and remembers the `Authorization` headers it was shown.
fn file_server(root: PathBuf) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shown = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            for line in lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
            {
                if line.starts_with("Authorization") {
                    shown.lock().unwrap().push(line);
                }
            }
            let path = first
                .split(' ')
                .nth(1)
                .unwrap()
                .split('?')
                .next()
                .unwrap()
                .to_owned();
            let answer = match fs::read(root.join(&path[1..])) {
                _ if path.starts_with("/moved") => {
                    b"HTTP/1.0 302 Found\r\nLocation: /r.git/info/refs\r\n\r\n".to_vec()
                }
                Ok(body) => [b"HTTP/1.0 200 OK\r\n\r\n", &body[..]].concat(),
                Err(_) => b"HTTP/1.0 404 Not Found\r\n\r\n".to_vec(),
            };
            let _ = stream.write_all(&answer);
        }
    });
    (url, seen)
}

#[tokio::test]
async fn a_fetch_brings_the_remote_beside_what_was_pushed() {
    let dir = tempfile::tempdir().unwrap();
    let there = bare(&dir.path().join("r.git"));
    let one = commit(&there, &files(&[("a", "1")]), "one", None);
    let zero: CommitId = "0".repeat(40).parse().unwrap();
    there
        .compare_and_swap_ref("refs/heads/main", &zero, &one)
        .unwrap();
    let done = std::process::Command::new("git")
        .args(["update-server-info"])
        .env("GIT_DIR", there.path())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status()
        .unwrap();
    assert!(done.success());
    let (url, seen) = file_server(dir.path().to_owned());
    let here = bare(&dir.path().join("here.git"));
    let own = commit(&here, &files(&[("own", "1")]), "own", None);
    here.compare_and_swap_ref("refs/heads/main", &zero, &own)
        .unwrap();
    let mut remote = Remote {
        url: format!("{url}/r.git"),
        credentials: Credentials::Token(Secret::new("s3cret-token")),
        known_hosts: dir.path().join("known_hosts"),
        largest: 1 << 30,
    };
    let limit = Duration::from_secs(60);
    remote
        .fetch(here.path(), &Fetch::Everything, limit)
        .await
        .unwrap();
    assert_eq!(
        here.remote_tip("refs/heads/main").unwrap(),
        Some(one.clone())
    );
    assert_eq!(here.tip("refs/heads/main").unwrap(), Some(own));
    let wanted = format!(
        "Authorization: Basic {}",
        "eC1hY2Nlc3MtdG9rZW46czNjcmV0LXRva2Vu"
    );
    assert!(seen.lock().unwrap().iter().all(|line| *line == wanted));
    assert!(!seen.lock().unwrap().is_empty());
    let tips = remote.tips(here.path(), limit).await.unwrap();
    assert_eq!(tips, [("refs/heads/main".to_owned(), one.to_string())]);
    let gone = Fetch::Ref("refs/heads/gone".to_owned());
    let error = remote
        .fetch(here.path(), &gone, limit)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("refs/heads/gone") && !error.contains("s3cret"),
        "{error}"
    );
    remote.url = format!("{url}/moved/r.git");
    let error = remote
        .fetch(here.path(), &Fetch::Everything, limit)
        .await
        .unwrap_err();
    assert!(matches!(error, GitError::Fetch { .. }), "{error}");
    maintain(here.path(), limit).await.unwrap();
}

#[tokio::test]
async fn a_remote_that_never_answers_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let here = bare(&dir.path().join("here.git"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = Remote {
        url: format!("http://{}/r.git", listener.local_addr().unwrap()),
        credentials: Credentials::None,
        known_hosts: dir.path().join("known_hosts"),
        largest: 1 << 30,
    };
    let limit = Duration::from_millis(200);
    let error = remote
        .fetch(here.path(), &Fetch::Everything, limit)
        .await
        .unwrap_err();
    assert!(matches!(error, GitError::Deadline { .. }), "{error}");
}
