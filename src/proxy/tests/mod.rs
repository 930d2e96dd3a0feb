//! The data plane in this process, between small services and clients on real sockets.

mod failures;
mod interim;
mod messages;
mod resting;
mod routing;
mod smuggling;
mod switching;
mod tls;
mod websockets;
mod world;
