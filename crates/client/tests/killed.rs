//! SIGKILL at any moment of a device that keeps a file: the next process goes on where it was. The device is this test
//! program again, as a child that answers to nobody: it clicks what it is shown, and calls someone who isn't there.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that can't be set up has failed

use ringback_client::{
    CallEvent, CallInvitationConfig, CallInvitationService, Clicks, Denied, Direction, Init, MissedCallConfig,
    Notification, Notifier, SendOptions,
};
use ringback_server::testing::{PATIENCE, TestServer, token};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};

const ROUNDS: u64 = 60;
/// In the child's environment: the server, where to keep the file, and the number of the round.
const CHILD: [&str; 3] = ["RINGBACK_TEST_SERVER", "RINGBACK_TEST_KEEP_IN", "RINGBACK_TEST_ROUND"];
/// Who calls Bob: fewer than would be shown as a summary (M7).
const CALLERS: [&str; 3] = ["alice", "carol", "erin"];
/// One person's notifications make a sound at most so often (M6).
const SOUND: Duration = Duration::from_secs(60);

/// Says what a person would see, and hands on what they could click.
struct Screen {
    shown: mpsc::Sender<Notification>,
    clicks: Arc<OnceLock<Clicks>>,
}

impl Notifier for Screen {
    fn attach(&self, clicks: Clicks) {
        self.clicks.set(clicks).unwrap();
    }
    fn show(&self, notification: &Notification) -> Result<(), Denied> {
        let Notification { tag, count, sound, missed_call, .. } = notification;
        let id = missed_call.as_ref().expect("no summary").id;
        println!("shown {tag} {}/{} {count} {sound}", id.invitation, id.turn);
        self.shown.try_send(notification.clone()).unwrap();
        Ok(())
    }
    fn withdraw(&self, tag: &str) {
        println!("withdrawn {tag}");
    }
}

/// The device: goes on until it is killed, or nothing is left to do and its input is closed. Nothing, unless it is the child.
#[tokio::test]
async fn device() {
    let [Ok(server), Ok(keep_in), Ok(round)] = CHILD.map(std::env::var) else { return };
    println!("\nbegins");
    let (shown, mut to_click) = mpsc::channel(1024);
    let clicks = Arc::default();
    let screen = Screen { shown, clicks: Arc::clone(&clicks) };
    // A click handles the call, and dials nobody (D2).
    let missed_call = MissedCallConfig { enable_dial_back: false, ..MissedCallConfig::default() };
    let config = CallInvitationConfig { missed_call, ..CallInvitationConfig::default() };
    let init = Init::new(server, "bob", hour("bob")).config(config).notifier(screen).keep_in(keep_in);
    let service = CallInvitationService::init(init.take_up_call(true)).await.unwrap();
    println!("device {}", service.device());
    let mut events = service.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let CallEvent::IncomingCallCanceled { invitation: Some(about), .. } = event {
                println!("cancelled {}/{}", about.invitation, about.turn.unwrap_or_default());
            }
        }
    });
    if round == ROUNDS.to_string() {
        return rests(&service).await;
    }
    let calling = service.clone();
    tokio::spawn(async move { calls(&calling, &round).await });
    while let Some(notification) = to_click.recv().await {
        let missed = notification.missed_call.as_ref().unwrap().id;
        println!("clicks {} {}/{}", notification.tag, missed.invitation, missed.turn);
        clicks.get().unwrap().clicked(&notification);
    }
}

/// Calls Dave, who has no device, again and again; leaves first what the process before has begun.
async fn calls(service: &CallInvitationService, round: &str) {
    service.connected().await.unwrap();
    println!("connected");
    for number in 0.. {
        if service.in_call().is_some() {
            // It may be over by now.
            let _ = service.end(None).await;
        }
        let call_id = format!("{round}-{number}");
        println!("asks {call_id}");
        let call = SendOptions { call_id: Some(call_id.clone()), ..SendOptions::to(["dave"]) };
        match service.send(call).await {
            Ok(_) => println!("sent {call_id}"),
            Err(error) => println!("refused {call_id} {error}"),
        }
    }
}

/// Asks nothing but what the process before had asked, and leaves what came of it.
async fn rests(service: &CallInvitationService) {
    let mut events = service.events();
    service.connected().await.unwrap();
    println!("connected");
    loop {
        if service.in_call().is_some() {
            // It may be over by now.
            let _ = service.end(None).await;
        }
        events.next().await.unwrap();
    }
}

fn hour(user: &str) -> String {
    token(user, ringback_server::wall() + Duration::from_secs(3600))
}

async fn person(server: &TestServer, user: &str) -> CallInvitationService {
    let init = Init::new(format!("http://{}", server.address()), user, hour(user));
    let service = CallInvitationService::init(init).await.unwrap();
    timeout(PATIENCE, service.connected()).await.expect("connected in time").unwrap();
    service
}

