//! The service itself.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use zbus::OwnedVariant;
use zbus::object_server::SignalEmitter;

use crate::{Event, NAME, tell};

const PATH: &str = "/org/freedesktop/Notifications";
/// The reasons of `NotificationClosed`.
const DISMISSED: u32 = 2;
const CLOSED_BY_CALL: u32 = 3;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Deed {
    Act { id: u32, key: String },
    Dismiss { id: u32 },
}

/// What is on show. Bounded by the life of a test.
#[derive(Default)]
struct Service {
    last: u32,
    shown: BTreeSet<u32>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    fn get_capabilities(&self) -> Vec<&'static str> {
        vec!["actions", "body", "body-markup", "body-hyperlinks", "persistence", "sound"]
    }

    fn get_server_information(&self) -> (&'static str, &'static str, &'static str, &'static str) {
        ("ringback-test-notifications", "Ringback", env!("CARGO_PKG_VERSION"), "1.2")
    }

    #[expect(clippy::too_many_arguments, reason = "the interface of the specification")]
    fn notify(
        &mut self,
        app: String,
        replaces: u32,
        icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        timeout_ms: i32,
    ) -> u32 {
        let id = if replaces == 0 {
            self.last += 1;
            self.last
        } else {
            replaces
        };
        self.shown.insert(id);
        tell(&Event::notify(id, &(app, replaces, icon, title, body, actions, hints, timeout_ms)));
        id
    }

    async fn close_notification(
        &mut self,
        id: u32,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        tell(&Event::Close { id });
        if self.shown.remove(&id) {
            Self::notification_closed(&emitter, id, CLOSED_BY_CALL).await?;
        }
        Ok(())
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, key: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(emitter: &SignalEmitter<'_>, id: u32, reason: u32) -> zbus::Result<()>;
}

/// Serves until the standard input ends.
pub(crate) async fn serve() -> Result<()> {
    let connection = zbus::connection::Builder::session()
        .serve_at(PATH, Service::default())
        .name(NAME)
        .build()
        .await
        .context("no session bus, or another notification service has its name")?;
    let service = connection.object_server().interface::<_, Service>(PATH).await?;
    tell(&Event::Ready);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let emitter = service.signal_emitter();
        let deed = serde_json::from_str(&line);
        let (id, key) = match deed.with_context(|| format!("`{line}` is nothing to do"))? {
            Deed::Act { id, key } => (id, Some(key)),
            Deed::Dismiss { id } => (id, None),
        };
        service.get_mut().await.shown.remove(&id);
        if let Some(key) = key {
            Service::action_invoked(emitter, id, &key).await?;
        }
        Service::notification_closed(emitter, id, DISMISSED).await?;
    }
    Ok(())
}
