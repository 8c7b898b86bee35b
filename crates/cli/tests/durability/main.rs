//! The real binary on a real disk: what it acknowledged is kept, and is kept before it shows.

// A test may end where something can't go on; clippy.toml knows that of functions marked #[test] alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod killed;
mod server;
mod stored;
#[cfg(target_os = "linux")]
mod traced;
mod traffic;
