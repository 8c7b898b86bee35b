//! The story over a real server: ring, miss, notification, click, dial back, answer; and what breaks in between.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that can't be set up has failed

mod broken;
mod media;
mod signing;
mod stage;
mod together;
