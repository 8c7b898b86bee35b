//! What the scripts reached: a comparison that never claims a call shows nothing about claims.

use anyhow::{Result, ensure};
use ringback_core::device::{Answered, Ask, Connection, Elsewhere, Event, Frame, Input, Output};
use ringback_core::line::Made;
use ringback_core::refusal::Code;
use ringback_core::step::Reply;
use std::collections::BTreeMap;

/// What a long comparison has to reach, each at least once.
const WANTED: &[&str] = &[
    "S1",
    "S2",
    "S2 without what it carries",
    "S3",
    "S3 after 10 s",
    "S4",
    "S5",
    "S5 without its customData",
    "S6 answered",
    "S6 declined",
    "S6 busy",
    "S6 crossed",
    "S6 dialed back",
    "S7",
    "S7 with someone refused",
    "S8 accepted",
    "S8 declined",
    "S8 busy",
    "S9",
    "S10",
    "S11",
    "S11 elsewhere",
    "S11 lost",
    "S12",
    "S13 connected",
    "S13 disconnected",
    "S13 closed for good",
    "S13 token",
    "S13 error",
    "hello",
    "hello that holds",
    "claim of a call",
    "claim of a request",
    "claim of a call and a request",
    "claim of several requests",
    "ring",
    "ring ended",
    "shown with a sound",
    "shown silently",
    "comes back later",
    "shown with Join",
    "summary",
    "summary silently",
    "withdrawn",
    "default action",
    "click reported",
    "click kept for init",
    "dismissed",
    "view that waits for a fetch",
    "next page fetched",
    "stray call left",
    "reply to what was given up",
    "given up",
    "ping",
    "connection found dead",
    "kept",
    "uninit",
    "a new process",
    "another tab takes over",
];

/// Counts by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Cover(BTreeMap<&'static str, u64>);

impl Cover {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub(super) fn print(&self) {
        for (what, count) in &self.0 {
            println!("{count:>9}  {what}");
        }
    }

    /// Fails if something was never reached.
    pub(super) fn complete(&self) -> Result<()> {
        let missing: Vec<_> = WANTED.iter().filter(|what| !self.0.contains_key(*what)).collect();
        ensure!(missing.is_empty(), "the scripts never reached: {missing:?}");
        Ok(())
    }

    /// Counts what one input came to.
    pub(super) fn input(&mut self, input: &Input, outputs: &[Output]) {
        let replied = outputs.iter().any(|o| matches!(o, Output::Reply { .. }));
        match input {
            Input::Dismissed { .. } => self.count("dismissed"),
            Input::Clicked { .. } if matches!(outputs.last(), Some(Output::Persist(p)) if !p.clicks.is_empty()) => {
                self.count("click kept for init");
            }
            Input::Frame(Frame::Reply { answer: Ok(Answered::Core(Reply::Made(Made::DialedBack { .. }))), .. })
                if !replied =>
            {
                self.count("reply to what was given up");
            }
            Input::Act { ask: Ask::Uninit, .. } => self.count("uninit"),
            _ => {}
        }
        for output in outputs {
            self.output(output);
        }
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Hello { holds, claim } => {
                self.count("hello");
                if !holds.is_empty() {
                    self.count("hello that holds");
                }
                match (claim.invitation.is_some(), claim.requests.len()) {
                    (false, 0) => {}
                    (true, 0) => self.count("claim of a call"),
                    (false, 1) => self.count("claim of a request"),
                    (true, _) => self.count("claim of a call and a request"),
                    (false, _) => self.count("claim of several requests"),
                }
            }
            // The machine's own requests are named by its seed, the app's `r-…`.
            Output::Request { id, ask } if id.as_str().starts_with('s') => match ask {
                Ask::Fetch { offset: 0, .. } => self.count("view that waits for a fetch"),
                Ask::Fetch { .. } => self.count("next page fetched"),
                Ask::Leave { .. } => self.count("stray call left"),
                Ask::Click(_) => self.count("click reported"),
                _ => {}
            },
            Output::Request { .. } => {}
            Output::Ping => self.count("ping"),
            Output::Close => self.count("connection found dead"),
            Output::Reply { answer: Err(refusal), .. } if refusal.message.contains("in time") => self.count("given up"),
            Output::Reply { .. } => {}
            Output::Event(event, about) => {
                let complete = about.as_ref().is_none_or(|about| about.complete);
                self.event(event, complete);
            }
            Output::ShowRing(_) => self.count("ring"),
            Output::HideRing { .. } => self.count("ring ended"),
            Output::Show(show) => {
                match (show.missed.is_some(), show.sound) {
                    (true, true) => self.count("shown with a sound"),
                    (true, false) => self.count("shown silently"),
                    (false, true) => self.count("summary"),
                    (false, false) => self.count("summary silently"),
                }
                if show.action == Some(ringback_core::device::Action::Join) {
                    self.count("shown with Join");
                }
            }
            Output::Withdraw(_) => self.count("withdrawn"),
            Output::DefaultAction(_) => self.count("default action"),
            Output::Persist(_) => self.count("kept"),
        }
    }

    fn event(&mut self, event: &Event, complete: bool) {
        let what = match event {
            Event::IncomingCallTimeout { .. } => "S1",
            Event::IncomingMissedCallClicked { .. } if complete => "S2",
            Event::IncomingMissedCallClicked { .. } => "S2 without what it carries",
            Event::IncomingMissedCallDialBackFailed { reason: Code::Unavailable, .. } => "S3 after 10 s",
            Event::IncomingMissedCallDialBackFailed { .. } => "S3",
            Event::IncomingCallReceived { .. } => "S4",
            Event::IncomingCallCanceled { .. } if complete => "S5",
            Event::IncomingCallCanceled { .. } => "S5 without its customData",
            Event::IncomingCallAnsweredElsewhere { how, .. } => match how {
                Elsewhere::Answered => "S6 answered",
                Elsewhere::Declined => "S6 declined",
                Elsewhere::Busy => "S6 busy",
                Elsewhere::Crossed => "S6 crossed",
                Elsewhere::DialedBack => "S6 dialed back",
            },
            Event::OutgoingCallSent { refused, .. } if refused.is_empty() => "S7",
            Event::OutgoingCallSent { .. } => "S7 with someone refused",
            Event::OutgoingCallAccepted { .. } => "S8 accepted",
            Event::OutgoingCallDeclined { .. } => "S8 declined",
            Event::OutgoingCallRejectedCauseBusy { .. } => "S8 busy",
            Event::OutgoingCallTimeout { .. } => "S9",
            Event::InvitationUserStateChanged { .. } => "S10",
            Event::CallEnded { reason, .. } => match reason {
                ringback_core::call::EndReason::Elsewhere => "S11 elsewhere",
                ringback_core::call::EndReason::Lost => "S11 lost",
                _ => "S11",
            },
            Event::MissedCallsChanged { .. } => "S12",
            Event::ConnectionStateChanged(Connection::Connected) => "S13 connected",
            Event::ConnectionStateChanged(Connection::Disconnected) => "S13 disconnected",
            Event::ConnectionStateChanged(Connection::Closed(_)) => "S13 closed for good",
            Event::TokenWillExpire(_) => "S13 token",
            Event::NotificationsDenied => "S13 error",
        };
        self.count(what);
    }
}
