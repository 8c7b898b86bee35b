//! `ringback bench idle`: what users who are connected and do nothing cost the server in memory.

use super::args::IdleArgs;
use super::child::{Child, ServerSettings};
use super::peer::Peer;
use super::say::Bar;
use super::{Machine, Target};
use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, stream};
use ringback_server::config::Secret;
use serde_json::json;
use tokio::task::JoinSet;

/// Users who connect at a time.
const CONNECTING: usize = 32;
/// How often the bar moves.
const BAR: u32 = 20;
/// The goal, in bytes.
const GOAL: u64 = 8192;

/// Measures, and says what it found.
pub(super) async fn run(args: IdleArgs) -> Result<()> {
    let machine = Machine::prepare(&args.place, args.connections)?;
    let secret = super::secret()?;
    let set = ServerSettings { secret: &secret, log: &args.place.log, connections: args.connections };
    let child = Child::server(&machine.folder.0, machine.cores.0, &set).await?;
    let measured = measure(&args, &child, &secret).await;
    let (before, after) =
        measured.with_context(|| format!("the server; the end of its log: {}", child.last_words()))?;
    child.end().await?;
    let each = after.saturating_sub(before) / u64::from(args.connections);
    let figures = json!({
        "connections": args.connections,
        "user_bytes_per_connection": each,
        "private_bytes_before": before,
        "private_bytes_after": after,
    });
    let goal = Target { figure: "user_bytes_per_connection", says: "under 8192", met: each < GOAL };
    machine.say("idle", figures, &goal, args.place.json);
    Ok(())
}

/// The server's private memory before anybody connects, and when all have been connected for a while.
async fn measure(args: &IdleArgs, child: &Child, secret: &Secret) -> Result<(u64, u64)> {
    let mut bar = Bar::new(BAR + 1, args.place.json);
    let before = child.private_memory()?;
    let numbers = 0..args.connections;
    let mut connecting =
        stream::iter(numbers).map(|number| Peer::sign_in(child.at, number, secret)).buffer_unordered(CONNECTING);
    let mut idle = JoinSet::new();
    let mut connected = 0;
    while let Some(peer) = connecting.next().await {
        let mut peer = peer.with_context(|| format!("after {connected} connections"))?;
        connected += 1;
        if connected % args.connections.div_ceil(BAR) == 0 {
            bar.step(&format!("{connected} of {} users connected", args.connections));
        }
        // It reads on, and so answers pings.
        idle.spawn(async move { peer.next().await });
    }
    bar.step("they do nothing");
    tokio::select! {
        () = tokio::time::sleep(args.settle) => {}
        Some(ended) = idle.join_next() => match ended? {
            Ok(frame) => bail!("a user who does nothing was told something: {frame}"),
            Err(error) => return Err(error).context("a user who does nothing was cut off"),
        }
    }
    bar.end();
    Ok((before, child.private_memory()?))
}
