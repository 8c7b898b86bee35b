//! Callers who send and cancel, callees whose devices ring and decline, until the server is gone.

use crate::client::{Client, Gone};
use ringback_core::id::InvitationId;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Numbers from a seed, which is printed: give it as RINGBACK_TEST_SEED to have them again.
#[derive(Clone)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new() -> Self {
        let seed =
            std::env::var("RINGBACK_TEST_SEED").map_or_else(|_| crate::client::wall_ms(), |text| text.parse().unwrap());
        println!("RINGBACK_TEST_SEED={seed}");
        Self(seed)
    }

    /// Numbers of their own for somebody.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// SplitMix64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// How many callers have an acknowledged invitation that isn't over yet.
#[derive(Clone)]
pub(crate) struct Tally(Arc<watch::Sender<usize>>);

impl Tally {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    fn add(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    fn take(&self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }

    pub(crate) async fn reaches(&self, count: usize) {
        let mut seen = self.0.subscribe();
        let reached = tokio::time::timeout(crate::client::PATIENCE * 3, seen.wait_for(|now| *now >= count));
        reached.await.expect("the traffic grows").unwrap();
    }
}

/// An acknowledged invitation, written down.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) invitation: InvitationId,
    pub(crate) timeout_ms: u64,
    /// The acknowledgement of its `cancel` came too.
    pub(crate) cancelled: bool,
}

/// One caller, over all rounds.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) number: usize,
    /// What was acknowledged, in order.
    pub(crate) sent: Vec<Sent>,
    /// The invitation this device is in.
    pub(crate) holds: Option<InvitationId>,
    /// A request that was sent and never answered.
    pub(crate) unanswered: Option<Value>,
}

impl Caller {
    pub(crate) fn new(number: usize) -> Self {
        Self { number, sent: Vec::new(), holds: None, unanswered: None }
    }

    /// Connects as a device that was cut off does: claims the call it is in and the request that may have put it into
    /// one, and repeats what was never answered.
    pub(crate) async fn back(&mut self, at: SocketAddr) -> Result<Client, Gone> {
        let began = self.unanswered.as_ref().filter(|frame| frame["type"] == "send");
        let mut hello = json!({});
        if let Some(send) = began {
            hello["claim"]["request_ids"] = json!([send["id"]]);
        }
        if let Some(held) = self.holds {
            hello["claim"]["invitation_id"] = json!(held.to_string());
            hello["holds"] = json!([{"invitation_id": held.to_string(), "revision": 1}]);
        }
        let mut client = Client::connect(at, &format!("caller-{}", self.number), "d-1", hello).await?;
        if client.opening.iter().any(|frame| self.ended(frame)) {
            self.holds = None;
        }
        if let Some(frame) = self.unanswered.clone() {
            self.ask(&mut client, frame).await?;
        }
        Ok(client)
    }

    /// Whether a frame says that the held call is over.
    fn ended(&self, frame: &Value) -> bool {
        let held = self.holds.is_some_and(|held| frame["invitation_id"] == held.to_string());
        held && frame["type"] == "call" && frame["ended"].is_string()
    }

    /// Ends the call that is held, if there is one.
    pub(crate) async fn hang_up(&mut self, client: &mut Client) -> Result<(), Gone> {
        let Some(held) = self.holds else { return Ok(()) };
        let callee = format!("callee-{}", self.number);
        let frame = client.ask("cancel", json!({"invitation_id": held.to_string(), "callee": callee, "turn": 1}));
        self.ask(client, frame).await
    }

    /// Sends a request, and writes its acknowledgement down.
    async fn ask(&mut self, client: &mut Client, frame: Value) -> Result<(), Gone> {
        self.unanswered = Some(frame.clone());
        let answer = client.repeat(&frame).await?;
        self.unanswered = None;
        match (frame["type"].as_str().unwrap(), answer) {
            ("send", Ok(made)) => {
                let invitation = made["invitation_id"].as_str().unwrap().parse().unwrap();
                let known = self.sent.iter().any(|sent| sent.invitation == invitation);
                assert!(!known, "a new request made an old invitation");
                let timeout_ms = frame["timeout_ms"].as_u64().unwrap();
                self.sent.push(Sent { invitation, timeout_ms, cancelled: false });
                self.holds = Some(invitation);
            }
            ("cancel", Ok(_)) => {
                self.sent.last_mut().unwrap().cancelled = true;
                self.holds = None;
            }
            // It ended by itself in the meantime: declined, or nobody answered.
            ("cancel", Err(_)) => self.holds = None,
            (kind, answer) => panic!("{kind} got {answer:?}"),
        }
        Ok(())
    }

