//! The binary itself: how it starts, how it refuses to, and how it stops.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The binary, with nothing of this machine's environment.
fn ringback(arguments: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.env_clear().args(arguments).arg("--data").arg(data);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts a server on a free port, and reads the links that it prints.
fn serve(data: &Path) -> (Child, Vec<String>) {
    let mut command = ringback(&["serve", "--listen", "127.0.0.1:0"], data);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let links = lines.take_while(|line| !line.starts_with("Everything")).filter(|line| line.contains("http://"));
    let links = links.map(|line| line.trim().to_owned()).collect();
    (child, links)
}

#[cfg(unix)]
fn terminate(mut child: Child) {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "stopped in good order");
}

#[test]
#[cfg(unix)]
fn it_prints_a_link_each_and_stops_when_told() {
    let data = tempfile::tempdir().unwrap();
    let (child, links) = serve(data.path());
    let names: Vec<_> = links.iter().map(|link| link.rsplit('/').nth(1).unwrap()).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    terminate(child);
    let (child, _) = serve(data.path());
    terminate(child);
}

// spec: E (§10): a connection is a file, and a shell lets a process have 1,024 of them.
#[test]
#[cfg(target_os = "linux")]
fn it_makes_room_for_its_connections_or_says_that_there_is_none() {
    let start = |limit: &str, data: &Path| {
        let run = format!("ulimit {limit} && exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &run, env!("CARGO_BIN_EXE_ringback")]).arg(data).env_remove("RINGBACK_LOG");
        shell.envs([("RINGBACK_SECRET", "0123456789abcdef0123456789abcdef"), ("RINGBACK_MAX_CONNECTIONS", "1900")]);
        let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        lines.find(|line| line.contains("listens on")).expect("it runs");
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
        let soft = files.split_whitespace().next().unwrap().to_owned();
        let log = child.stderr.take().unwrap();
        terminate(child);
        (soft, std::io::read_to_string(log).unwrap())
    };
    let data = tempfile::tempdir().unwrap();
    let (soft, log) = start("-S -n 256", data.path());
    assert_eq!(soft, "2000");
    assert!(!log.contains("open files"), "{log}");
    let (soft, log) = start("-n 300", data.path());
    assert_eq!(soft, "300");
    assert!(log.contains("takes 2000 open files, and this process may have 300"), "{log}");
}

#[test]
#[cfg(unix)]
fn a_data_directory_in_use_is_said_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let (child, _) = serve(data.path());
    let second = ringback(&["--listen", "127.0.0.1:0"], data.path()).output().unwrap();
    terminate(child);
    assert!(!second.status.success());
    assert!(said(&second).contains("--data"), "{}", said(&second));
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = ringback(&["serve", "--listen", &address], data.path()).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("in use") && said(&output).contains("--listen"), "{}", said(&output));
}

#[test]
fn an_address_that_others_reach_needs_a_secret() {
    let data = tempfile::tempdir().unwrap();
    let output = ringback(&["serve", "--listen", "0.0.0.0:0"], data.path()).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("--secret-file"), "{}", said(&output));
}

#[test]
fn a_token_is_one_line() {
    let data = tempfile::tempdir().unwrap();
    let secret = data.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    let with = ["token", "alice", "--name", "Alice", "--valid-for", "7d", "--secret-file", secret.to_str().unwrap()];
    let output = ringback(&with, data.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let token = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!((token.lines().count(), token.trim().split('.').count()), (1, 3));
    assert!(!said(&output).contains("0123456789abcdef"));
}

#[test]
#[cfg(unix)]
fn a_token_of_development_mode_is_signed_with_the_key_that_a_server_made() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = data.path().join("elsewhere");
    let output = ringback(&["token", "alice"], &elsewhere).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("no development key in") && said(&output).contains("--data"), "{}", said(&output));
    assert!(!elsewhere.exists(), "it makes nothing there");
    let (child, _) = serve(data.path());
    terminate(child);
    let output = ringback(&["token", "alice"], data.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
