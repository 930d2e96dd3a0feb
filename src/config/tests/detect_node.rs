use super::{plan, repo, versions};
use crate::config::*;
use insta::assert_snapshot;

/// The install command and the folders it fills, for a package beside these files.
fn installs(package: &str, others: &[&str]) -> String {
    let mut files = vec![("package.json", package), ("server.js", "")];
    files.extend(others.iter().map(|name| (*name, "")));
    let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
    let steps = recipe.steps;
    format!(
        "{} | {} | {}",
        steps.install.unwrap(),
        steps.lockfiles.join(" "),
        steps.deps.join(" ")
    )
}

#[test]
fn the_lockfile_names_the_package_manager() {
    assert_snapshot!(installs("{}", &["package-lock.json", ".npmrc"]), @"npm ci | package-lock.json package.json .npmrc | node_modules");
    assert_snapshot!(installs("{}", &["npm-shrinkwrap.json"]), @"npm ci | npm-shrinkwrap.json package.json | node_modules");
    assert_snapshot!(installs("{}", &["pnpm-lock.yaml"]), @"pnpm install --frozen-lockfile | pnpm-lock.yaml package.json | node_modules");
    assert_snapshot!(installs("{}", &["yarn.lock"]), @"yarn install --frozen-lockfile | yarn.lock package.json | node_modules");
    assert_snapshot!(installs("{}", &["yarn.lock", ".yarnrc.yml"]), @"yarn install --immutable | yarn.lock package.json .yarnrc.yml | .pnp.cjs .yarn/cache .yarn/unplugged");
    assert_snapshot!(installs(r#"{"packageManager": "yarn@4.1.0"}"#, &["yarn.lock", ".yarn/cache/x.zip"]), @"yarn install --immutable | yarn.lock package.json | .pnp.cjs .yarn/unplugged");
    assert_snapshot!(installs(r#"{"packageManager": "yarn@1.22.0"}"#, &["yarn.lock"]), @"yarn install --frozen-lockfile | yarn.lock package.json | node_modules");
    assert_snapshot!(installs("{}", &["bun.lock"]), @"bun install --frozen-lockfile | bun.lock package.json | node_modules");
    assert_snapshot!(installs("{}", &[]), @"npm install | package.json | node_modules");
    assert_snapshot!(installs(r#"{"packageManager": "pnpm@9"}"#, &["package-lock.json", "pnpm-lock.yaml"]), @"pnpm install --frozen-lockfile | pnpm-lock.yaml package.json | node_modules");
    assert_snapshot!(installs("{}", &["package-lock.json", "prisma/schema.prisma", "patches/a.patch"]), @"npm ci | package-lock.json package.json prisma/schema.prisma patches/a.patch | node_modules");
    assert_snapshot!(installs(r#"{"workspaces": ["packages/*", "../evil/*"]}"#, &["package-lock.json", "packages/a/package.json", "packages/b/x"]), @"npm ci | package-lock.json package.json | node_modules packages/a/node_modules packages/b/node_modules");
}

#[test]
fn a_nest_app_is_started_from_its_build() {
    let package = r#"{
  "scripts": {
    "build": "nest build",
    "start": "nest start",
    "start:prod": "node dist/main",
    "test": "jest"
  },
  "dependencies": { "@nestjs/core": "^10" },
  "engines": { "node": ">=22" }
}"#;
    assert_snapshot!(plan(&[("package.json", package), ("package-lock.json", "")]), @r"
    path              node_modules/.bin                package.json
    build.install     npm ci                           package-lock.json
    build.lockfiles   package-lock.json, package.json  package-lock.json
    build.deps        node_modules                     package-lock.json
    build.build       npm run build                    package.json line 3
    build.outputs     dist                             package.json: the framework's usual folder
    build.test        –                                not run: many `test` scripts need a database or never end; `[build] test` in .teal.toml turns it on
    run.web           npm run start:prod               package.json line 5
    warning: `engines.node` of package.json asks for node >=22, this server has 20.1.0
    ");
}

#[test]
fn a_vite_app_is_served_as_files() {
    let package = r#"{"scripts": {"dev": "vite", "build": "tsc && vite build", "preview": "vite preview"}, "devDependencies": {"vite": "5"}}"#;
    assert_snapshot!(plan(&[("package.json", package), ("pnpm-lock.yaml", ""), ("index.html", "")]), @r"
    path              node_modules/.bin                     package.json
    build.install     pnpm install --frozen-lockfile        pnpm-lock.yaml
    build.lockfiles   pnpm-lock.yaml, package.json          pnpm-lock.yaml
    build.deps        node_modules                          pnpm-lock.yaml
    build.build       pnpm run build                        package.json line 1
    build.outputs     dist                                  package.json: the framework's usual folder
    run.web           teal static --dir dist --single-page  package.json: a static build
    ");
}

#[test]
fn each_framework_has_its_folder_and_its_start() {
    let of = |scripts: &str, deps: &str| {
        let package = format!(r#"{{"scripts": {{{scripts}}}, "dependencies": {{{deps}}}}}"#);
        let files = [
            ("package.json", package.as_str()),
            ("package-lock.json", ""),
        ];
        let recipe = Recipe::resolve(&repo(&files), &versions).unwrap();
        format!(
            "{} | {}",
            recipe.steps.outputs.join(" "),
            recipe.processes["web"].command
        )
    };
    let built = r#""build": "b""#;
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "next start""#),
            r#""next": "1""#
        ),
        ".next | npm start"
    );
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "react-scripts start""#),
            r#""react-scripts": "5""#
        ),
        "build | teal static --dir build --single-page"
    );
    assert_eq!(
        of(&format!(r#"{built}, "start": "vite""#), r#""vite": "5""#),
        "dist | teal static --dir dist --single-page"
    );
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "vite preview --port $PORT""#),
            r#""vite": "5""#
        ),
        "dist | npm start"
    );
    assert_eq!(
        of(
            &format!(r#"{built}, "start": "node server""#),
            r#""vite": "5", "express": "4""#
        ),
        "dist | npm start"
    );
    assert_eq!(
        of(
            r#""build": "tsup", "start": "node dist""#,
            r#""typescript": "5""#
        ),
        "dist | npm start"
    );
    assert_eq!(
        of(
            r#""build": "esbuild a.ts --outdir=out", "start": "node out""#,
            ""
        ),
        "out | npm start"
    );
    assert_eq!(
        of(r#""start": "nodemon x", "start:prod": "node x""#, ""),
        " | npm run start:prod"
    );
}

#[test]
fn a_package_without_a_start_script_is_started_by_its_file() {
    let web = |package: &str, file: &str| {
        let files = [("package.json", package), ("yarn.lock", ""), (file, "")];
        Recipe::resolve(&repo(&files), &versions)
            .map(|recipe| recipe.processes["web"].command.clone())
    };
    assert_eq!(web("{}", "server.js").unwrap(), "node server.js");
    assert_eq!(
        web(r#"{"main": "./src/app.js"}"#, "src/app.js").unwrap(),
        "node src/app.js"
    );
    assert_eq!(
        web(r#"{"scripts": {"start": "node x"}}"#, "x").unwrap(),
        "yarn start"
    );
    assert!(web(r#"{"main": "x.js"}"#, "other.js").is_err());
    assert!(web(r#"{"main": "$(id).js"}"#, "$(id).js").is_err());
}
