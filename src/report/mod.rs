//! What happened, in words: every event of a deployment as people read it, the same in every place.

mod timing;
mod wording;

pub use timing::{Timed, Trace};
pub use wording::{
    Line, Tone, duration, ending, failure_report, headline, held_back, line, receipt,
};
