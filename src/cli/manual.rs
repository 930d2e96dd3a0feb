//! `teal man [folder]`: what `man` knows of the commands, made from the commands.

use super::args::{Cli, Man};
use super::failure::{CliError, Code};
use super::screen::Screen;
use crate::system::files;
use clap::{Command, CommandFactory};
use clap_mangen::Man as Page;
use std::path::Path;

/// Prints the page about all of it, or writes a page for each command into a folder.
pub(super) fn man(args: &Man, screen: &mut Screen) -> Result<Code, CliError> {
    let pages = pages();
    match &args.folder {
        None => screen.bytes(&pages[0].1),
        Some(folder) => {
            for (name, page) in &pages {
                write(folder, name, page)?;
            }
            screen.say(format!("{} pages are in {}", pages.len(), folder.display()));
        }
    }
    Ok(Code::Done)
}

fn write(folder: &Path, name: &str, page: &[u8]) -> Result<(), CliError> {
    let path = folder.join(name);
    let failed = |error: files::FileError| {
        let what = format!("cannot write {}", error.path.display());
        CliError::local(what, error.source)
    };
    files::create_dir(folder, 0o755).map_err(failed)?;
    files::write_atomic(&path, page, 0o644).map_err(failed)
}

/// Every page by the name of its file; the first one is about all of it.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut all = Cli::command().disable_help_subcommand(true);
    all.build();
    let mut pages = Vec::new();
    add(&all, "teal".to_owned(), &mut pages);
    pages
}

fn add(command: &Command, name: String, pages: &mut Vec<(String, Vec<u8>)>) {
    let page = Page::new(command.clone())
        .date("")
        .source(concat!("Teal ", env!("CARGO_PKG_VERSION")))
        .manual("Teal");
    let mut text = Vec::new();
    // A page that cannot be made is none; writing to memory does not fail.
    if page.render(&mut text).is_ok() {
        pages.push((format!("{name}.1"), text));
    }
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        add(inner, format!("{name}-{}", inner.get_name()), pages);
    }
}
