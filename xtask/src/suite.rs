//! `cargo xtask test`: what is checked, in which order, and how long it took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::needs::{self, Need};
use crate::shell::{self, Shell};
use crate::spec;
use crate::twin;

/// One step of the suite.
struct Step {
    name: &'static str,
    /// What it shows, in a few words.
    shows: &'static str,
    needs: &'static [Need],
    run: fn(&Shell) -> Result<()>,
}

/// The projects that TypeScript checks.
const TYPED: [&str; 4] =
    ["web/tsconfig.json", "web/tsconfig.sw.json", "demo/tsconfig.json", "tests/browser/tsconfig.json"];

/// Quickest first, so that what is wrong shows early.
const STEPS: &[Step] = &[
    Step { name: "fmt", shows: "the code is formatted", needs: &[], run: |shell| shell.cargo("fmt --all --check") },
    Step { name: "spec", shows: "each built clause of the spec is cited by a test", needs: &[], run: spec::check },
    Step { name: "types", shows: "the types of the JavaScript hold", needs: &[Need::Node], run: types },
    Step { name: "web", shows: "the browser SDK's own tests pass", needs: &[Need::Node], run: web },
    Step {
        name: "lint",
        shows: "clippy has nothing to say",
        needs: &[Need::Compiler],
        run: |shell| shell.cargo("clippy --quiet --workspace --all-targets --locked -- -D warnings"),
    },
    Step {
        name: "doc",
        shows: "the documentation builds, and its links lead somewhere",
        needs: &[Need::Compiler],
        run: doc,
    },
    Step {
        name: "test",
        shows: "the Rust tests pass: tables, properties, models, stores, a real server",
        needs: &[Need::Compiler, Need::Strace, Need::Terminal],
        run: |shell| shell.cargo("test --quiet --workspace --locked"),
    },
    Step {
        name: "planted",
        shows: "the model check finds each fault that is planted in the core",
        needs: &[Need::Compiler],
        run: |shell| shell.cargo("test --quiet --locked -p ringback-core --features planted --test model"),
    },
    Step {
        name: "twin",
        shows: "the device's two machines, in Rust and in JavaScript, do the same",
        needs: &[Need::Compiler, Need::Node],
        run: |_| twin::check(),
    },
    Step {
        name: "browser",
        shows: "a real Chromium runs the story by clicks",
        needs: &[Need::Node, Need::Browser, Need::Readme],
        run: browser,
    },
    Step {
        name: "deny",
        shows: "licences and sources of what we depend on are allowed",
        needs: &[Need::Compiler, Need::Deny],
        run: deny,
    },
];

/// Runs the steps that the arguments choose, and stops at the first that fails.
pub(crate) fn test(shell: &Shell, args: &[String]) -> Result<()> {
    let Some(steps) = chosen(args)? else {
        for step in STEPS {
            println!("{:<10}{}", step.name, step.shows);
        }
        return Ok(());
    };
    let mut needs: Vec<Need> = Vec::new();
    for need in steps.iter().flat_map(|step| step.needs) {
        if !needs.contains(need) {
            needs.push(*need);
        }
    }
    let mut took = vec![("needs", timed("needs", "what the tests need is here", || needs::provide(shell, &needs))?)];
    for step in &steps {
        let time = timed(step.name, step.shows, || (step.run)(shell));
        let time = time.with_context(|| format!("`{}` failed; alone: cargo xtask test --only {0}", step.name))?;
        took.push((step.name, time));
    }
    let all: Duration = took.iter().map(|(_, time)| *time).sum();
    println!("\nall of it passed");
    for (name, time) in took {
        println!("{name:<10}{:>7.1} s", time.as_secs_f64());
    }
    println!("{:<10}{:>7.1} s", "together", all.as_secs_f64());
    Ok(())
}

/// The steps that the arguments ask for; nothing if they ask for the list.
fn chosen(args: &[String]) -> Result<Option<Vec<&'static Step>>> {
    let mut steps: Vec<&Step> = STEPS.iter().collect();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (flag, value) = arg.split_once('=').map_or((arg.as_str(), None), |(flag, value)| (flag, Some(value)));
        if flag == "--list" {
            return Ok(None);
        }
        let only = match flag {
            "--only" => true,
            "--skip" => false,
            other => bail!("`cargo xtask test` knows --list, --only STEPS and --skip STEPS, and not `{other}`"),
        };
        let names = value.or_else(|| args.next().map(String::as_str));
        let names: Vec<&str> =
            names.with_context(|| format!("{flag} wants names of steps, as in {flag} lint,test"))?.split(',').collect();
        if let Some(unknown) = names.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
            bail!("there is no step `{unknown}`; `cargo xtask test --list` has them");
        }
        steps.retain(|step| names.contains(&step.name) == only);
    }
    Ok(Some(steps))
}

