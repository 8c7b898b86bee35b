//! The notifications of a desktop, for tests: `org.freedesktop.Notifications` on the session bus of
//! `DBUS_SESSION_BUS_ADDRESS`.
//!
//! With no argument it **is** the service. It shows nothing: each call that it gets is a line of JSON on its
//! standard output, and each line of JSON on its standard input is what a person does with a notification.
//! With `watch` it watches another service, dunst say, which shows them for real and is clicked with a mouse.
//! Either way it ends with its standard input.
//!
//! ```text
//! out: {"event":"watching"}                     `watch` alone: start the service now
//!      {"event":"ready"}                        the service has its name
//!      {"event":"notify","id":1,"replaces":0,"app":"Chromium","title":"…","body":"…","actions":[["default","Activate"]],
//!       "silent":false,"urgency":1,"timeout_ms":-1}       `watch` knows no id: 0
//!      {"event":"close","id":1}
//! in:  {"do":"act","id":1,"key":"default"}      a click: ActionInvoked, and the notification closes, as on most desktops
//!      {"do":"dismiss","id":1}                  NotificationClosed, reason 2: dismissed by the user
//! ```

mod service;
mod watch;

use std::collections::HashMap;
use std::io::Write;

use anyhow::{Result, bail};
use serde::Serialize;
use zbus::OwnedVariant;

const NAME: &str = "org.freedesktop.Notifications";

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Watching,
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

/// The arguments of `Notify`: app, replaces, icon, title, body, actions, hints, time-out.
type Notify = (String, u32, String, String, String, Vec<String>, HashMap<String, OwnedVariant>, i32);

impl<'a> Event<'a> {
    fn notify(id: u32, (app, replaces, _icon, title, body, actions, hints, timeout_ms): &'a Notify) -> Self {
        Self::Notify {
            id,
            replaces: *replaces,
            app,
            title,
            body,
            actions: actions.chunks(2).collect(),
            silent: hints.get("suppress-sound").and_then(|hint| hint.downcast_ref::<bool>().ok()).unwrap_or(false),
            urgency: hints.get("urgency").and_then(|hint| hint.downcast_ref::<u8>().ok()),
            timeout_ms: *timeout_ms,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => service::serve().await,
        Some("watch") => watch::watch().await,
        Some(other) => bail!("`{other}` is nothing to do; `watch`, or no argument"),
    }
}

/// Writes one line, at once. Who no longer reads it has ended the test.
fn tell(event: &Event<'_>) {
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer(&mut out, event).map_err(std::io::Error::from);
    if written.and_then(|()| writeln!(out)).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
