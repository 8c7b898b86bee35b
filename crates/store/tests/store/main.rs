//! The conformance suite on every backend, and what is SQLite's own.

// A test may end where something can't go on; clippy.toml knows that of functions marked #[test] alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod conformance;
mod folding;
mod killed;
mod memory;
mod records;
mod sqlite;
