//! Who holds the ports that are Teal's.

use crate::config::{Proxy, Server};
use crate::domain::Color;
use crate::system::ports::{self, Owner};
use crate::system::process::{self, Stat};
use crate::web::types::{Finding, Status};
use std::path::Path;

const AREA: &str = "ports";

/// One port of the configuration.
struct Port {
    number: u16,
    what: String,
    /// What to do about a stranger there.
    fix: String,
    /// Whether it is for nginx to hold, and not for what Teal started.
    is_nginx: bool,
}

/// Every port: the server's, the proxy's, and each color's.
pub(super) fn look(server: &Server, status: Option<&Status>) -> Vec<Finding> {
    let ours = Ours {
        server,
        pid: status.map(|status| status.pid),
    };
    let all = of(server);
    let mut found: Vec<Finding> = all.iter().filter_map(|port| ours.judge(port)).collect();
    if found.is_empty() {
        let what = match server.proxy {
            Proxy::Embedded(_) => "what Teal started",
            Proxy::Nginx(_) => "what Teal started, or nginx",
        };
        let what = format!("{} ports are free or held by {what}", all.len());
        found.push(Finding::good(AREA, what));
    }
    found
}

fn of(server: &Server) -> Vec<Port> {
    let file = server.file.display();
    let mut all = vec![Port {
        number: server.listen.port(),
        what: "`listen`".to_owned(),
        fix: format!("stop it, or give `listen` another port in {file}"),
        is_nginx: false,
    }];
    let is_nginx = matches!(server.proxy, Proxy::Nginx(_));
    let holder = if is_nginx { "nginx" } else { "the proxy" };
    all.extend(server.proxy.addresses().iter().map(|address| Port {
        number: address.port(),
        what: holder.to_owned(),
        fix: format!("stop it, or give `[proxy] listen` another port in {file}"),
        is_nginx,
    }));
    for env in server.environments() {
        all.extend(Color::BOTH.into_iter().map(|color| Port {
            number: env.ports.of(color),
            what: format!("{color} of {}", env.id),
            fix: format!("stop it, or give {} other `ports` in {file}", env.id),
            is_nginx: false,
        }));
    }
    all
}

struct Ours<'a> {
    server: &'a Server,
    pid: Option<u32>,
}

impl Ours<'_> {
    fn judge(&self, port: &Port) -> Option<Finding> {
        let owners = ports::owners(port.number);
        let Port {
            number, what, fix, ..
        } = port;
        let foreign = owners.iter().find(|owner| match port.is_nginx {
            // Whom only root may look at is nginx, as far as can be told from here.
            true => owner.pid.is_some() && !is_nginx(owner),
            false => !self.may_be_ours(owner),
        })?;
        if foreign.pid.is_none() {
            let what = format!("port {number} ({what}) is held by {foreign}");
            return Some(Finding::unknown(
                AREA,
                what,
                "type it as root to see which one",
            ));
        }
        let what = format!("port {number} ({what}) is held by {foreign}");
        Some(match foreign.pid.filter(|_| self.may_be_ours(foreign)) {
            // Of what Teal started, only its proxy takes a port of nginx's.
            Some(pid) => Finding::problem(
                AREA,
                format!("{what}: Teal's own proxy, left from before nginx was chosen"),
                format!(
                    "systemctl stop teal; kill {pid}; systemctl start nginx; systemctl start teal"
                ),
            ),
            None => Finding::problem(AREA, what, fix),
        })
    }

    fn may_be_ours(&self, owner: &Owner) -> bool {
        let Some(pid) = owner.pid else { return false };
        if u32::try_from(pid).ok() == self.pid {
            return true;
        }
        self.is_below_teal(pid)
    }

    /// The proxy, or somewhere below a supervisor: both name this server's folder when they are started.
    fn is_below_teal(&self, pid: i32) -> bool {
        let mut next = Some(pid);
        while let Some(pid) = next.filter(|pid| *pid > 1) {
            if process::words(pid).is_some_and(|words| is_teals(&words, &self.server.state_dir)) {
                return true;
            }
            next = Stat::read(pid).map(|stat| stat.parent);
        }
        false
    }
}

/// nginx names its processes `nginx: master process …`.
fn is_nginx(owner: &Owner) -> bool {
    let command = owner.command.as_deref();
    command.is_some_and(|command| command.starts_with("nginx:"))
}

/// Whether a command line is that of the proxy or of a supervisor of the server whose state is there.
fn is_teals(words: &[String], state_dir: &Path) -> bool {
    let kind = words.get(1).map(String::as_str);
    let rest = words.get(2..).unwrap_or_default();
    let inside = rest
        .iter()
        .any(|word| Path::new(word.rsplit('=').next().unwrap_or_default()).starts_with(state_dir));
    matches!(kind, Some("proxy" | "supervise")) && inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_of_another_server_is_not_taken_for_ones_own() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let state = Path::new("/var/lib/teal");
        assert!(is_teals(
            &words("/usr/bin/teal supervise service /var/lib/teal/run/x"),
            state
        ));
        assert!(!is_teals(
            &words("/usr/bin/teal supervise service /tmp/other/run/x"),
            state
        ));
        assert!(!is_teals(
            &words("vim proxy /var/lib/teal/run/x"),
            Path::new("/var/lib/other")
        ));
        assert!(!is_teals(&words("nginx"), state));
    }
}
