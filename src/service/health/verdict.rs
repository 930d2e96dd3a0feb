use super::probe::Attempt;
use crate::service::exit::Exit;
use crate::system::ports::Owner;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A service that did not become ready.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the service {cause} (after {:.1} s and {attempts} probes)", took.as_secs_f32())]
pub struct NotReady {
    /// Why.
    pub cause: Cause,
    /// When this was plain.
    pub took: Duration,
    /// After how many probes.
    pub attempts: u32,
}

/// Why a service is not ready.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// It ended.
    Exited(Exit),
    /// It listens, but not where it should.
    Elsewhere {
        /// Where it should.
        port: u16,
        /// Where it does.
        addresses: Vec<SocketAddr>,
    },
    /// The port is another's.
    Stranger {
        /// The port.
        port: u16,
        /// Who has it.
        owner: Owner,
    },
    /// The last answer, or the lack of one.
    Answer(Attempt),
    /// There was no time for a single probe.
    NoProbe,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Exited(exit) => exit.fmt(f),
            Cause::Elsewhere { port, addresses } => {
                let same_port = addresses.iter().any(|address| address.port() == *port);
                let name = |address: &SocketAddr| {
                    if same_port {
                        address.to_string()
                    } else {
                        address.port().to_string()
                    }
                };
                let mut list: Vec<String> = addresses.iter().map(name).collect();
                list.dedup();
                let list = list.join(", ");
                if same_port {
                    write!(f, "listens on {list}, not on 127.0.0.1:{port}")
                } else {
                    write!(f, "listens on {list}, not on $PORT {port}")
                }
            }
            Cause::Stranger { port, owner } => write!(
                f,
                "does not have port {port}: {owner} answers there, which is none of its own and was left alone"
            ),
            Cause::Answer(attempt) => attempt.fmt(f),
            Cause::NoProbe => f.write_str("could not be probed in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(address: &str) -> String {
        Cause::Elsewhere {
            port: 3002,
            addresses: vec![address.parse().unwrap()],
        }
        .to_string()
    }

    #[test]
    fn another_port_or_address_is_named() {
        assert_eq!(
            elsewhere("0.0.0.0:3000"),
            "listens on 3000, not on $PORT 3002"
        );
        assert_eq!(
            elsewhere("[::1]:3002"),
            "listens on [::1]:3002, not on 127.0.0.1:3002"
        );
    }
}
