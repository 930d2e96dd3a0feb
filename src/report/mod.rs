//! What happened, in words: every event of a deployment as people read it, the same in every place.

mod wording;

pub use wording::{
    Line, Tone, duration, ending, failure_report, headline, held_back, line, receipt,
};
