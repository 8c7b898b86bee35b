//! `ringback bench`, tiny: that it measures what it says, and leaves nothing behind. Never how fast it goes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A folder beside what is built: on a disk, where the system's own folder for such things may be none.
fn disk() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringback"));
    command.env_clear().arg("bench").args(arguments);
    command
}

/// Runs it over `data` with `--json`, and gives the one object that it prints.
fn figures(arguments: &[&str], data: &Path) -> Value {
    let output = bench(arguments).arg("--json").arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The processes that were started with a path below this folder.
fn processes(below: &Path) -> Vec<u32> {
    let pids =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let names = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&format!("{}/ringback-bench-", below.display()))
    };
    pids.filter(names).collect()
}

/// Starts one that would run for a minute, and waits until its server runs.
fn started(data: &Path) -> Child {
    let arguments = ["ring-cycle", "--pairs", "2", "--seconds", "60", "--json", "--data"];
    let child = bench(&arguments).arg(data).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("the server runs", || !processes(data).is_empty());
    child
}

/// There is no event to wait for in another process's children.
fn until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain until {what}");
}

#[test]
fn a_ring_cycle_is_measured_against_the_relay() {
    let data = disk();
    let found = figures(&["ring-cycle", "--pairs", "4", "--rounds", "1", "--seconds", "0.5"], data.path());
    assert_eq!(found["bench"], "ring-cycle");
    assert_eq!(found["pairs"], 4);
    // Four requests, and each answered by a reply and a view, and by a view to the other side.
    assert_eq!(found["frames_per_cycle"], 16.0);
    for figure in ["cycles_per_s", "server_cpu_us_per_cycle", "relay_cpu_us_per_cycle", "fsync_us"] {
        assert!(found[figure].as_f64().unwrap() > 0.0, "{figure} in {found}");
    }
    let figure = |name: &str| found[name].as_f64().unwrap();
    let ratio = figure("server_cpu_us_per_cycle") / figure("relay_cpu_us_per_cycle");
    assert!((figure("ratio_to_relay") - ratio).abs() < 0.05 * ratio, "{found}");
    assert!(figure("ratio_to_relay") > 1.0, "the relay does less than the server: {found}");
    assert!(figure("invite_to_ring_p50_us") > 0.0);
    assert!(figure("invite_to_ring_p50_us") <= figure("invite_to_ring_p99_us"));
    assert!(figure("bytes_per_cycle") > 16.0 * 100.0, "{found}");
    assert_eq!(found["goal_met"], figure("ratio_to_relay") <= 2.0);
    assert_ne!(found["file_system"], "tmpfs");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn idle_users_are_measured_in_memory() {
    let data = disk();
    let found = figures(&["idle", "--connections", "50", "--settle", "0.5"], data.path());
    assert_eq!(found["connections"], 50);
    let figure = |name: &str| found[name].as_u64().unwrap();
    let more = figure("private_bytes_after") - figure("private_bytes_before");
    assert_eq!(figure("user_bytes_per_connection"), more / 50);
    assert!((500..200_000).contains(&figure("user_bytes_per_connection")), "{found}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn a_table_names_the_disk_and_the_goal() {
    let data = disk();
    let output = bench(&["idle", "--connections", "2", "--settle", "0.1", "--data"]).arg(data.path()).output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    for part in ["fsync", "user_bytes_per_connection", "the goal, under 8192"] {
        assert!(table.contains(part), "{part} in {table}");
    }
    assert_eq!(said(&output).contains("debug build"), cfg!(debug_assertions));
}

#[test]
fn a_disk_that_keeps_nothing_is_refused_with_what_to_do() {
    let output = bench(&["ring-cycle", "--data", "/dev/shm"]).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("tmpfs") && said(&output).contains("--data DIR"), "{}", said(&output));
}

#[test]
fn more_connections_than_open_files_are_refused_with_what_to_do() {
    let data = disk();
    let limited = format!(
        "ulimit -n 200 && exec '{}' bench idle --connections 1000 --data '{}'",
        env!("CARGO_BIN_EXE_ringback"),
        data.path().display()
    );
    let output = Command::new("sh").arg("-c").arg(limited).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("ulimit -n"), "{}", said(&output));
}

#[test]
fn stopped_by_ctrl_c_it_leaves_nothing_behind() {
    let data = disk();
    let bench = started(data.path());
    assert!(Command::new("kill").args(["-INT", &bench.id().to_string()]).status().unwrap().success());
    let output = bench.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("stopped"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    until("its server is gone", || processes(data.path()).is_empty());
}

#[test]
fn killed_it_takes_its_server_along() {
    let data = disk();
    let mut bench = started(data.path());
    bench.kill().unwrap();
    bench.wait().unwrap();
    until("its server is gone", || processes(data.path()).is_empty());
}

#[test]
fn help_teaches_by_examples() {
    let help = |arguments: &[&str]| String::from_utf8(bench(arguments).output().unwrap().stdout).unwrap();
    let all = help(&["--help"]);
    assert!(all.contains("ring-cycle") && all.contains("idle"), "{all}");
    assert!(!all.contains("relay") && !all.contains("pinned"), "its own processes are nobody's business: {all}");
    for (name, example) in [("ring-cycle", "bench ring-cycle --data"), ("idle", "bench idle --connections")] {
        let help = help(&[name, "--help"]);
        assert!(help.contains("Examples:") && help.contains(example), "{help}");
    }
}
