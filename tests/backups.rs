//! Backups as people see them: what they hold whatever the app writes, whether they are whole, and what going back to one
//! does not undo.

use crate::harness::{App, Teal};
use std::fs;

const HOST: &str = "production.shop.test";

fn push(app: &App) -> String {
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    pushed.stderr
}

/// The text of the `nth` backup, newest first, below its folder.
fn kept(teal: &Teal, nth: usize, path: &str) -> String {
    let listed = teal.json(["backups", "production"]);
    let name = listed[nth]["name"].as_str().unwrap().to_owned();
    let root = teal.root("shop", "production");
    fs::read_to_string(root.join(".backups").join(name).join("release").join(path)).unwrap()
}

#[test]
fn a_backup_holds_what_was_built_whatever_the_service_and_later_builds_write_in_place() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.git()
        .write("package.json", "{}")
        .write("package-lock.json", "{}");
    app.recipe(
        "[build]\n\
         install = \"mkdir -p node_modules/a; echo installed > node_modules/a/main\"\n\
         build = \"mkdir -p dist; cat version.txt >> dist/all; echo built >> node_modules/a/main\"\n\
         outputs = [\"dist\"]\n\
         [run]\n\
         web = \"echo started >> node_modules/a/main; echo started >> dist/all; exec python3 -u app.py\"",
    );
    for version in ["v1", "v2", "v3", "v4"] {
        app.version(version);
        push(&app);
        assert_eq!(teal.serves(HOST), version);
    }
    for (nth, version) in ["v4", "v3", "v2", "v1"].into_iter().enumerate() {
        assert_eq!(
            kept(&teal, nth, "node_modules/a/main"),
            "installed\nbuilt\n"
        );
        assert_eq!(kept(&teal, nth, "dist/all"), format!("{version}\n"));
    }
    let serving = teal
        .root("shop", "production")
        .join("current/node_modules/a/main");
    assert_eq!(
        fs::read_to_string(&serving).unwrap(),
        "installed\nbuilt\nstarted\n"
    );
    teal.cli(["backups", "production", "--verify"]).ok();
    teal.cli(["rollback", "production", "--to", "2"]).ok();
    assert_eq!(teal.serves(HOST), "v2");
    assert_eq!(
        fs::read_to_string(serving).unwrap(),
        "installed\nbuilt\nstarted\n"
    );
}

#[test]
fn each_file_of_a_backup_that_is_not_as_it_was_sealed_is_named() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app);
    let whole = teal.cli(["backups", "production", "--verify"]).ok();
    assert!(whole.contains("all as sealed"), "{whole}");
    let name = teal.json(["backups", "production"])[0]["name"].clone();
    let backup = teal
        .root("shop", "production")
        .join(".backups")
        .join(name.as_str().unwrap());
    fs::write(backup.join("release/version.txt"), "V1\n").unwrap();
    let verified = teal.cli(["backups", "production", "--verify"]);
    assert_eq!(verified.code, 1);
    assert!(
        verified
            .stdout
            .contains("version.txt has other content now"),
        "{}",
        verified.stdout
    );
    assert!(
        verified.stdout.contains("1 NOT as sealed"),
        "{}",
        verified.stdout
    );
}

#[test]
fn going_back_behind_a_migration_is_asked_about_and_its_restore_point_is_named() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    push(&app);
    app.recipe(
        "[migrate]\ncommand = \"true\"\n\
         backup = \"echo dumping; echo before-$TEAL_DEPLOYMENT.sql; echo\"",
    );
    app.version("v2");
    let told = push(&app);
    assert!(told.contains("restore point: before-2.sql"), "{told}");
    let history = teal.cli(["history", "production"]).ok();
    assert!(history.contains("restore point: before-2.sql"), "{history}");
    assert_eq!(
        teal.json(["history", "production"])[0]["restore_point"],
        "before-2.sql"
    );
    let listed = teal.cli(["backups", "production"]).ok();
    assert!(
        listed.contains("deployment 2 migrated the database since"),
        "{listed}"
    );
    let asked = teal.cli(["rollback", "production", "--to", "1"]);
    assert_eq!(asked.code, 4, "{}{}", asked.stdout, asked.stderr);
    for words in ["going back does not undo that", "before-2.sql", "--yes"] {
        assert!(asked.stderr.contains(words), "{}", asked.stderr);
    }
    assert_eq!(teal.serves(HOST), "v2");
    teal.cli(["rollback", "production", "--to", "1", "--yes"])
        .ok();
    assert_eq!(teal.serves(HOST), "v1");
}
