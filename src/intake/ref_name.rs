use super::shown::shown;

/// A name that cannot be a ref.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not the name of a ref: {why}")]
pub struct RefNameError {
    name: String,
    why: &'static str,
}

/// Longer names do not fit into a file name, and nobody types them.
const LONGEST: usize = 512;

/// Whether git would take this as a full ref name (`refs/heads/main`). A name that passes starts with `refs/`, so it can
/// never be read as an option, and has no control character, space or glob in it.
pub fn check(name: &str) -> Result<(), RefNameError> {
    match fault(name) {
        None => Ok(()),
        Some(why) => Err(RefNameError {
            name: shown(name, 60),
            why,
        }),
    }
}

fn fault(name: &str) -> Option<&'static str> {
    if name.len() > LONGEST {
        return Some("it is longer than 512 bytes");
    }
    if !name.starts_with("refs/") {
        return Some("it does not start with refs/");
    }
    if name
        .chars()
        .any(|c| c.is_control() || " ~^:?*[\\".contains(c))
    {
        return Some("it holds a control character, a space, or one of ~^:?*[\\");
    }
    if name.contains("..") || name.contains("@{") || name.ends_with('.') {
        return Some("it holds `..` or `@{`, or ends with a dot");
    }
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if name.split('/').any(bad_part) {
        return Some("a part of it is empty, starts with a dot, or ends with .lock");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_takes_is_taken() {
        for good in [
            "refs/heads/main",
            "refs/heads/-h",
            "refs/heads/feat/ümlaut",
            "refs/tags/v1.0",
            "refs/heads/$(id);x",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_git_refuses_is_refused() {
        let long = format!("refs/heads/{}", "a".repeat(4096));
        for bad in [
            "",
            "-h",
            "--upload-pack=touch",
            "main",
            "refs/heads/",
            "refs/heads//x",
            "refs/heads/a..b",
            "refs/heads/a\nb",
            "refs/heads/a b",
            "refs/heads/.hidden",
            "refs/heads/x.lock",
            "refs/heads/x.",
            "refs/heads/*",
            "refs/heads/a@{1}",
            "refs/heads/\u{7f}",
            &long,
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(
                error.len() < 400 && !error.contains('\n'),
                "{bad:?}: {error:?}"
            );
        }
    }
}
