use super::daemon::program;
use super::{Daemon, Git, Outcome, Sandbox};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A real sshd on a port of its own, which lets the present user in with one key. What it runs sees a HOME in the
/// sandbox and none of this machine's git configuration.
pub struct Sshd {
    port: u16,
    folder: PathBuf,
    key: PathBuf,
    user: String,
    daemon: Daemon,
}

impl Sshd {
    /// Makes keys and a configuration, and starts it.
    pub fn start(sandbox: &Sandbox) -> Self {
        let folder = sandbox.dir("sshd");
        let key = new_key(&folder, "client");
        let host_key = new_key(&folder, "host");
        fs::copy(folder.join("client.pub"), folder.join("authorized_keys")).expect("a key");
        let home = sandbox.dir("ssh-home");
        let port = sandbox.port();
        let root = nix::unistd::getuid().is_root();
        if root {
            // sshd started by root insists on this folder, which only its service unit makes.
            let made = fs::DirBuilder::new().mode(0o755).create("/run/sshd");
            assert!(made.is_ok() || Path::new("/run/sshd").is_dir(), "/run/sshd");
        }
        let configuration = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             UsePAM {}\nMaxStartups 100\nSetEnv HOME={} GIT_CONFIG_NOSYSTEM=1\n",
            host_key.display(),
            folder.join("authorized_keys").display(),
            // An account without a password, as containers have, is only let in by PAM; which only root may ask.
            if root { "yes" } else { "no" },
            home.display(),
        );
        let file = sandbox.write("sshd/sshd_config", configuration);
        let mut command = Command::new(program("sshd"));
        command.args(["-D", "-e", "-f"]).arg(file);
        let mut daemon = Daemon::spawn("sshd", &mut command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        daemon.ready_when("sshd listens", || TcpStream::connect(address).is_ok());
        Sshd {
            port,
            folder,
            key,
            user: Outcome::of(Command::new("id").arg("-un"))
                .ok()
                .trim()
                .into(),
            daemon,
        }
    }

    /// `ssh://user@127.0.0.1:port/path`: what a person would add as a remote.
    pub fn url(&self, path: &Path) -> String {
        format!(
            "ssh://{}@127.0.0.1:{}{}",
            self.user,
            self.port,
            path.display()
        )
    }

    /// The file that says whom it lets in.
    pub fn authorized_keys(&self) -> PathBuf {
        self.folder.join("authorized_keys")
    }

    /// The same sshd for a person with another key, whom it does not let in yet; the key's public half lies beside it.
    pub fn visitor(&self, name: &str) -> Visitor<'_> {
        Visitor {
            sshd: self,
            key: new_key(&self.folder, name),
        }
    }

    /// The value of `GIT_SSH_COMMAND` that shows the client's key and reads none of this machine's ssh configuration.
    pub fn client(&self) -> String {
        client(&self.key)
    }

    /// The same git, which pushes with the client's key.
    pub fn pusher(&self, git: Git) -> Git {
        git.with("GIT_SSH_COMMAND", &self.client())
    }

    /// The same for an address that names no port: what a person whose sshd is not on port 22 has in `~/.ssh/config`.
    pub fn on_its_port(&self, git: Git) -> Git {
        let client = format!("{} -p {}", self.client(), self.port);
        git.with("GIT_SSH_COMMAND", &client)
    }

    /// Its log.
    pub fn output(&self) -> String {
        self.daemon.output()
    }
}

fn client(key: &Path) -> String {
    format!(
        "ssh -F none -i {} -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        key.display()
    )
}

/// A person with a key of their own.
pub struct Visitor<'s> {
    sshd: &'s Sshd,
    key: PathBuf,
}

impl Visitor<'_> {
    /// The public half of the key.
    pub fn public_key(&self) -> PathBuf {
        self.key.with_extension("pub")
    }

    /// The same git, which pushes with this key to an address that names no port.
    pub fn pusher(&self, git: Git) -> Git {
        let client = format!("{} -p {}", client(&self.key), self.sshd.port);
        git.with("GIT_SSH_COMMAND", &client)
    }

    /// What ssh is answered to these words: options, then the command.
    #[track_caller]
    pub fn ssh(&self, options: &[&str], command: &str) -> Outcome {
        let line = client(&self.key);
        let mut words = line.split_whitespace();
        let mut ssh = Command::new(program(words.next().expect("ssh")));
        let host = format!("{}@127.0.0.1", self.sshd.user);
        ssh.args(words)
            .args(options)
            .args(["-p", &self.sshd.port.to_string(), &host, command])
            .stdin(std::process::Stdio::null());
        Outcome::of(&mut ssh)
    }
}

fn new_key(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let mut command = Command::new(program("ssh-keygen"));
    command
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&path);
    Outcome::of(&mut command).ok();
    path
}
