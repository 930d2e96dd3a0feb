//! How a supervisor comes to its service: it starts it, or takes over one that runs.

use super::control::Control;
use super::keeper::{Keeper, PATIENCE};
use super::life::FIRST_WAIT;
use super::log::Log;
use super::mask::Mask;
use super::phase::{Main, Phase};
use super::{Failed, Tried, child, events, output};
use crate::service::exit::Exit;
use crate::service::place::Place;
use crate::service::wire::{Launch, MARKER, State, Status};
use crate::system::cgroup::Group;
use crate::system::files::AtPath;
use crate::system::process::{Identity, PidFd, Tree};
use nix::fcntl::Flock;
use std::fs::File;
use std::time::Instant;

impl Keeper {
    /// Starts the service that is described on the input.
    pub fn start(place: Place) -> Result<Keeper, Failed> {
        let launch: Launch = serde_json::from_reader(std::io::stdin().lock())
            .map_err(std::io::Error::from)
            .tried("read what to start")?;
        let lock = place.lock().tried("lock the service's folder")?;
        let lock = lock.ok_or(Failed::Held)?;
        let killed = clear_remains(&place)?;
        place.write_launch(&launch)?;
        let group = Group::create(&launch.id);
        let mut keeper = Keeper::prepare(place, lock, launch, group)?;
        if killed > 0 {
            let text = format!("killed {killed} processes that an earlier start had left behind");
            keeper.log.note(&text);
        }
        keeper.run()?;
        keeper.open_control()?;
        keeper.save();
        Ok(keeper)
    }

    /// Takes over the service that the folder describes, whose supervisor is gone.
    pub fn adopt(place: Place) -> Result<Keeper, Failed> {
        let lock = place.lock().tried("lock the service's folder")?;
        let lock = lock.ok_or(Failed::Held)?;
        let launch = place.read_launch()?;
        let before = place
            .read_status()
            .filter(|before| before.can_be_adopted() && before.id == launch.id)
            .ok_or(Failed::Gone)?;
        let held = match before.service.map(PidFd::open).transpose() {
            Ok(held) => held.flatten(),
            Err(error) => return Err(error).tried("take hold of the service"),
        };
        let removed = before
            .service
            .and_then(|who| output::removed(&place.fifo(), who.pid));
        let mut keeper = Keeper::prepare(place, lock, launch, before.group.clone())?;
        if let Some(output) = removed {
            keeper.output = output;
        }
        keeper.oom_before = keeper.oom_kills();
        keeper.status = Status {
            supervisor: Identity::own(),
            adopted: true,
            state: State::Running,
            ..before
        };
        keeper.log.note("a new supervisor has taken over");
        match (keeper.status.service, held) {
            (Some(who), Some(held)) if who.is_alive() => keeper.main = Main::Adopted(who, held),
            _ => keeper.on_end(Exit::unknown(
                "ended while it had no supervisor, so how is not known",
            )),
        }
        if !matches!(keeper.phase, Phase::Ended) {
            keeper.open_control()?;
            keeper.save();
        }
        Ok(keeper)
    }

    fn prepare(
        place: Place,
        lock: Flock<File>,
        launch: Launch,
        group: Option<Group>,
    ) -> Result<Keeper, Failed> {
        let owner = child::user_of(launch.spec.run_as.as_deref());
        let output = output::reader(&place.fifo(), owner).tried("make the service's output")?;
        let log = Log::open(&launch.spec.log).at("open the log", &launch.spec.log)?;
        let signals = events::signals().tried("receive signals")?;
        Ok(Keeper {
            status: Status::new(launch.id.clone(), group.clone()),
            mask: Mask::new(&launch.spec.mask),
            place,
            launch,
            main: Main::None,
            phase: Phase::Running,
            log,
            output,
            control: Control::closed(),
            signals,
            group,
            lock: Some(lock),
            started: Instant::now(),
            next_wait: FIRST_WAIT,
            oom_before: 0,
            missed: Default::default(),
        })
    }

    fn open_control(&mut self) -> Result<(), Failed> {
        let path = self.place.socket();
        match self.control.open(&path) {
            Ok(()) => Ok(()),
            Err(error) => {
                // A service that nobody could ask to stop must not stay.
                let _ = self.tree().kill(PATIENCE, || drop(events::collect()));
                Err(error).at("listen at", &path).map_err(Failed::from)
            }
        }
    }
}

/// What a service of this name left behind when it and its supervisor were killed together is killed before the next one
/// starts. A main process that still runs is to be taken over, not ours to kill.
fn clear_remains(place: &Place) -> Result<usize, Failed> {
    let Some(before) = place.read_status().filter(Status::is_of_this_boot) else {
        return Ok(0);
    };
    if before.service.is_some_and(Identity::is_alive) {
        return Err(Failed::Held);
    }
    let remains = Tree {
        marker: Some(format!("{MARKER}={}", before.id)),
        group: before.group.clone(),
        ..Tree::default()
    };
    let killed = remains.kill(PATIENCE, || ())?;
    if let Some(group) = before.group {
        group.remove();
    }
    Ok(killed)
}
