//! The wire: frames, their versions, and their conversion to and from the core (`docs/protocol.md`).
//!
//! - [`client`]: what a client says: the handshake, requests, `ping`. Everything is checked against its bound here, so
//!   that nothing behind has to.
//! - [`server`]: what the server says: views, replies, `bye`.
//!
//! Both directions are encoded and decoded, for the server, the Rust SDK, and the tests of either. Text goes in and
//! out; the core's own types stand in between.

mod ask;
pub mod client;
mod fields;
mod json;
mod media;
pub mod server;
mod value;
mod view;
mod word;

pub use client::{ClientFrame, Handshake, Malformed, Reader, Request, Terms, Token};
pub use media::{IceServer, SIGNAL_BYTES};
pub use server::{Bye, ByeCode, Done, Greeting, ServerFrame, opening};

use ringback_core::limits::Limits;

/// The version of the wire that this crate speaks (V5).
pub const VERSION: u32 = 1;

/// The lowest version that is still served (V5).
pub const LOWEST: u32 = 1;

/// Bytes that a frame to the server may have: 64 KiB, or 256 KiB if more than 100 invitees are allowed (spec §10).
pub const fn frame_bytes(limits: &Limits) -> usize {
    if limits.invitees > 100 { 256 * 1024 } else { 64 * 1024 }
}
