use super::{Event, State};
use std::fmt;

/// A turn in a deployment's life that people and machines elsewhere are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// It waits for its environment.
    Queued,
    /// It waits for something else: CI, a freeze to end, somebody's yes.
    Waiting,
    /// It began.
    Started,
    /// A step began.
    Step,
    /// It serves, and held.
    Live,
    /// It ended before the switch.
    Failed,
    /// It ended after the switch.
    RolledBack,
    /// A newer push took its place.
    Superseded,
    /// Somebody stopped it.
    Cancelled,
    /// The server stopped under it.
    Interrupted,
}

impl Moment {
    const ALL: [Moment; 10] = [
        Moment::Queued,
        Moment::Waiting,
        Moment::Started,
        Moment::Step,
        Moment::Live,
        Moment::Failed,
        Moment::RolledBack,
        Moment::Superseded,
        Moment::Cancelled,
        Moment::Interrupted,
    ];

    /// The turn that an event is, if it is one.
    pub fn of(event: &Event) -> Option<Moment> {
        match event {
            Event::State { to, .. } => Moment::of_state(*to),
            Event::StepStarted { .. } => Some(Moment::Step),
            _ => None,
        }
    }

    fn of_state(state: State) -> Option<Moment> {
        match state {
            State::Queued => Some(Moment::Queued),
            State::Waiting | State::Approval => Some(Moment::Waiting),
            State::Running => Some(Moment::Started),
            // The steps of the switch and of the observation tell these.
            State::Switching | State::Observing => None,
            State::Live => Some(Moment::Live),
            State::Failed => Some(Moment::Failed),
            State::RolledBack => Some(Moment::RolledBack),
            State::Superseded => Some(Moment::Superseded),
            State::Cancelled => Some(Moment::Cancelled),
            State::Interrupted => Some(Moment::Interrupted),
        }
    }

    /// Whether nothing follows it.
    pub fn is_end(self) -> bool {
        !matches!(
            self,
            Moment::Queued | Moment::Waiting | Moment::Started | Moment::Step
        )
    }

    /// Whether it decides if what was pushed is live: what a state change of an app is counted by.
    pub fn is_outcome(self) -> bool {
        matches!(self, Moment::Live | Moment::Failed | Moment::RolledBack)
    }

    /// The word that the database keeps and that webhooks are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Moment::Queued => "queued",
            Moment::Waiting => "waiting",
            Moment::Started => "started",
            Moment::Step => "step",
            Moment::Live => "live",
            Moment::Failed => "failed",
            Moment::RolledBack => "rolled_back",
            Moment::Superseded => "superseded",
            Moment::Cancelled => "cancelled",
            Moment::Interrupted => "interrupted",
        }
    }

    /// The turn of that word, if it is one.
    pub fn from_word(word: &str) -> Option<Moment> {
        Moment::ALL
            .into_iter()
            .find(|moment| moment.as_str() == word)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_final_state_is_an_end_and_every_word_is_read_back() {
        for state in State::ALL {
            let is_end = Moment::of_state(state).is_some_and(Moment::is_end);
            assert_eq!(is_end, state.is_final(), "{state}");
        }
        for moment in Moment::ALL {
            assert_eq!(Moment::from_word(moment.as_str()), Some(moment));
        }
    }
}
