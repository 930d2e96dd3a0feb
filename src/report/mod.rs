//! What happened, in words, and who is told: every event of a deployment as people read it, the same in every place.
//!
//! In reading order: `wording` is what the pusher's terminal shows; `news` are the facts of one turn, `message` puts them
//! into words once, `escape` makes them harmless for each place; `audience` is who hears what, `target` whom that is;
//! `forges`, `chats`, `mail` and `webhook` are the places, `wire` how they are spoken to, `memory` what they were told, `ping`
//! how the server is asked whether forges reach it, `otlp` a deployment as a trace.

mod approval;
mod audience;
mod changed;
mod chats;
mod ci;
mod dora;
mod escape;
mod example;
mod forges;
mod mail;
mod memory;
mod message;
mod moments;
mod news;
mod otlp;
mod ping;
mod tame;
mod target;
mod timing;
mod webhook;
mod wire;
mod wording;

pub use approval::{answered, asks, brings, goes_on, how_to_answer};
pub use audience::{Audience, COMMENTS, DEPLOYMENTS, STATUSES};
pub use changed::changed;
pub use chats::{APPROVE, REJECT};
pub use ci::waits_for_ci;
pub use dora::{Dora, dora};
pub use example::example;
pub use forges::{GitHubApi, GitLabApi, GiteaApi, Review, Reviewer};
pub use memory::Memory;
pub use moments::{ago, span};
pub use news::{COMMITS, Changes, News, Outcome, StepTold};
pub use otlp::{Collector, traceparent};
pub use ping::ping;
pub use tame::{Tamer, one_line};
pub use target::{Target, targets, whisper};
pub use timing::{Timed, Trace};
pub use wire::{Refusal, Retry, Wire};
pub use wording::{
    Line, Tone, duration, ending, failure_after_output, failure_report, headline, held_back, line,
    outcome, receipt, short_ref, what,
};
