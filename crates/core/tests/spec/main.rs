//! The core against its specification. Every expectation here is written from a clause, never taken from the code.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test says what is wrong by failing

mod calls;
mod check;
mod engine;
mod histories;
mod lines;
mod media;
mod missed;
mod people;
mod server;
mod table;
mod turns;
mod views;
