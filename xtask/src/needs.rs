//! What a step needs on the machine: found, installed where that may be done, else asked for by name.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Shell};

/// Something that a step of the suite needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A C compiler: the linker, and the bundled SQLite.
    Compiler,
    /// `strace`, by which the server's tests see an fsync come before the reply.
    Strace,
    /// `tmux`, a real terminal for the command line's tests.
    Terminal,
    /// Node.js with npm, and the packages of package.json.
    Node,
    /// Chrome or Chromium, a private session bus, a screen with dunst and a mouse, and a TURN server.
    Browser,
    /// cargo-deny, at the version that CI uses.
    Deny,
    /// What the README's snippets are for: web servers that speak TLS, a certificate, Python.
    Readme,
}

/// A program, and the Debian package that has it.
struct Tool {
    command: &'static str,
    package: &'static str,
}

const fn tool(command: &'static str, package: &'static str) -> Tool {
    Tool { command, package }
}

const DENY: &str = "0.20.2";
const BROWSERS: [&str; 4] = ["google-chrome-stable", "google-chrome", "chromium", "chromium-browser"];
const LOWEST_NODE: u32 = 20;

impl Need {
    fn tools(self) -> &'static [Tool] {
        const COMPILER: &[Tool] = &[tool("cc", "gcc")];
        const STRACE: &[Tool] = &[tool("strace", "strace")];
        const TERMINAL: &[Tool] = &[tool("tmux", "tmux")];
        const NODE: &[Tool] = &[tool("node", "nodejs"), tool("npm", "npm")];
        const BROWSER: &[Tool] = &[
            tool("Xvfb", "xvfb"),
            tool("dunst", "dunst"),
            tool("dbus-daemon", "dbus-daemon"),
            tool("xdotool", "xdotool"),
            tool("turnserver", "coturn"),
            tool("unshare", "util-linux"),
            tool("ip", "iproute2"),
        ];
        const README: &[Tool] = &[
            tool("caddy", "caddy"),
            tool("nginx", "nginx-light"),
            tool("openssl", "openssl"),
            tool("python3", "python3"),
        ];
        match self {
            Self::Compiler => COMPILER,
            Self::Strace => STRACE,
            Self::Terminal => TERMINAL,
            Self::Node => NODE,
            Self::Browser => BROWSER,
            Self::Deny => &[],
            Self::Readme => README,
        }
    }
}

/// Sees to it that everything in `needs` is there.
///
/// # Errors
/// Says what is missing and the command that installs it, where this program may not do it itself.
pub(crate) fn provide(shell: &Shell, needs: &[Need]) -> Result<()> {
    let mut missing: Vec<&str> = Vec::new();
    for tool in needs.iter().flat_map(|need| need.tools()) {
        if shell::find(&[tool.command]).is_none() && !missing.contains(&tool.package) {
            missing.push(tool.package);
        }
    }
    let distribution = distribution();
    if needs.contains(&Need::Browser) && browser().is_none() {
        if distribution != "debian" {
            bail!(
                "the browser tests need Chrome or Chromium, and none is in PATH\n\
                 install one and run this again, or say where it is: CHROMIUM=/path/to/chrome cargo xtask test\n\
                 or leave them out: cargo xtask test --skip browser"
            );
        }
        missing.push("chromium");
    }
    install(shell, &distribution, &missing)?;
    if needs.contains(&Need::Node) {
        node(shell)?;
    }
    if needs.contains(&Need::Deny) {
        deny(shell)?;
    }
    Ok(())
}

/// The browser that the tests drive: `CHROMIUM`, else the first one found.
pub(crate) fn browser() -> Option<PathBuf> {
    std::env::var_os("CHROMIUM").map(PathBuf::from).or_else(|| shell::find(&BROWSERS))
}

/// Where `cargo-deny` is: in `PATH`, else as built by us.
pub(crate) fn deny_path(shell: &Shell) -> PathBuf {
    shell::find(&["cargo-deny"]).unwrap_or_else(|| shell.path("target/tools/bin/cargo-deny"))
}

fn install(shell: &Shell, distribution: &str, packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let root = fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0);
    let apt = shell::find(&["apt-get"]).is_some();
    if !root || !apt {
        let how = match apt {
            true => format!("sudo apt-get update && sudo apt-get install --no-install-recommends {list}"),
            false => format!("install what Debian ({distribution} may differ) calls: {list}"),
        };
        bail!("the tests need programs that are not here, and this user may not install them\n{how}");
    }
    println!("installing {list}");
    shell.run("apt-get", "update -qq")?;
    let mut command = shell.command("apt-get");
    // Programs are wanted, and no service of theirs is to be started now: `invoke-rc.d` goes by the runlevel, systemd by
    // the other. That some are enabled for the next start is Debian's way.
    command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").env("SYSTEMD_OFFLINE", "1");
    command.args(["install", "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends"]).args(packages);
    shell::run(&mut command)
}

/// Checks Node's version, and installs the locked npm packages unless they are the installed ones.
fn node(shell: &Shell) -> Result<()> {
    let version = shell.command("node").arg("--version").output().context("`node --version` could not be started")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < LOWEST_NODE) {
        bail!("the tests need Node.js {LOWEST_NODE} or newer, and `node --version` says `{version}`");
    }
    let locked = fs::metadata(shell.path("package-lock.json")).and_then(|file| file.modified())?;
    let installed = fs::metadata(shell.path("node_modules/.package-lock.json")).and_then(|file| file.modified());
    if installed.is_ok_and(|installed| installed >= locked) {
        return Ok(());
    }
    println!("installing the npm packages of package-lock.json");
    shell.run("npm", "ci --no-audit --no-fund --loglevel=error")
}

fn deny(shell: &Shell) -> Result<()> {
    if deny_path(shell).is_file() {
        return Ok(());
    }
    println!("building cargo-deny {DENY} into target/tools, once");
    // Unoptimised: it runs for seconds, and optimising it takes minutes.
    shell.cargo(&format!(
        "install --quiet --locked --debug --root target/tools --target-dir target/tools/build cargo-deny --version {DENY}"
    ))
}

/// `debian`, `ubuntu`, …: the `ID` of os-release.
fn distribution() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let id = release.lines().find_map(|line| line.strip_prefix("ID="));
    id.unwrap_or("this system").trim_matches('"').to_owned()
}
