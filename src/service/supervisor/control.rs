//! The supervisor's socket: orders in, one line each; answers out. No client can hold the supervisor up.

use crate::service::wire::{Ended, Order, Reply};
use crate::system::socket;
use nix::poll::{PollFd, PollFlags};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// An order is short.
const LONGEST: usize = 4096;
/// More than any server has open; one more is closed at once.
const CLIENTS: usize = 64;

pub(super) struct Control {
    listener: Option<UnixListener>,
    clients: Vec<Client>,
    next: u64,
}

struct Client {
    name: u64,
    stream: UnixStream,
    input: Vec<u8>,
    /// The client wants to hear of the exit after this many.
    watches: Option<u64>,
    wants_end: bool,
    gone: bool,
}

impl Control {
    /// Without a socket: nobody can order anything yet.
    pub fn closed() -> Control {
        Control {
            listener: None,
            clients: Vec::new(),
            next: 0,
        }
    }

    pub fn open(&mut self, path: &Path) -> io::Result<()> {
        let listener = socket::bind(path)?;
        listener.set_nonblocking(true)?;
        self.listener = Some(listener);
        Ok(())
    }

    pub fn poll_fds(&self) -> Vec<PollFd<'_>> {
        let streams = self.clients.iter().map(|client| client.stream.as_fd());
        self.listener
            .iter()
            .map(AsFd::as_fd)
            .chain(streams)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect()
    }

    /// Takes what has come in: each order with the name of its client.
    pub fn orders(&mut self) -> Vec<(u64, Order)> {
        self.accept();
        let mut orders = Vec::new();
        for client in &mut self.clients {
            client.read();
            while let Some(end) = client.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = client.input.drain(..=end).collect();
                match serde_json::from_slice(&line) {
                    Ok(order) => orders.push((client.name, order)),
                    Err(error) => client.send(&Reply::Refused(error.to_string())),
                }
            }
            client.gone |= client.input.len() > LONGEST;
        }
        self.clients.retain(|client| !client.gone);
        orders
    }

    pub fn reply(&mut self, name: u64, reply: &Reply) {
        if let Some(client) = self.client(name) {
            client.send(reply);
        }
    }

    /// The client hears of the next exit after this many.
    pub fn watch(&mut self, name: u64, after: u64) {
        if let Some(client) = self.client(name) {
            client.watches = Some(after);
        }
    }

    /// The client hears when the service has been stopped.
    pub fn await_end(&mut self, name: u64) {
        if let Some(client) = self.client(name) {
            client.wants_end = true;
        }
    }

    /// Tells all who wait for it of an exit.
    pub fn exited(&mut self, count: u64, ended: &Ended) {
        for client in &mut self.clients {
            if client.watches.is_some_and(|after| after < count) {
                client.watches = None;
                let ended = ended.clone();
                client.send(&Reply::Exited { count, ended });
            }
        }
    }

    /// Answers all who wait for the service's end.
    pub fn ended(&mut self, reply: &Reply) {
        for client in self.clients.iter_mut().filter(|client| client.wants_end) {
            client.wants_end = false;
            client.send(reply);
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else {
            return;
        };
        while let Ok((stream, _)) = listener.accept() {
            if self.clients.len() >= CLIENTS || stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.next += 1;
            self.clients.push(Client {
                name: self.next,
                stream,
                input: Vec::new(),
                watches: None,
                wants_end: false,
                gone: false,
            });
        }
    }

    fn client(&mut self, name: u64) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.name == name)
    }
}

impl Client {
    fn read(&mut self) {
        let mut piece = [0; 1024];
        while self.input.len() <= LONGEST {
            match self.stream.read(&mut piece) {
                Ok(0) => {
                    self.gone = true;
                    return;
                }
                Ok(length) => self.input.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.gone |= error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }

    /// An answer fits into the socket's own room; a client that does not take it is let go.
    fn send(&mut self, reply: &Reply) {
        let line = serde_json::to_vec(reply).map(|mut line| {
            line.push(b'\n');
            line
        });
        let sent = line
            .map_err(io::Error::from)
            .and_then(|line| self.stream.write_all(&line));
        self.gone |= sent.is_err();
    }
}