    /// One act: a new invitation, or after a while the end of the present one.
    async fn act(&mut self, client: &mut Client, numbers: &mut Numbers) -> Result<(), Gone> {
        if self.holds.is_none() {
            // Some run out soon, some while the server is down, most outlast it.
            let timeout_ms = [1_000, 2_500, 60_000, 60_000, 599_000][numbers.below(5) as usize] + numbers.below(999);
            let invitees = [format!("callee-{}", self.number)];
            let fields = json!({"invitees": invitees, "call_type": "voice", "timeout_ms": timeout_ms});
            let frame = client.ask("send", fields);
            return self.ask(client, frame).await;
        }
        let think = Duration::from_millis(numbers.below(400));
        while let Some(frame) = client.next_within(think).await? {
            if self.ended(&frame) {
                self.holds = None;
                return Ok(());
            }
        }
        if numbers.below(6) == 0 { self.hang_up(client).await } else { Ok(()) }
    }
}

/// Somebody who sets something again and again, so that at every kill a commit is on its way.
#[derive(Debug, Clone)]
pub(crate) struct Setter {
    pub(crate) number: usize,
    /// The last setting whose acknowledgement came; it says its own number.
    pub(crate) acknowledged: u64,
}

/// Sets until the server is gone.
pub(crate) async fn setter(at: SocketAddr, mut setter: Setter) -> Setter {
    let name = format!("setter-{}", setter.number);
    let Ok(mut client) = Client::connect(at, &name, "d-1", json!({})).await else { return setter };
    loop {
        let next = setter.acknowledged + 1;
        let fields = json!({"for_ms": 600_000, "let_through": [format!("n-{next}")]});
        match client.request("do_not_disturb", fields).await {
            Ok(answer) => setter.acknowledged = answer.map(|_| next).unwrap(),
            Err(Gone(_)) => return setter,
        }
    }
}

/// Sends and cancels until the server is gone.
pub(crate) async fn caller(at: SocketAddr, mut caller: Caller, mut numbers: Numbers, tally: Tally) -> Caller {
    let Ok(mut client) = caller.back(at).await else { return caller };
    if caller.holds.is_some() {
        tally.add();
    }
    loop {
        let before = caller.holds.is_some();
        let done = caller.act(&mut client, &mut numbers).await;
        match (before, caller.holds.is_some()) {
            (false, true) => tally.add(),
            (true, false) => tally.take(),
            _ => {}
        }
        if done.is_err() {
            return caller;
        }
    }
}

/// Says `ringing` to what rings, and declines some of it, until the server is gone.
pub(crate) async fn callee(at: SocketAddr, number: usize, mut numbers: Numbers) -> Result<(), Gone> {
    let mut client = Client::connect(at, &format!("callee-{number}"), "d-1", json!({})).await?;
    for frame in std::mem::take(&mut client.opening) {
        answer(&mut client, &frame, &mut numbers).await?;
    }
    loop {
        if let Some(frame) = client.next_within(Duration::from_secs(1)).await? {
            answer(&mut client, &frame, &mut numbers).await?;
        }
    }
}

async fn answer(client: &mut Client, frame: &Value, numbers: &mut Numbers) -> Result<(), Gone> {
    if frame["type"] != "call" || frame["own"][0]["state"] != "inviting" {
        return Ok(());
    }
    let turn = json!({"invitation_id": frame["invitation_id"], "turn": 1});
    // Either may be refused: it may be over by now.
    let _ = client.request("ringing", turn.clone()).await?;
    if numbers.below(12) == 0 {
        let mut reject = turn;
        reject["busy"] = false.into();
        let _ = client.request("reject", reject).await?;
    }
    Ok(())
}
