//! What the machine is asked: its cores, its limits, its disk, and what a process has used.

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the disk is asked to keep a page.
const FSYNCS: usize = 64;

/// A moment, to measure from.
#[allow(clippy::disallowed_methods)] // a benchmark is about time
pub(super) fn moment() -> Instant {
    Instant::now()
}

/// Two cores of those that this process may run on: one for what is measured, one for the load. They are the same
/// where there is only one.
pub(super) fn cores() -> Result<(usize, usize)> {
    let allowed = sched_getaffinity(None).context("the cores of this process")?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let first = cores.next().context("this process may run on no core")?;
    Ok((first, cores.next().unwrap_or(first)))
}

/// Keeps this thread, and what it starts from now on, to one core.
pub(super) fn stay_on(core: usize) -> Result<()> {
    ensure!(core < CpuSet::MAX_CPU, "there is no core {core}");
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).with_context(|| format!("staying on core {core}"))
}

/// Lets this process, and those that it starts, have this many connections each.
pub(super) fn room_for(connections: u32) -> Result<()> {
    if let (needed, Some(most)) = crate::files::room_for(u64::from(connections))? {
        bail!(
            "{connections} connections need {needed} open files, and a process may have {most} here: raise the limit \
             (as root: ulimit -n {needed}) or take fewer"
        );
    }
    Ok(())
}

/// A folder of a benchmark's own, removed when it is dropped.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// Makes one below `data`, or where the server would keep its data.
    pub(super) fn make(data: Option<PathBuf>) -> Result<Self> {
        let named = data.or_else(|| std::env::var_os("RINGBACK_DATA").map(PathBuf::from));
        let below = match named {
            Some(named) => named,
            None if Path::new("data").is_dir() => PathBuf::from("data"),
            None => PathBuf::from("."),
        };
        let below = fs::canonicalize(&below)
            .with_context(|| format!("--data {}: it must be a directory that exists", below.display()))?;
        let folder = below.join(format!("ringback-bench-{}", std::process::id()));
        let kind = file_system(&below)?;
        ensure!(
            !matches!(kind.as_str(), "tmpfs" | "ramfs" | "devtmpfs"),
            "{} is on {kind}, which keeps nothing: name a directory on a real disk with --data DIR",
            below.display()
        );
        fs::create_dir(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// The type of its file system.
    pub(super) fn file_system(&self) -> Result<String> {
        file_system(&self.0)
    }

    /// How long a page takes to be kept: the middle of several.
    pub(super) fn fsync(&self) -> Result<Duration> {
        let path = self.0.join("fsync");
        let work = || -> std::io::Result<Vec<Duration>> {
            let mut file = File::create(&path)?;
            let mut took = Vec::with_capacity(FSYNCS);
            for _ in 0..FSYNCS {
                file.write_all(&[1; 4096])?;
                let began = moment();
                file.sync_data()?;
                took.push(began.elapsed());
            }
            fs::remove_file(&path)?;
            took.sort();
            Ok(took)
        };
        Ok(work().context("measuring the disk")?[FSYNCS / 2])
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The type of the file system that an absolute path is on: that of the mount nearest to it.
fn file_system(path: &Path) -> Result<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("the mounts")?;
    nearest(&mounts, path).context("no mount has the data directory")
}

/// A line has the mount's place in its fifth word, and its type behind a word that is a dash. The last one mounted on
/// a place is the one that is seen.
fn nearest(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let mut words = line.split(' ');
        let place = PathBuf::from(words.nth(4)?.replace("\\040", " "));
        let kind = words.skip_while(|word| *word != "-").nth(1)?.to_owned();
        path.starts_with(&place).then_some((place.as_os_str().len(), kind))
    };
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// The CPU time that the threads of a process have used, the kernel's part for them included.
pub(super) fn cpu_time(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
        // The first word is the time on a core, in nanoseconds; a thread may end meanwhile.
        let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let time: Option<u64> = times.split(' ').next().and_then(|time| time.parse().ok());
        nanos += time.context("this kernel doesn't tell the CPU time of threads (schedstat)")?;
    }
    ensure!(nanos > 0, "this kernel doesn't tell the CPU time of threads (schedstat)");
    Ok(Duration::from_nanos(nanos))
}

/// The memory in bytes that a process alone has: what would be free without it.
pub(super) fn private_memory(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("the memory of the process")?;
    let private = text.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes = private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Ok(kilobytes.sum::<u64>() * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_tells_the_file_system() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      23 22 0:21 / /dev/shm rw shared:2 - tmpfs tmpfs rw\n\
                      24 22 0:22 / /srv/my\\040data rw shared:3 master:1 - xfs /dev/sdb1 rw";
        let on = |path| nearest(mounts, Path::new(path));
        assert_eq!(on("/srv/data").as_deref(), Some("ext4"));
        assert_eq!(on("/dev/shm/ringback").as_deref(), Some("tmpfs"));
        assert_eq!(on("/srv/my data/x").as_deref(), Some("xfs"));
    }
}
