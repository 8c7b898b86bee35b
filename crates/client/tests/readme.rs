//! The README's example: the file that it shows is the one that is built, and it does what it says.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that can't be set up has failed

use ringback_client::{CallEvent, CallInvitationService, Events, Init, SendOptions};
use ringback_server::testing::{PATIENCE, TestServer, token};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

fn hour() -> ringback_core::time::Timestamp {
    ringback_server::wall() + Duration::from_secs(3600)
}

/// The example as a process of its own.
fn answers(server: &TestServer, user: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    // target/debug/deps/readme-… and target/debug/examples/answer, which cargo builds with the tests of the package.
    let this = std::env::current_exe().unwrap();
    let example: PathBuf =
        this.ancestors().nth(2).unwrap().join("examples").join(format!("answer{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(&example);
    command.args([&format!("http://{}", server.address()), user, &token(user, hour())]);
    let child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples", example.display()));
    let says = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, says)
}

async fn says(lines: &mut Lines<BufReader<ChildStdout>>, what: &str) {
    let found = timeout(PATIENCE, async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended without {what:?}"));
            if line.contains(what) {
                return;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("waited in vain for {what:?}"));
}

async fn told(events: &mut Events, what: &str, wanted: impl Fn(&CallEvent) -> bool) {
    let found = timeout(PATIENCE, async { while !wanted(&events.next().await.expect("the service lives")) {} });
    found.await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

#[test]
fn the_readme_shows_the_example_as_it_is_built() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../examples/answer.rs");
    assert!(readme.contains(&format!("```rust\n{example}```\n")), "README.md and examples/answer.rs differ");
}

// spec: S4, S12, D4
#[tokio::test]
async fn the_example_answers_and_calls_back() {
    let server = TestServer::start().await;
    let init = Init::new(format!("http://{}", server.address()), "alice", token("alice", hour()));
    let alice = CallInvitationService::init(init).await.unwrap();
    let mut events = alice.events();
    timeout(PATIENCE, alice.connected()).await.unwrap().unwrap();

    // Missed before it runs; called back once it does.
    alice.send(SendOptions::to(["bob"])).await.unwrap();
    alice.end(None).await.unwrap();
    let (_bob, mut bob) = answers(&server, "bob");
    says(&mut bob, "Alice was missed: Ok(Called").await;
    told(&mut events, "the call back", |event| matches!(event, CallEvent::IncomingCallReceived { .. })).await;
    alice.accept(None).await.unwrap();
    alice.leave(None).await.unwrap();
    says(&mut bob, "CallEnded").await;

    alice.send(SendOptions::to(["bob"])).await.unwrap();
    told(&mut events, "the answer", |event| matches!(event, CallEvent::OutgoingCallAccepted { .. })).await;
    says(&mut bob, "Alice calls: Ok(Accepted").await;
}
