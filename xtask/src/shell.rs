//! Runs other programs from the root of the tree.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Where the chores run: the root of the workspace.
pub(crate) struct Shell {
    root: PathBuf,
}

impl Shell {
    /// Finds the root from where this crate was built.
    pub(crate) fn at_the_root() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: here.parent().unwrap_or(here).to_owned() }
    }

    /// A path inside the tree.
    pub(crate) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.root.join(inside)
    }

    /// Where cargo leaves a debug build of one of our programs.
    pub(crate) fn built(&self, program: &str) -> PathBuf {
        let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        self.root.join(target).join("debug").join(program)
    }

    /// The files of a folder whose names end so, sorted, as paths from the root.
    pub(crate) fn files(&self, folder: &str, end: &str) -> Result<Vec<String>> {
        let entries = fs::read_dir(self.path(folder)).with_context(|| format!("{folder} can't be read"))?;
        let names: Vec<String> =
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<_>>()?;
        let mut files: Vec<String> =
            names.iter().filter(|name| name.ends_with(end)).map(|name| format!("{folder}/{name}")).collect();
        files.sort();
        Ok(files)
    }

    /// A program to run at the root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Runs `program` with arguments separated by blanks, its output shown as it comes.
    pub(crate) fn run(&self, program: &str, args: &str) -> Result<()> {
        let mut command = self.command(program);
        command.args(args.split_whitespace());
        run(&mut command)
    }

    /// Runs the toolchain's own cargo, and not one that another toolchain in `PATH` would give.
    pub(crate) fn cargo(&self, args: &str) -> Result<()> {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        self.run(&cargo, args)
    }
}

/// Runs a command to its end, its output shown as it comes; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("`{shown}` could not be started"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Whether a command runs and exits with 0; what it prints is dropped.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The first of `names` that `PATH` has, as a path. Servers are found for everyone, though Debian has them in root's alone.
pub(crate) fn find(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
