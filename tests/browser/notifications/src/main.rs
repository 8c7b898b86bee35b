//! The notification service of a desktop, for tests: `org.freedesktop.Notifications` on the session bus of
//! `DBUS_SESSION_BUS_ADDRESS`.
//!
//! It shows nothing. Each call that it gets is a line of JSON on its standard output; each line of JSON on its
//! standard input is what a person does with a notification. It ends with its standard input.
//!
//! ```text
//! out: {"event":"ready"}
//!      {"event":"notify","id":1,"replaces":0,"app":"Chromium","title":"…","body":"…","actions":[["default","Activate"]],
//!       "silent":false,"urgency":1,"timeout_ms":-1}
//!      {"event":"close","id":1}
//! in:  {"do":"act","id":1,"key":"default"}      a click: ActionInvoked, and the notification closes, as on most desktops
//!      {"do":"dismiss","id":1}                  NotificationClosed, reason 2: dismissed by the user
//! ```

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use zbus::OwnedVariant;
use zbus::object_server::SignalEmitter;

const PATH: &str = "/org/freedesktop/Notifications";
/// The reasons of `NotificationClosed`.
const DISMISSED: u32 = 2;
const CLOSED_BY_CALL: u32 = 3;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Ready,
    Notify {
        id: u32,
        replaces: u32,
        app: &'a str,
        title: &'a str,
        body: &'a str,
        actions: Vec<&'a [String]>,
        silent: bool,
        urgency: Option<u8>,
        timeout_ms: i32,
    },
    Close {
        id: u32,
    },
}

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
        vec![
            "actions",
            "body",
            "body-markup",
            "body-hyperlinks",
            "persistence",
            "sound",
        ]
    }

    fn get_server_information(&self) -> (&'static str, &'static str, &'static str, &'static str) {
        (
            "ringback-test-notifications",
            "Ringback",
            env!("CARGO_PKG_VERSION"),
            "1.2",
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the interface of the specification"
    )]
    fn notify(
        &mut self,
        app: &str,
        replaces: u32,
        _icon: &str,
        title: &str,
        body: &str,
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
        tell(&Event::Notify {
            id,
            replaces,
            app,
            title,
            body,
            actions: actions.chunks(2).collect(),
            silent: hints
                .get("suppress-sound")
                .and_then(|hint| hint.downcast_ref::<bool>().ok())
                .unwrap_or(false),
            urgency: hints
                .get("urgency")
                .and_then(|hint| hint.downcast_ref::<u8>().ok()),
            timeout_ms,
        });
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
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let connection = zbus::connection::Builder::session()
        .serve_at(PATH, Service::default())
        .name("org.freedesktop.Notifications")
        .build()
        .await
        .context("no session bus, or another notification service has its name")?;
    let service = connection
        .object_server()
        .interface::<_, Service>(PATH)
        .await?;
    tell(&Event::Ready);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let emitter = service.signal_emitter();
        let (id, key) = match serde_json::from_str(&line)
            .with_context(|| format!("`{line}` is nothing to do"))?
        {
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

/// Writes one line, at once. Who no longer reads it has ended the test.
fn tell(event: &Event<'_>) {
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer(&mut out, event).map_err(std::io::Error::from);
    if written
        .and_then(|()| writeln!(out))
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}
