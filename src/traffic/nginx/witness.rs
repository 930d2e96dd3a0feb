use super::NginxError;
use super::ask::{Block, Seen, ask};
use super::text;
use super::workers::Workers;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a reload may take to show.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The pause between two questions while the old workers are still there.
const PACE: Duration = Duration::from_millis(15);

/// Answers in a row, each over a new connection, that are enough where workers cannot be watched.
const IN_A_ROW: u32 = 8;

/// Sees what nginx does, rather than what it says.
#[derive(Debug)]
pub(super) struct Witness {
    verify: SocketAddr,
}

/// What has to be seen before a change counts.
pub(super) enum Wanted {
    /// No block of this environment.
    Gone,
    /// A block of this generation, and these services behind it, which answer unless they may be `silent`.
    Block {
        generation: String,
        upstreams: Vec<String>,
        silent: bool,
    },
}

impl Witness {
    /// Looks at the loopback blocks on this address.
    pub(super) fn new(verify: SocketAddr) -> Self {
        Witness { verify }
    }

    /// The workers that accept now, which a reload is to replace.
    pub(super) async fn workers(&self) -> Workers {
        match ask(self.verify, text::BASE_NAME).await {
            Seen::Block(block) => Workers::beside(block.worker),
            Seen::Other(_) => Workers::default(),
        }
    }

    /// Whether Teal's base block answers; else what does.
    pub(super) async fn base(&self) -> Result<(), String> {
        let seen = ask(self.verify, text::BASE_NAME).await;
        match Wanted::base().is(&seen) {
            true => Ok(()),
            false => Err(seen.words()),
        }
    }

    /// Waits until none of the old workers accepts, and only what is wanted answers.
    pub(super) async fn see(
        &self,
        name: &str,
        wanted: &Wanted,
        old: &Workers,
    ) -> Result<(), NginxError> {
        let began = Instant::now();
        let mut in_a_row = 0;
        while in_a_row < IN_A_ROW {
            let seen = ask(self.verify, name).await;
            let unwanted = match old.still_accepting() {
                _ if !wanted.is(&seen) => seen.words(),
                Some(pid) => format!("its worker {pid} still serves the old configuration"),
                None => {
                    in_a_row += 1;
                    continue;
                }
            };
            in_a_row = 0;
            if began.elapsed() > DEADLINE {
                return Err(NginxError::NotTaken {
                    seconds: DEADLINE.as_secs(),
                    verify: self.verify,
                    seen: unwanted,
                });
            }
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }

    /// Waits until none of the old workers accepts; a short while only, for when nothing more can be done about it.
    pub(super) async fn replaced(&self, old: &Workers) {
        let began = Instant::now();
        while old.still_accepting().is_some() && began.elapsed() < DEADLINE / 5 {
            tokio::time::sleep(PACE).await;
        }
    }
}

impl Wanted {
    /// Teal's base block.
    pub(super) fn base() -> Self {
        Wanted::Block {
            generation: text::BASE.to_owned(),
            upstreams: Vec::new(),
            silent: true,
        }
    }

    fn is(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Wanted::Gone, Seen::Block(block)) => block.generation == text::BASE,
            (
                Wanted::Block {
                    generation,
                    upstreams,
                    silent,
                },
                Seen::Block(block),
            ) => {
                block.generation == *generation
                    && only_asks(block, upstreams)
                    && (*silent || upstreams.is_empty() || block.answered)
            }
            (_, Seen::Other(_)) => false,
        }
    }
}

fn only_asks(block: &Block, upstreams: &[String]) -> bool {
    block.upstreams.is_empty() == upstreams.is_empty()
        && block.upstreams.iter().all(|one| upstreams.contains(one))
}
