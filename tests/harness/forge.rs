use super::daemon::program;
use super::{App, Git, LONG, Request, Sandbox, wait_until};
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A forge's git over HTTP on a real socket: `git http-backend` behind a few lines of CGI. Repositories are bare ones in
/// `forge/` of the sandbox.
pub struct Forge {
    address: SocketAddr,
    root: PathBuf,
    closed: Arc<AtomicBool>,
}

impl Forge {
    /// Starts it.
    pub fn start(sandbox: &Sandbox) -> Self {
        let root = sandbox.dir("forge");
        let listener = TcpListener::bind(("127.0.0.1", sandbox.port())).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let closed = Arc::new(AtomicBool::new(false));
        let (folder, end) = (root.clone(), Arc::clone(&closed));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let folder = folder.clone();
                // A client that goes away in the middle is its own affair.
                thread::spawn(move || answer(stream, &folder));
            }
        });
        Forge {
            address,
            root,
            closed,
        }
    }

    /// A forge with the repository `blue/shop`, and the app whose `origin` it is; nothing is pushed there yet.
    pub fn with_shop(sandbox: &Sandbox) -> (Forge, App) {
        let forge = Forge::start(sandbox);
        forge.repository(sandbox, SHOP);
        let app = App::python(sandbox, "work");
        let path = forge.path(SHOP).display().to_string();
        app.git().run(["remote", "add", "origin", &path]).ok();
        (forge, app)
    }

    /// What an app's table says that is `blue/shop` at this kind of forge, with the secret of the environment variable
    /// `SHOP_SECRET`.
    pub fn shop_keys(&self, kind: &str) -> String {
        format!(
            "forge = \"{kind}\"\nrepo = \"{}\"\nwebhook_secret = {{ env = \"SHOP_SECRET\" }}",
            self.url(SHOP)
        )
    }

    /// Makes the repository `owner/name`; git in it.
    pub fn repository(&self, sandbox: &Sandbox, name: &str) -> Git {
        let git = Git::at(sandbox, sandbox.dir(format!("forge/{name}.git")));
        git.run(["init", "--quiet", "--bare", "--initial-branch=main"])
            .ok();
        git
    }

    /// What `repo` says for it in `teal.toml`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}.git", self.address)
    }

    /// Holds what it has found to answer back from now on.
    pub fn hold(&self) {
        std::fs::write(self.root.join(HOLD), "").expect("a file in the sandbox");
    }

    /// Waits until an answer is held back.
    #[track_caller]
    pub fn wait_for_held(&self) {
        wait_until(LONG, "an answer is held back", || {
            self.root.join(HELD).exists()
        });
    }

    /// Sends everything that was held back.
    pub fn let_go(&self) {
        std::fs::remove_file(self.root.join(HOLD)).expect("it holds");
    }

    /// Where it is on disk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.git"))
    }
}

const SHOP: &str = "blue/shop";

/// While there is a file of this name, answers are held back; the other one says that one is.
const HOLD: &str = "hold";
const HELD: &str = "held";

impl Drop for Forge {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(mut stream: TcpStream, root: &Path) -> io::Result<()> {
    let request = Request::read(&mut BufReader::new(&stream))?;
    let mut child = Command::new(program("git"))
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", root)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("GIT_PROTOCOL", request.header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Its complaints about a repository that is away are what a forge keeps in its own log.
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().expect("piped");
    let body = request.body;
    thread::spawn(move || input.write_all(&body));
    let output = child.wait_with_output()?.stdout;
    if root.join(HOLD).exists() && request.method == "POST" {
        std::fs::write(root.join(HELD), "")?;
        wait_until(LONG, "it is let go", || !root.join(HOLD).exists());
    }
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\n{head}\r\n\r\n"
    )?;
    stream.write_all(output.get(end + 4..).unwrap_or_default())
}