/// Runs a step between two lines that say what it is and how long it took.
#[expect(clippy::disallowed_methods, reason = "a chore's time is for people to read; nothing is decided by it")]
fn timed(name: &str, shows: &str, run: impl FnOnce() -> Result<()>) -> Result<Duration> {
    println!("\n── {name}: {shows}");
    let begun = Instant::now();
    run()?;
    let time = begun.elapsed();
    println!("── {name}: {:.1} s", time.as_secs_f64());
    Ok(time)
}

fn doc(shell: &Shell) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = shell.command(cargo);
    // Private items are documented too, for those who work on this; so links to them lead somewhere.
    command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    command.args("doc --quiet --workspace --no-deps --document-private-items --locked".split(' '));
    shell::run(&mut command)
}

fn deny(shell: &Shell) -> Result<()> {
    // The check itself is offline; it reads the manifests of every platform's crates.
    shell.cargo("fetch --quiet --locked")?;
    let mut command = shell.command(needs::deny_path(shell));
    // Advisories would ask a server of others, so they aren't part of this.
    command.args("--offline --log-level error check licenses bans sources".split(' '));
    shell::run(&mut command)
}

fn types(shell: &Shell) -> Result<()> {
    for project in TYPED {
        shell.run("node", &format!("node_modules/typescript/bin/tsc --noEmit -p {project}"))?;
    }
    Ok(())
}

fn web(shell: &Shell) -> Result<()> {
    let tests = shell.files("web/test", ".test.js")?.join(" ");
    shell.run("node", &format!("--test --test-reporter=spec {tests}"))
}

fn browser(shell: &Shell) -> Result<()> {
    let tests = shell.files("tests/browser", ".test.js")?.join(" ");
    on_stage(shell, &format!("node --test --test-reporter=spec --test-concurrency=1 {tests}"))
}

/// `cargo xtask picture`: makes the README's picture of the demo, from a real server and real windows.
pub(crate) fn picture(shell: &Shell) -> Result<()> {
    needs::provide(shell, &[Need::Compiler, Need::Node, Need::Browser])?;
    on_stage(shell, "node tests/browser/picture.js")
}

/// Runs a program of the browser tests where nothing but loopback can be reached, if this user may make such a place.
fn on_stage(shell: &Shell, program: &str) -> Result<()> {
    shell.cargo("build --quiet --locked --package ringback --package ringback-test-notifications")?;
    // Root makes a network namespace as it is; others need a user namespace around it.
    let mut command =
        if let Some(flag) = ["-n", "-rn"].into_iter().find(|flag| shell::succeeds("unshare", &[flag, "true"])) {
            let mut command = shell.command("unshare");
            command.args([flag, "sh", "-c", &format!("ip link set lo up && exec {program}")]);
            command
        } else {
            let mut command = shell.command("sh");
            command.args(["-c", &format!("exec {program}")]);
            command
        };
    if let Some(browser) = needs::browser() {
        command.env("CHROMIUM", browser);
    }
    command.env("TEST_RINGBACK", shell.built("ringback"));
    command.env("TEST_NOTIFICATIONS", shell.built("ringback-test-notifications"));
    // The Rust SDK, where it plays beside browsers.
    shell.cargo("build --quiet --locked --package ringback-client --example by_hand")?;
    command.env("TEST_BY_HAND", shell.built("examples/by_hand"));
    shell::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(args: &str) -> Result<Vec<&'static str>> {
        let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
        Ok(chosen(&args)?.unwrap_or_default().iter().map(|step| step.name).collect())
    }

    #[test]
    fn steps_are_chosen_by_name_and_keep_their_order() {
        assert_eq!(names("").unwrap().len(), STEPS.len());
        assert_eq!(names("--only test,fmt").unwrap(), ["fmt", "test"]);
        assert_eq!(names("--only=test,fmt --skip=test").unwrap(), ["fmt"]);
        assert!(!names("--skip browser").unwrap().contains(&"browser"));
        assert!(names("--list").unwrap().is_empty());
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert!(names("--only nothing").is_err());
        assert!(names("--only").is_err());
        assert!(names("test").is_err());
    }
}