/// Each calls Bob in turn and gives up at once, as often as there are permits: no faster than his disk lets him follow.
async fn everybody_calls(callers: Vec<CallInvitationService>, permits: Permits) {
    for caller in callers.iter().cycle() {
        permits.0.acquire().await.unwrap().forget();
        caller.send(SendOptions::to(["bob"])).await.unwrap();
        // Bob may be busy, and then it is over.
        let _ = caller.end(None).await;
    }
}

/// Calls that may be made: one for each that was shown.
#[derive(Clone)]
struct Permits(Arc<Semaphore>);

impl Default for Permits {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

/// What the devices said, over all rounds.
#[derive(Default)]
struct Heard {
    device: BTreeSet<String>,
    /// Missed call and count, of each notification.
    shown: BTreeMap<(String, String), u32>,
    /// By tag.
    sounds: BTreeMap<String, u32>,
    cancelled: BTreeMap<String, u32>,
    /// Calls that the server acknowledged.
    sent: BTreeSet<String>,
    asked: BTreeSet<String>,
    /// By tag, the missed calls whose click this process has not confirmed yet, the oldest first.
    clicking: BTreeMap<String, VecDeque<String>>,
    /// Missed calls whose click was confirmed: the notification was withdrawn.
    clicked: BTreeSet<String>,
    permits: Permits,
}

impl Heard {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["device", id] => drop(self.device.insert(id.to_owned())),
            ["shown", tag, missed, count, sound] => {
                self.permits.0.add_permits(1);
                *self.shown.entry((missed.to_owned(), count.to_owned())).or_default() += 1;
                *self.sounds.entry(tag.to_owned()).or_default() += u32::from(sound == "true");
            }
            ["cancelled", missed] => *self.cancelled.entry(missed.to_owned()).or_default() += 1,
            ["clicks", tag, missed] => self.clicking.entry(tag.to_owned()).or_default().push_back(missed.to_owned()),
            ["withdrawn", tag] => self.clicked.extend(self.clicking.get_mut(tag).and_then(VecDeque::pop_front)),
            ["asks", call] => drop(self.asked.insert(call.to_owned())),
            ["sent", call] => drop(self.sent.insert(call.to_owned())),
            _ => {}
        }
    }
}

