//! What the tests are played on: people with devices, and a line to the server that can be cut.

use ringback_client::{
    CallEvent, CallInvitationConfig, CallInvitationService, Clicks, Denied, Events, Init, Notification, Notifier, Ring,
};
use ringback_server::testing::{PATIENCE, TestServer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// A token for a user that is valid from now on for so long.
pub(crate) fn token(user: &str, valid_for: Duration) -> String {
    ringback_server::testing::token(user, ringback_server::wall() + valid_for)
}

/// What a person sees on their screen, as it comes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Shown(Box<Notification>),
    Withdrawn(String),
    Rings(Box<Ring>),
    RingsNoMore,
}

/// A screen of notifications and rings.
#[derive(Clone)]
pub(crate) struct Screen {
    to: mpsc::Sender<Seen>,
    clicks: Arc<OnceLock<Clicks>>,
    /// The person doesn't allow notifications.
    denies: bool,
}

impl Notifier for Screen {
    fn attach(&self, clicks: Clicks) {
        self.clicks.set(clicks).unwrap();
    }
    fn show(&self, notification: &Notification) -> Result<(), Denied> {
        if self.denies {
            return Err(Denied);
        }
        self.to.try_send(Seen::Shown(notification.clone().into())).unwrap();
        Ok(())
    }
    fn withdraw(&self, tag: &str) {
        self.to.try_send(Seen::Withdrawn(tag.to_owned())).unwrap();
    }
    fn show_ring(&self, ring: &Ring) {
        self.to.try_send(Seen::Rings(ring.clone().into())).unwrap();
    }
    fn hide_ring(&self, _: ringback_client::InvitationId) {
        self.to.try_send(Seen::RingsNoMore).unwrap();
    }
}

/// Somebody at a device.
pub(crate) struct Person {
    pub(crate) service: CallInvitationService,
    pub(crate) events: Events,
    seen: mpsc::Receiver<Seen>,
    screen: Screen,
}

/// What a person signs in with; all but the name has a default.
pub(crate) struct SignIn<'a> {
    pub(crate) at: SocketAddr,
    pub(crate) config: CallInvitationConfig,
    pub(crate) keep_in: Option<&'a Path>,
    pub(crate) take_up_call: bool,
    pub(crate) denies: bool,
}

impl SignIn<'_> {
    pub(crate) fn at(at: SocketAddr) -> Self {
        let config = CallInvitationConfig::default();
        Self { at, config, keep_in: None, take_up_call: false, denies: false }
    }

    pub(crate) async fn person(self, user: &str) -> Person {
        let (to, seen) = mpsc::channel(256);
        let screen = Screen { to, clicks: Arc::default(), denies: self.denies };
        let token = token(user, Duration::from_secs(3600));
        let mut init = Init::new(format!("http://{}", self.at), user, token);
        init = init.config(self.config).notifier(screen.clone()).take_up_call(self.take_up_call);
        if let Some(place) = self.keep_in {
            init = init.keep_in(place);
        }
        let service = CallInvitationService::init(init).await.unwrap();
        let events = service.events();
        timeout(PATIENCE, service.connected()).await.expect("connected in time").unwrap();
        Person { service, events, seen, screen }
    }
}

/// Signs somebody in, with every default.
pub(crate) async fn person(server: &TestServer, user: &str) -> Person {
    SignIn::at(server.address()).person(user).await
}

impl Person {
    /// Waits for the event that it is, and gives what of it is wanted; those before it are passed over.
    pub(crate) async fn told<T>(&mut self, what: &str, wanted: impl Fn(CallEvent) -> Option<T>) -> T {
        let waited = timeout(PATIENCE, async {
            loop {
                let event = self.events.next().await.expect("the service lives");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{} waited in vain for {what}", self.service.user()))
    }

    /// Waits for the next thing on the screen that it is.
    pub(crate) async fn sees<T>(&mut self, what: &str, wanted: impl Fn(Seen) -> Option<T>) -> T {
        let waited = timeout(PATIENCE, async {
            loop {
                if let Some(found) = wanted(self.seen.recv().await.unwrap()) {
                    return found;
                }
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{} waited in vain to see {what}", self.service.user()))
    }

    pub(crate) async fn sees_ring(&mut self) -> Ring {
        self.sees("a ring", |seen| if let Seen::Rings(ring) = seen { Some(*ring) } else { None }).await
    }

    pub(crate) async fn sees_notification(&mut self) -> Notification {
        self.sees("a notification", |seen| if let Seen::Shown(shown) = seen { Some(*shown) } else { None }).await
    }

    pub(crate) async fn sees_withdrawn(&mut self) -> String {
        self.sees("one withdrawn", |seen| if let Seen::Withdrawn(tag) = seen { Some(tag) } else { None }).await
    }

    /// Everything that came to the screen so far and wasn't looked at.
    pub(crate) fn glance(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }

    pub(crate) fn clicks(&self, notification: &Notification) {
        self.screen.clicks.get().unwrap().clicked(notification);
    }

    pub(crate) fn dismisses(&self, notification: &Notification) {
        self.screen.clicks.get().unwrap().dismissed(notification);
    }

    /// Waits until how things stand on this device is as wanted.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&CallInvitationService) -> bool) {
        let service = self.service.clone();
        if !wanted(&service) {
            self.told(what, |_| wanted(&service).then_some(())).await;
        }
    }
}

/// How a [`Line`] carries what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    Everything,
    /// What the server says is lost.
    NoAnswers,
    /// Nothing either way, and nobody is told.
    Nothing,
}

/// A line to the server that can be cut.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    carries: watch::Sender<Carries>,
    /// Raised by one for each cut.
    cuts: watch::Sender<u64>,
    /// How many connections were made.
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Line {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (carries, _) = watch::channel(Carries::Everything);
        let (cuts, _) = watch::channel(0);
        let connections = Arc::new(AtomicUsize::new(0));
        let (carried, cut, made) = (carries.clone(), cuts.clone(), connections.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                made.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(server).await.unwrap();
                let (near_from, near_to) = near.into_split();
                let (far_from, far_to) = far.into_split();
                let up = carry(near_from, far_to, carried.clone(), Carries::NoAnswers);
                let down = carry(far_from, near_to, carried.clone(), Carries::Everything);
                let mut cut = cut.subscribe();
                tokio::spawn(async move {
                    tokio::select! { () = up => {}, () = down => {}, _ = cut.changed() => {} }
                });
            }
        });
        Self { address, carries, cuts, connections }
    }

    /// Cuts every connection; the next ones go through.
    pub(crate) fn cut(&self) {
        self.carries.send_replace(Carries::Everything);
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From here on what the server says is lost.
    pub(crate) fn lose_answers(&self) {
        self.carries.send_replace(Carries::NoAnswers);
    }

    /// From here on nothing comes through, and nobody is told.
    pub(crate) fn freeze(&self) {
        self.carries.send_replace(Carries::Nothing);
    }

    /// New connections come through again; those that stand stay frozen until they are given up.
    pub(crate) fn thaw(&self) {
        self.carries.send_replace(Carries::Everything);
    }
}

/// Carries one direction while the line carries it at least up to `at_most`; what comes otherwise is lost.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    carries: watch::Sender<Carries>,
    at_most: Carries,
) {
    let mut bytes = vec![0; 4096];
    let mut lost = false;
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let now = *carries.borrow();
        // A stream with a hole in it can't be mended.
        lost |= now != Carries::Everything && now != at_most;
        if lost {
            continue;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
