//! Watches what another service is asked to show.

use anyhow::{Context, Result};
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, MessageStream};

use crate::{Event, NAME, Notify, tell};

/// Watches until the standard input ends.
pub(crate) async fn watch() -> Result<()> {
    let connection = Connection::session().await.context("no session bus")?;
    let mut messages = MessageStream::from(&connection);
    let asked = MatchRule::builder().msg_type(Type::MethodCall).interface(NAME).member("Notify").build()?;
    let owned = MatchRule::builder().msg_type(Type::Signal).member("NameOwnerChanged").arg(0, NAME).build()?;
    let monitoring = zbus::fdo::MonitoringProxy::new(&connection).await?;
    monitoring.become_monitor(&[asked, owned], 0).await?;
    tell(&Event::Watching);
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 64];
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => look(&message?)?,
                None => return Ok(()),
            },
            read = input.read(&mut ignored) => if read? == 0 {
                return Ok(());
            },
        }
    }
}

fn look(message: &Message) -> Result<()> {
    let member = message.header().member().map(ToString::to_string).unwrap_or_default();
    if member == "Notify" {
        tell(&Event::notify(0, &message.body().deserialize::<Notify>()?));
    } else if member == "NameOwnerChanged" {
        let (_, _, owner): (String, String, String) = message.body().deserialize()?;
        if !owner.is_empty() {
            tell(&Event::Ready);
        }
    }
    Ok(())
}
