//! GitHub's own description of its API (npm's `@octokit/openapi`): every request that Teal made has to be one that it
//! describes, down to the names and types of what is in the body.

use super::service::Asked;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const PACKAGE: &str = "@octokit/openapi@23.0.2";

/// Checks all that was asked below this prefix. Where npm cannot be reached the check is left out, and says so.
pub fn check(prefix: &str, asked: &[Asked]) {
    check_some(prefix, asked, 6);
}

/// The same, where there are only so few.
pub fn check_some(prefix: &str, asked: &[Asked], least: usize) {
    let Some(described) = description() else {
        eprintln!("left out: GitHub's description of its API, because npm cannot be reached");
        return;
    };
    let mut checked = 0;
    for one in asked.iter().filter(|one| one.status < 400) {
        let target = one.target.strip_prefix(prefix).expect("the prefix");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let what = format!("{} {path}", one.method);
        let operation = operation(&described, &one.method, path)
            .unwrap_or_else(|| panic!("GitHub describes no {what}"));
        parameters(&described, operation, query, &what);
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            matches(&described, schema, &one.json, &what)
                .unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        checked += 1;
    }
    assert!(
        checked >= least,
        "only {checked} of {} requests were checked",
        asked.len()
    );
}

fn description() -> Option<Value> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("octokit-openapi-23.0.2");
    let file = folder.join("package/generated/api.github.com.json");
    if !file.exists() {
        fs::create_dir_all(&folder).ok()?;
        let packed = Command::new("npm")
            .args(["pack", PACKAGE, "--silent", "--pack-destination"])
            .arg(&folder)
            .output()
            .ok()?;
        let name = String::from_utf8_lossy(&packed.stdout).trim().to_owned();
        if !packed.status.success() || name.is_empty() {
            return None;
        }
        let unpacked = Command::new("tar")
            .arg("-xzf")
            .arg(folder.join(&name))
            .arg("-C")
            .arg(&folder)
            .arg("package/generated/api.github.com.json")
            .status();
        let _ = fs::remove_file(folder.join(&name));
        if !unpacked.is_ok_and(|status| status.success()) {
            return None;
        }
    }
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// The operation whose path has the same words, with `{…}` for any.
fn operation<'d>(described: &'d Value, method: &str, path: &str) -> Option<&'d Value> {
    let words: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == words.len()
            && template
                .iter()
                .zip(&words)
                .all(|(t, w)| t.starts_with('{') || t == w)
    };
    let paths = described["paths"].as_object()?;
    let literal = |template: &&String| template.matches('{').count();
    let mut fitting: Vec<&String> = paths.keys().filter(|template| fits(template)).collect();
    fitting.sort_by_key(literal);
    let methods = fitting
        .into_iter()
        .map(|template| &paths[template][method.to_lowercase()]);
    methods.into_iter().find(|operation| !operation.is_null())
}

fn parameters(described: &Value, operation: &Value, query: &str, what: &str) {
    let all = operation["parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let known: Vec<String> = { all.iter() }
        .map(|one| follow(described, one))
        .filter(|one| one["in"] == "query")
        .filter_map(|one| Some(one["name"].as_str()?.to_owned()))
        .collect();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap();
        assert!(
            known.iter().any(|one| one == name),
            "{what}: no parameter `{name}` among {known:?}"
        );
    }
}

fn follow<'d>(described: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(path) => described
            .pointer(path.trim_start_matches('#'))
            .expect("a reference"),
        None => schema,
    }
}

/// Whether the value is what the schema says; what is wrong otherwise.
fn matches(described: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = follow(described, schema);
    for several in ["oneOf", "anyOf"] {
        if let Some(ways) = schema[several].as_array() {
            let fits = ways
                .iter()
                .any(|way| matches(described, way, value, at).is_ok());
            return if fits {
                Ok(())
            } else {
                Err(format!("{at}: {value} is none of {several}"))
            };
        }
    }
    if value.is_null() {
        let may = schema["nullable"] == true;
        return if may {
            Ok(())
        } else {
            Err(format!("{at} may not be null"))
        };
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at}: {value} is not one of {words:?}"));
    }
    let (is, wanted) = (kind(value), schema["type"].as_str().unwrap_or("any"));
    if wanted != "any" && wanted != is && !(wanted == "number" && is == "integer") {
        return Err(format!("{at} is a {is}, not a {wanted}"));
    }
    if let Some(properties) = schema["properties"].as_object() {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for name in required.iter().filter_map(Value::as_str) {
            if value[name].is_null() {
                return Err(format!("{at} has no `{name}`"));
            }
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            match properties.get(name) {
                Some(schema) => matches(described, schema, inner, &format!("{at}.{name}"))?,
                // It would be taken silently, and mean nothing.
                None => return Err(format!("{at} knows no `{name}`")),
            }
        }
    }
    for inner in value.as_array().into_iter().flatten() {
        if !schema["items"].is_null() {
            matches(described, &schema["items"], inner, &format!("{at}[]"))?;
        }
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
