//! The configuration that the guides and the README show is one that is taken.

use super::{repo, versions};
use crate::config::{Recipe, Server};
use std::path::Path;

const GUIDES: [(&str, &str); 13] = [
    ("README", include_str!("../../../README.md")),
    (
        "direct-push",
        include_str!("../../../docs/guides/direct-push.md"),
    ),
    ("github", include_str!("../../../docs/guides/github.md")),
    ("gitea", include_str!("../../../docs/guides/gitea.md")),
    ("gitlab", include_str!("../../../docs/guides/gitlab.md")),
    ("nginx", include_str!("../../../docs/guides/nginx.md")),
    ("node", include_str!("../../../docs/guides/node.md")),
    ("python", include_str!("../../../docs/guides/python.md")),
    (
        "rust-and-go",
        include_str!("../../../docs/guides/rust-and-go.md"),
    ),
    ("static", include_str!("../../../docs/guides/static.md")),
    ("workers", include_str!("../../../docs/guides/workers.md")),
    (
        "migrations",
        include_str!("../../../docs/guides/migrations.md"),
    ),
    (
        "moving-over",
        include_str!("../../../docs/guides/moving-over.md"),
    ),
];

/// The TOML of a text, block by block.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let begun = text.split("```toml\n").skip(1);
    begun.filter_map(|rest| rest.split("\n```").next())
}

#[test]
fn what_the_guides_show_is_taken() {
    let mut seen = 0;
    for (guide, text) in GUIDES {
        for block in blocks(text) {
            let wrong = if block.starts_with("# teal.toml") {
                let secret = |_: &str| Some("s3cret".to_owned());
                Server::parse(block, Path::new("teal.toml"), &secret).err()
            } else if block.starts_with("# .teal.toml") {
                let files = [("index.html", ""), (".teal.toml", block)];
                Recipe::resolve(&repo(&files), &versions).err()
            } else {
                assert_eq!(
                    guide, "README",
                    "a block does not say which file it is: {block}"
                );
                continue;
            };
            if let Some(error) = wrong {
                panic!("{guide}: {error}");
            }
            seen += 1;
        }
    }
    assert!(seen > 11, "{seen}");
}
