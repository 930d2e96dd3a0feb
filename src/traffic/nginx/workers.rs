use std::fs;

/// The workers of an nginx that accept connections at one moment, as the system shows them. After a reload the old ones
/// go on accepting for a while, on every address; one of them that is asked nothing gives no sign of it elsewhere.
#[derive(Debug, Default)]
pub(super) struct Workers(Vec<Worker>);

#[derive(Debug, PartialEq, Eq)]
struct Worker {
    pid: u32,
    // Tells it from a later process of the same number.
    started: u64,
}

impl Workers {
    /// All that have the same master as this one. None when they cannot be seen: nginx runs in a container, or the
    /// system hides other users' processes.
    pub(super) fn beside(one: Option<u32>) -> Workers {
        let master = one
            .filter(|pid| accepts(*pid))
            .and_then(|pid| stat(pid)?.parent);
        let Some((master, entries)) = master.zip(fs::read_dir("/proc").ok()) else {
            return Workers::default();
        };
        let pids = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let workers = pids.filter(|pid| accepts(*pid)).filter_map(|pid| {
            let stat = stat(pid)?;
            let started = stat.started;
            (stat.parent == Some(master)).then_some(Worker { pid, started })
        });
        Workers(workers.collect())
    }

    /// The process id of one of them that still accepts.
    pub(super) fn still_accepting(&self) -> Option<u32> {
        let same =
            |worker: &&Worker| stat(worker.pid).is_some_and(|now| now.started == worker.started);
        let worker = self
            .0
            .iter()
            .filter(same)
            .find(|worker| accepts(worker.pid))?;
        Some(worker.pid)
    }
}

struct Stat {
    parent: Option<u32>,
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, and a name may hold anything, parentheses too.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(Stat {
        parent: fields.get(1)?.parse().ok(),
        started: fields.get(19)?.parse().ok()?,
    })
}

/// A worker says in its title that it is shutting down, just before it closes its listening sockets.
fn accepts(pid: u32) -> bool {
    let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = String::from_utf8_lossy(&title);
    title.starts_with("nginx: worker process") && !title.contains("shutting down")
}