/// A process of the device.
struct Process {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Process {
    async fn start(server: &TestServer, keep_in: &Path, round: u64, heard: &Heard) -> Self {
        // What is missed from here on, no process before has shown.
        heard.permits.0.add_permits(2);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "device", "--nocapture"]);
        command.env(CHILD[0], format!("http://{}", server.address()));
        command.env(CHILD[1], keep_in).env(CHILD[2], round.to_string());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, says }
    }

    /// Listens until it says something that begins so.
    async fn until(&mut self, heard: &mut Heard, what: &str) {
        let found = timeout(PATIENCE, async {
            loop {
                let line = self.says.next_line().await.unwrap().expect("it goes on");
                heard.line(&line);
                if line.starts_with(what) {
                    return;
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("waited in vain for {what:?}"));
    }

    /// Kills it, and listens to what it had said by then.
    async fn kill(mut self, heard: &mut Heard) {
        self.child.kill().await.unwrap();
        while let Some(line) = self.says.next_line().await.unwrap() {
            heard.line(&line);
        }
        // What it clicked without a confirmation may or may not have been taken.
        heard.clicking.clear();
    }
}

/// What the file says, which is whole.
fn kept(keep_in: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(keep_in.join("bob.json")).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")))
}

// spec: M3, M6, N2, D3, S14
#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing_that_was_acknowledged_and_shows_nothing_twice() {
    let seed =
        std::env::var("RINGBACK_TEST_SEED").map_or_else(|_| ringback_server::wall().0, |seed| seed.parse().unwrap());
    println!("RINGBACK_TEST_SEED={seed}");
    let mut random = seed;
    let server = TestServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let mut callers = Vec::new();
    for caller in CALLERS {
        callers.push(person(&server, caller).await);
    }
    let (mut heard, began) = (Heard::default(), Instant::now());
    // Requests that a file held when its process had died.
    let (mut calls_kept, mut clicks_kept) = (BTreeSet::new(), BTreeSet::new());
    // The device has to exist before what it is to show (M3).
    let mut process = Process::start(&server, place.path(), 0, &heard).await;
    process.until(&mut heard, "connected").await;
    let calling = tokio::spawn(everybody_calls(callers, heard.permits.clone()));
    for round in 1..=ROUNDS {
        // Now at a moment that nobody chose, now just when something is said, which is when something is written.
        match round % 6 {
            0 => process.until(&mut heard, "shown").await,
            1 => process.until(&mut heard, "clicks").await,
            2 => process.until(&mut heard, "withdrawn").await,
            3 => process.until(&mut heard, "asks").await,
            4 => process.until(&mut heard, "sent").await,
            _ => tokio::time::sleep(Duration::from_micros(below(&mut random, 100_000))).await,
        }
        if round % 4 == 0 {
            tokio::time::sleep(Duration::from_micros(below(&mut random, 2000))).await;
        }
        process.kill(&mut heard).await;
        for request in kept(place.path()).iter().flat_map(|kept| kept["state"]["requests"].as_array().unwrap()) {
            let (send, click) = (&request["ask"]["send"]["call_id"], &request["ask"]["click"]["missed"]);
            calls_kept.extend(send.as_str().map(str::to_owned));
            clicks_kept
                .extend(click["invitation"].as_str().map(|invitation| format!("{invitation}/{}", click["turn"])));
        }
        process = Process::start(&server, place.path(), round, &heard).await;
    }
    calling.abort();
    let _ = calling.await;
    // The last one asks again what has no answer yet, and nothing else.
    process.until(&mut heard, "connected").await;
    let at_rest = timeout(PATIENCE, async {
        let empty = |kept: &Value, list: &str| kept["state"][list].as_array().unwrap().is_empty();
        while !kept(place.path()).is_some_and(|kept| empty(&kept, "requests") && empty(&kept, "here")) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    if at_rest.await.is_err() {
        let state = kept(place.path()).map(|kept| kept["state"].clone()).unwrap_or_default();
        panic!("not answered: {}, in the call: {}", state["requests"], state["here"]);
    }
    let took = began.elapsed();
    process.kill(&mut heard).await;

    assert_eq!(heard.device.len(), 1, "it is one device from the first to the last");
    let twice = |count: &u32| *count > 1;
    assert!(
        !heard.shown.values().any(twice),
        "shown twice: {:?}",
        heard.shown.iter().filter(|s| twice(s.1)).collect::<Vec<_>>()
    );
    assert!(!heard.cancelled.values().any(twice), "S5 came twice: {:?}", heard.cancelled);
    let minutes = (took.as_secs() / SOUND.as_secs() + 1) as u32;
    assert!(heard.sounds.values().all(|sounds| *sounds <= minutes), "in {took:?}: {:?}", heard.sounds);

    let bob = person(&server, "bob").await;
    let unhandled = unhandled(&bob).await;
    let lost = |clicks: &BTreeSet<String>| clicks.intersection(&unhandled).cloned().collect::<Vec<_>>();
    assert_eq!(lost(&heard.clicked), [""; 0], "clicks that were confirmed");
    assert_eq!(lost(&clicks_kept), [""; 0], "clicks that were kept");
    let made = calls_made(&bob).await;
    assert!(made.values().all(|times| *times == 1), "made twice: {made:?}");
    assert!(heard.sent.iter().all(|call| made.contains_key(call)), "acknowledged, and not made: {:?}", heard.sent);
    assert!(made.keys().all(|call| heard.asked.contains(call)), "made, and never asked for: {made:?}");
    let repeated = calls_kept.iter().filter(|call| made.contains_key(*call)).count();
    let shown: BTreeSet<_> = heard.shown.keys().map(|(missed, _)| missed).collect();
    println!(
        "{ROUNDS} kills in {took:?}: {} shown, {} clicked ({} asked again), {} sent ({repeated} of {} that had no answer), {} missed at the end",
        shown.len(),
        heard.clicked.len(),
        clicks_kept.len(),
        heard.sent.len(),
        calls_kept.len(),
        unhandled.len(),
    );
    assert!(repeated > 0 && !clicks_kept.is_empty() && !heard.clicked.is_empty(), "it got where it should");
}

/// Every missed call that nobody handled.
async fn unhandled(bob: &CallInvitationService) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    loop {
        let page = bob.missed_calls(all.len()).await.unwrap();
        all.extend(page.calls.iter().map(|call| format!("{}/{}", call.id.invitation, call.id.turn)));
        if page.calls.is_empty() || all.len() >= page.total {
            return all;
        }
    }
}

/// How often each call of Bob's own is in his history.
async fn calls_made(bob: &CallInvitationService) -> BTreeMap<String, u32> {
    let (mut made, mut before) = (BTreeMap::new(), None);
    loop {
        let page = bob.history(before, 100).await.unwrap();
        for entry in page.entries.iter().filter(|entry| entry.direction == Direction::Outgoing) {
            *made.entry(entry.call_id.to_string()).or_default() += 1;
        }
        before = page.cursor;
        if before.is_none() {
            return made;
        }
    }
}

/// Splitmix64.
fn below(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % bound
}
