//! How many files a process may have open, a connection being one each.

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a process needs besides its connections.
const SPARE: u64 = 100;

/// Lets this process, and those that it starts, have so many connections, or as many as the system lets it. Gives how
/// many open files that takes, and how many there may be at most if those are fewer.
pub(crate) fn room_for(connections: u64) -> Result<(u64, Option<u64>)> {
    let needed = connections.saturating_add(SPARE);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let fewer = maximum.filter(|most| *most < needed);
    if current.is_some_and(|current| current < needed) {
        let raised = Rlimit { current: Some(fewer.unwrap_or(needed)), maximum };
        setrlimit(Resource::Nofile, raised).context("raising the limit of open files")?;
    }
    Ok((needed, fewer))
}
