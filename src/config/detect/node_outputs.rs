use super::super::repo_view::Files;
use super::is_plain;
use super::node_package::Package;

/// Where the guess comes from, for people.
pub(super) const WHY: &str = "package.json: the framework's usual folder";

/// The folders that each framework's build fills.
const FRAMEWORKS: &[(&str, &[&str])] = &[
    ("next", &[".next"]),
    ("nuxt", &[".output"]),
    ("@sveltejs/kit", &["build", ".svelte-kit"]),
    ("@nestjs/core", &["dist"]),
    ("react-scripts", &["build"]),
    ("@remix-run/dev", &["build", "public/build"]),
    ("@react-router/dev", &["build"]),
    ("astro", &["dist"]),
    ("gatsby", &["public"]),
    ("@vue/cli-service", &["dist"]),
    ("parcel", &["dist"]),
    ("vite", &["dist"]),
];

/// Those whose build is a folder of files that any web server can give out.
const STATIC: &[(&str, &str)] = &[
    ("react-scripts", "build"),
    ("astro", "dist"),
    ("gatsby", "public"),
    ("@vue/cli-service", "dist"),
    ("vite", "dist"),
    ("parcel", "dist"),
];

/// Those whose build is one page that finds its way by the address itself: an address without a file is one of its views.
const SINGLE_PAGE: &[&str] = &["react-scripts", "@vue/cli-service", "vite"];

/// Packages that answer requests themselves: with one of these the build is not the whole app.
const SERVERS: &[&str] = &[
    "express",
    "fastify",
    "koa",
    "@hapi/hapi",
    "@nestjs/core",
    "hono",
    "next",
    "nuxt",
    "@sveltejs/kit",
    "@remix-run/node",
    "@react-router/serve",
    "@astrojs/node",
];

/// The folders that the build fills, as far as the framework tells.
pub(super) fn guess(package: &Package, files: &Files<'_>) -> Vec<String> {
    let framework = FRAMEWORKS.iter().find(|(name, _)| package.uses(name));
    if let Some((_, folders)) = framework {
        return folders.iter().map(|folder| (*folder).to_owned()).collect();
    }
    let build = package.script("build").unwrap_or_default();
    let by_compiler = || out_dir(&files.text("tsconfig.json")?);
    let named = words_after(build, &["--outdir", "--outDir", "--out-dir"]);
    let compiler = ["tsc", "tsup", "webpack", "rollup", "esbuild", "swc"];
    let folder = match named.or_else(by_compiler) {
        Some(folder) => Some(folder),
        // These fill `dist` unless they are told otherwise.
        None if ["tsup", "webpack"].iter().any(|tool| runs(build, tool)) => Some("dist".to_owned()),
        None => None,
    };
    let applies = compiler.iter().any(|tool| runs(build, tool)) || package.uses("typescript");
    folder.filter(|_| applies).into_iter().collect()
}

/// What serves the app when it is nothing but its build.
pub(super) fn static_service(package: &Package) -> Option<String> {
    package.script("build")?;
    if SERVERS.iter().any(|server| package.uses(server)) {
        return None;
    }
    let (name, folder) = STATIC.iter().find(|(name, _)| package.uses(name))?;
    let option = if SINGLE_PAGE.contains(name) {
        " --single-page"
    } else {
        ""
    };
    Some(format!("teal static --dir {folder}{option}"))
}

/// Whether the script starts what developers watch their changes with.
pub(super) fn is_development_server(script: &str) -> bool {
    const COMMANDS: &[&str] = &[
        "react-scripts start",
        "vite",
        "vite dev",
        "vite serve",
        "next dev",
        "nuxt dev",
        "ng serve",
        "astro dev",
        "astro start",
        "gatsby develop",
        "gatsby start",
        "vue-cli-service serve",
        "webpack serve",
        "webpack-dev-server",
        "nodemon",
        "ts-node-dev",
        "tsx watch",
        "parcel",
    ];
    script.split("&&").map(str::trim).any(|part| {
        COMMANDS.iter().any(|command| {
            let rest = part.strip_prefix(command).map(str::trim_start);
            // `vite preview` and `parcel build` are other commands than `vite --port 3000` and `parcel index.html`.
            rest.is_some_and(|rest| {
                part == *command
                    || part.starts_with(&format!("{command} "))
                        && !rest.starts_with("preview")
                        && !rest.starts_with("build")
            })
        })
    })
}

fn runs(script: &str, tool: &str) -> bool {
    script.split([' ', '&', ';', '|']).any(|word| word == tool)
}

fn words_after(script: &str, options: &[&str]) -> Option<String> {
    let mut words = script.split([' ', '=']);
    words.find(|word| options.contains(word))?;
    words.next().and_then(folder)
}

/// The compiler's own setting. The file is JSON with comments, so it is searched and not parsed.
fn out_dir(tsconfig: &str) -> Option<String> {
    let line = tsconfig
        .lines()
        .map(str::trim_start)
        .find(|line| line.starts_with("\"outDir\""))?;
    line.split('"').nth(3).and_then(folder)
}

fn folder(text: &str) -> Option<String> {
    let path = text.trim_start_matches("./").trim_end_matches('/');
    (is_plain(path) && !path.starts_with('/') && path != ".").then(|| path.to_owned())
}
