use crate::system::files::FileError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why nginx does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NginxError {
    /// A value that must not be part of an nginx file.
    #[error(
        "`{value}` cannot be written into an nginx file as {what}: use letters, digits, `.`, `-`, `_` and `*` only"
    )]
    Word {
        /// What it was to be.
        what: &'static str,
        /// The value, made printable.
        value: String,
    },
    /// A file of Teal's could not be read or written.
    #[error("{file}{hint}", file = .0, hint = room(.0))]
    File(#[from] FileError),
    /// The program did not start.
    #[error("cannot run `{command}`: {source}; is `[proxy] command` the nginx that serves here?")]
    Run {
        /// The command, with its arguments.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The program did not end.
    #[error("`{command}` did not end within {seconds} s")]
    Slow {
        /// The command, with its arguments.
        command: String,
        /// How long it was given.
        seconds: u64,
    },
    /// `nginx -t` fails with the new file and passes without it.
    #[error("nginx refuses the new file (`{command}`):\n{words}")]
    Refused {
        /// The check.
        command: String,
        /// What nginx said.
        words: String,
    },
    /// `nginx -t` fails whether or not Teal changes anything.
    #[error(
        "nginx's configuration is broken, and not by this change (`{command}`):\n{words}\nRepair the file that nginx names, then try again."
    )]
    Broken {
        /// The check.
        command: String,
        /// What nginx said.
        words: String,
    },
    /// There is no nginx to reload.
    #[error(
        "nginx is not running:\n{words}\nStart it (`systemctl start nginx`, or `{start}`), then try again. Teal never starts it."
    )]
    Dead {
        /// What nginx said.
        words: String,
        /// The command that starts it.
        start: String,
    },
    /// There is an nginx, and it could not be told to reload.
    #[error("nginx could not be told to reload (`{command}`):\n{words}")]
    Reload {
        /// The command.
        command: String,
        /// What nginx said.
        words: String,
    },
    /// The reload was accepted and the new route does not show.
    #[error(
        "nginx accepted the reload, and {seconds} s later the new route still did not answer on {verify}: {seen}. nginx's error log says why."
    )]
    NotTaken {
        /// How long it was given.
        seconds: u64,
        /// Where Teal asked.
        verify: SocketAddr,
        /// What answered last.
        seen: String,
    },
    /// nginx runs and passes its check, and Teal's files are not part of what it reads.
    #[error(
        "nginx runs, but nothing of Teal's answers on {verify} ({seen}). It has to read Teal's files: put\n    include {}/teal-*.conf;\ninside `http {{ … }}` of nginx.conf, then reload nginx.", conf_dir.display()
    )]
    NotIncluded {
        /// Where Teal asked.
        verify: SocketAddr,
        /// What answered.
        seen: String,
        /// The folder that has to be included.
        conf_dir: PathBuf,
    },
    /// The server has not been started since nginx was chosen.
    #[error("{} has no file of Teal's yet: the server writes them when it starts", conf_dir.display())]
    NotWritten {
        /// The folder that they will be in.
        conf_dir: PathBuf,
    },
    /// nginx's configuration names Teal's files, and the nginx that runs has not read them.
    #[error(
        "nginx's configuration names Teal's files, and yet nothing of Teal's answers on {verify} ({seen}): it has not read them, or cannot listen there"
    )]
    NotLoaded {
        /// Where Teal asked.
        verify: SocketAddr,
        /// What answered.
        seen: String,
    },
    /// The change failed and everything is as it was before.
    #[error("{what} was not changed, the old file is in its place again: {cause}")]
    PutBack {
        /// What was to change: "the route of shop/production".
        what: String,
        /// Why the change failed.
        #[source]
        cause: Box<NginxError>,
    },
    /// The change failed, and so did undoing it.
    #[error(
        "{what} is in doubt: {cause}\nPutting the old {} back failed as well: {then}", file.display()
    )]
    InDoubt {
        /// What was to change.
        what: String,
        /// The file.
        file: PathBuf,
        /// Why the change failed.
        #[source]
        cause: Box<NginxError>,
        /// Why the undoing failed.
        then: Box<NginxError>,
    },
}

/// On a full disk, the one thing to say beside the path.
fn room(error: &FileError) -> &'static str {
    match error.source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there, then try again"
        }
        _ => "",
    }
}
