//! Durable before visible, as the system saw it: the log is synced before the reply is written to its socket.

use crate::client::Client;
use crate::server::Server;
use serde_json::json;
use std::process::Command;
use tempfile::TempDir;

/// Runs the server under strace while Alice rings Bob, and returns what strace saw.
async fn trace() -> Vec<String> {
    let dir = TempDir::new().unwrap();
    let pipe = dir.path().join("trace");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let lines = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::read(pipe).unwrap())
    };
    let mut strace = Command::new("strace");
    // With -D the server is this process's own child, and strace ends with it.
    strace.args(["-D", "-f", "-yy", "-s", "400", "-e", "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"]);
    strace.arg("-o").arg(&pipe).arg(env!("CARGO_BIN_EXE_ringback"));
    let mut server = Server::run(strace, dir.path());
    let mut bob = Client::connect(server.at, "bob", "b1", json!({})).await.unwrap();
    let mut alice = Client::connect(server.at, "alice", "a1", json!({})).await.unwrap();
    let send = json!({
        "type": "send", "id": "the-one-send", "invitees": ["bob"], "call_type": "voice", "timeout_ms": 60_000,
        "custom_data": "not before the disk has it",
    });
    alice.repeat(&send).await.unwrap().unwrap();
    bob.until("the ring", |frame| frame["custom_data"] == send["custom_data"]).await.unwrap();
    server.kill();
    let trace = lines.join().unwrap();
    String::from_utf8_lossy(&trace).lines().map(str::to_owned).collect()
}

// spec: N2; design: G2
#[tokio::test]
async fn the_log_is_synced_before_anything_is_written_to_a_socket() {
    let trace = trace().await;
    let first =
        |what: &str, from: usize| trace.iter().skip(from).position(|line| line.contains(what)).map(|at| at + from);
    // Both are connected, and nothing else goes on: what is written to the log from here on is the invitation.
    let connected = trace.iter().rposition(|line| line.contains(r#"\"synced\""#)).expect("the server writes frames");
    let reply = first("the-one-send", connected).expect("the reply is written");
    let ring = first("not before the disk has it", connected).expect("the ring is written");
    let shown = reply.min(ring);
    let log = |line: &String| line.contains("pwrite64(") && line.contains("ringback.db-wal");
    let written =
        trace[connected..shown].iter().rposition(log).expect("the invitation is in the log first") + connected;
    // A call that another thread's interrupts is in two lines: only its second has the result.
    let synced = |line: &&String| line.contains("sync") && line.trim_end().ends_with("= 0");
    let synced = trace[written..shown].iter().position(|line| synced(&line)).map(|at| at + written);
    for line in &trace[connected..=reply.max(ring)] {
        println!("{}", line.chars().take(160).collect::<String>());
    }
    assert!(synced.is_some(), "written in line {written}, shown in line {shown}, and not synced in between");
}
