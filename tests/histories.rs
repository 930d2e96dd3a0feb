//! Random histories of pushes, each commit deployed twice: incrementally, and from scratch in another environment. What
//! serves is byte for byte the same, whatever came before: edits, renames, mode changes, links, other dependencies, reverts,
//! failures, a killed server. The app's install, build and service write into `node_modules` and `dist` in place, as careless
//! ones do.
//!
//! The suite runs one short history; `TEAL_HISTORIES=300` runs as many. The seed is printed, and taken again from `TEAL_SEED`.

use crate::harness::{App, LONG, Teal, seed, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const RECIPE: &str = r#"[build]
install = "sh install.sh"
build = "sh build.sh"
outputs = ["dist"]
ignore = ["notes/**"]
[run]
web = "for f in node_modules/*/main dist/all; do echo started >> $f; done; exec python3 -u app.py"
"#;

/// Makes what the lockfile says, as `npm ci` does: from nothing.
const INSTALL: &str = r#"set -e
rm -rf node_modules
mkdir -p node_modules/.bin
tr -d '"{},:' < package-lock.json | while read name version; do
  [ -n "$name" ] || continue
  mkdir -p node_modules/$name/lib
  echo "$name $version" > node_modules/$name/main
  seq 1 $version > node_modules/$name/lib/numbers
  ln -s ../$name/main node_modules/.bin/$name
done
"#;

/// Adds to whatever it finds: only what it starts from makes its result the same each time.
const BUILD: &str = r#"set -e
mkdir -p dist
(cd src && find . -type f | LC_ALL=C sort) | while read file; do
  mkdir -p "dist/$(dirname "$file")"
  cat "src/$file" >> "dist/$file"
done
ls src >> dist/all
for package in node_modules/*/; do
  [ -d "$package" ] || continue
  cat src/* >> "${package}main" 2>/dev/null || true
  ls src > "${package}generated"
done
test ! -e broken
"#;

/// Random numbers from the printed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % limit
    }
}

fn world() -> (Teal, App) {
    let quick = "observe = \"1ms\"\nkeep_warm = \"0s\"\nbranch = \"main\"";
    let teal = Teal::plan()
        .top("build_slots = 2")
        .environment("shop", "production", quick)
        .environment("shop", "clean", &format!("{quick}\nmode = \"full\""))
        .start();
    let app = teal.client("shop");
    app.recipe(RECIPE);
    let git = app.git();
    git.write("package.json", "{}\n")
        .write("install.sh", INSTALL);
    git.write("build.sh", BUILD).write("src/first", "1\n");
    lock(&app, &mut Random(1));
    (teal, app)
}

fn lock(app: &App, random: &mut Random) {
    let mut packages = String::from("{\n");
    for name in ["a", "b", "left-pad"] {
        if random.below(4) > 0 {
            packages.push_str(&format!("\"{name}\": {},\n", 1 + random.below(3)));
        }
    }
    app.git().write("package-lock.json", packages + "}\n");
}

/// The next commit: one to three changes.
fn evolve(app: &App, random: &mut Random) {
    const NAMES: [&str; 6] = ["first", "a", "a.b", "deep/a", "deep/b/c", "other/x"];
    let tree = app.path();
    for _ in 0..=random.below(3) {
        let place = tree.join("src").join(NAMES[random.below(NAMES.len())]);
        match random.below(9) {
            0..=2 => {
                let _ = fs::create_dir_all(place.parent().unwrap());
                let _ = fs::remove_file(&place);
                let _ = fs::write(&place, format!("{}\n", random.below(4)));
            }
            3 => drop(fs::remove_file(&place)),
            4 => {
                let to = tree.join("src").join(NAMES[random.below(NAMES.len())]);
                let _ = fs::create_dir_all(to.parent().unwrap());
                let _ = fs::rename(&place, to);
            }
            5 => {
                let mode = [0o644, 0o755][random.below(2)];
                let _ = fs::set_permissions(&place, PermissionsExt::from_mode(mode));
            }
            6 => {
                let _ = fs::remove_file(tree.join("src/link"));
                let target = NAMES[random.below(NAMES.len())];
                std::os::unix::fs::symlink(target, tree.join("src/link")).unwrap();
            }
            7 => drop(
                app.git()
                    .write("notes/log", format!("{}\n", random.below(9))),
            ),
            _ => lock(app, random),
        }
    }
    app.git()
        .write("src/first", format!("{}\n", random.below(3)));
}

/// Goes back to the tree of an earlier commit.
fn revert(app: &App, earlier: &str) {
    app.git().run(["rm", "-rq", "--cached", "."]).ok();
    app.git().run(["read-tree", earlier]).ok();
    app.git().run(["checkout-index", "-af"]).ok();
    app.git().run(["clean", "-fdq"]).ok();
}

/// Everything that an environment serves, by path: mode, and content or where it leads.
fn served(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let slot = fs::canonicalize(root.join("current")).unwrap();
    let mut folders = vec![slot.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let (path, facts) = (entry.path(), entry.metadata().unwrap());
            let content = match facts.file_type() {
                kind if kind.is_dir() => Vec::new(),
                kind if kind.is_symlink() => fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes(),
                _ => fs::read(&path).unwrap(),
            };
            let name = path.strip_prefix(&slot).unwrap().display().to_string();
            if facts.is_dir() {
                folders.push(path);
            }
            found.insert(name, (facts.permissions().mode(), content));
        }
    }
    found
}

fn over(teal: &Teal) -> bool {
    let open = [
        "waiting",
        "queued",
        "running",
        "approval",
        "switching",
        "observing",
    ];
    !teal
        .states()
        .iter()
        .any(|state| open.contains(&state.as_str()))
}

fn deploy(teal: &mut Teal, app: &App, random: &mut Random) {
    if random.below(8) > 0 {
        app.git().push(["--force", "production", "main"]);
    } else {
        // The server is killed somewhere on the way; what it had begun is tried again.
        let mut push = app.git().command();
        let mut pushing = push
            .args(["push", "--quiet", "--force", "production", "main"])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let step = ["deps", "build", "start", "health", "switch"][random.below(5)];
        let lines = teal.history().len();
        wait_until(LONG, &format!("a deployment reached {step}"), || {
            let ids = teal.history();
            let newest = ids.iter().skip(lines).filter_map(|one| one["id"].as_i64());
            let log = |id: i64| {
                teal.state_dir()
                    .join(format!("logs/{id}/{step}.log"))
                    .exists()
            };
            newest.into_iter().any(log) || pushing.try_wait().unwrap().is_some()
        });
        teal.stop(Signal::SIGKILL);
        let _ = pushing.wait();
        teal.serve();
    }
    wait_until(LONG, "everything is deployed", || over(teal));
}

/// One history, and after each push the comparison.
fn history(seed: u64, pushes: usize) {
    let random = &mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (mut teal, app) = world();
    let mut earlier = vec![app.git().commit("the first")];
    let mut words = Vec::new();
    for number in 0..pushes {
        let mut is_broken = false;
        match random.below(6) {
            _ if number == 0 => {}
            0 => revert(&app, &earlier[random.below(earlier.len())].clone()),
            1 => {
                is_broken = true;
                evolve(&app, random);
                app.git().write("broken", "");
            }
            _ => evolve(&app, random),
        }
        let commit = app.git().commit(&format!("push {number}"));
        deploy(&mut teal, &app, random);
        if is_broken {
            fs::remove_file(app.path().join("broken")).unwrap();
            continue;
        }
        earlier.push(commit.clone());
        let at = |env| served(&teal.root("shop", env));
        let (fast, full) = (at("production"), at("clean"));
        words.push(format!("{number} {commit}"));
        let hash = |tree: &BTreeMap<String, (u32, Vec<u8>)>| tree.get(".build-hash").cloned();
        assert_eq!(
            hash(&full).map(|(_, hash)| hash),
            Some(format!("{commit}\n").into_bytes())
        );
        for path in fast.keys().chain(full.keys()) {
            let text = |tree: &BTreeMap<String, (u32, Vec<u8>)>| {
                tree.get(path)
                    .map(|(mode, content)| (*mode, String::from_utf8_lossy(content).into_owned()))
            };
            assert_eq!(
                text(&fast),
                text(&full),
                "TEAL_SEED={seed} push {number}: {path}"
            );
        }
    }
    let verified = teal.cli(["backups", "production", "--verify"]);
    assert_eq!(
        verified.code, 0,
        "TEAL_SEED={seed}: {}{}",
        verified.stdout, verified.stderr
    );
}

#[test]
fn what_serves_is_what_a_full_deployment_gives_after_any_history() {
    let first = seed();
    match std::env::var("TEAL_HISTORIES")
        .ok()
        .and_then(|count| count.parse::<u64>().ok())
    {
        None => history(first, 6),
        Some(count) => (first..first + count).for_each(|seed| {
            eprintln!("history {} of {count}", seed - first + 1);
            history(seed, 9);
        }),
    }
}
