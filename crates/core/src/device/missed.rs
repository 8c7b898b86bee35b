//! Missed calls: what is new, what a notification shows, and what a click on it does (M3 to M8, D1 to D3, S12).

use super::{
    About, Action, Ask, CLICK_LASTS, Event, Key, Known, MissedRef, Output, PATIENCE, Session, Show, Shown, Summary,
};
use crate::call::{CallType, CallView, MissedReason};
use crate::id::{InvitationId, MissedId, Person, UserId};
use crate::limits::NOTIFICATIONS;
use crate::step::{MissedEntry, MissedView};
use crate::time::Timestamp;
use std::time::Duration;

/// Missed calls remembered; more than three times what a list has.
const KNOWN: usize = 512;
/// Clicks kept before `init`; the oldest goes.
const CLICKS: usize = 8;
/// Notifications on show; the oldest goes.
const SHOWN: usize = 150;
/// Events that wait for their `customData`; the oldest is then given without.
const WANTS: usize = 160;
/// More than so many at once are one summary (M7).
const ALONE: usize = 5;
/// One person's make a sound at most this often (M6).
const SOUND: Duration = Duration::from_secs(60);

/// An event that waits for what only the call has: `customData` and callees.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Want {
    missed: MissedRef,
    at: Option<Timestamp>,
    /// S2; else S5.
    clicked: bool,
    pub(super) until: Timestamp,
}

/// What one notification would show now.
struct Group {
    key: Key,
    missed: MissedRef,
    count: usize,
    at: Timestamp,
    action: Option<Action>,
    /// One of its missed calls is new.
    fresh: bool,
    /// A new one may make a sound.
    loud: bool,
}

impl Group {
    fn is(&self, shown: &Shown) -> bool {
        shown.id == self.missed.id && shown.count == self.count && shown.action == self.action
    }
}

fn missed_ref(entry: &MissedEntry) -> MissedRef {
    MissedRef::from(&entry.call)
}

impl Session {
    /// The server listed the missed calls.
    pub(super) fn listed(&mut self, view: MissedView) {
        if self.missed.as_ref().is_some_and(|old| old.revision >= view.revision) {
            return;
        }
        let old = self.missed.replace(view.clone());
        let mut fresh = Vec::new();
        // Oldest first, as they happened.
        for entry in view.calls.iter().rev() {
            let id = entry.call.id;
            let told = self.keep.known.iter().find(|k| k.id == id).map(|k| k.listed);
            if told == Some(true) {
                continue;
            }
            self.know(id, true);
            // What comes up when newer ones are handled isn't new (M7); what came before the device neither (M3).
            if entry.existed && entry.call.missed_at >= self.keep.floor {
                fresh.push(id);
                if told.is_none() {
                    self.missed_one(entry);
                }
            }
        }
        if view.total > view.calls.len() {
            let newest = view.calls.iter().map(|e| e.call.missed_at).max();
            self.keep.floor = self.keep.floor.max(newest.unwrap_or_default());
        }
        if old.as_ref().is_none_or(|old| old.calls != view.calls || old.total != view.total) {
            let event = Event::MissedCallsChanged { calls: view.calls.clone(), total: view.total };
            self.event(event, None);
        }
        // spec: M4: what comes back after a dial-back that failed. Its click may have been handled and undone between
        // two lists, so that only what is on show tells: `render` leaves alone what is.
        let summed = |key: &Key| self.keep.summary.as_ref().is_some_and(|summary| summary.keys.contains(key));
        let returned = view.calls.iter().filter(|e| e.call.returned).map(|e| missed_ref(e).key());
        let back: Vec<Key> = returned.filter(|key| !summed(key)).collect();
        self.render(&fresh, back);
    }

    /// Gives S1 or S5 for a missed call that this device wasn't told of by a view (S14, M1).
    fn missed_one(&mut self, entry: &MissedEntry) {
        let call = &entry.call;
        let cancelled = match call.reason {
            MissedReason::NoAnswer => false,
            MissedReason::Cancelled => true,
            MissedReason::DoNotDisturb => call.cancelled,
            MissedReason::Busy | MissedReason::Unreachable => return,
        };
        if self.held(call.id.invitation).is_some_and(|held| held.open == Some(call.id.turn)) {
            // S4 was given for it: its view is on the way, and says how it ended.
            return;
        }
        if cancelled {
            self.wait_for(missed_ref(entry), Some(call.at), false);
        } else {
            let (call_id, caller) = (call.call_id.clone(), call.caller.clone());
            let about = self.about_missed(call.id, Some(call.at), None, true);
            self.event(Event::IncomingCallTimeout { call_id, caller }, Some(about));
        }
    }

    /// Remembers that this missed call was listed, or that its event was given. The oldest unlisted one makes room.
    pub(super) fn know(&mut self, id: MissedId, listed: bool) {
        if let Some(known) = self.keep.known.iter_mut().find(|k| k.id == id) {
            known.listed |= listed;
            return;
        }
        if self.keep.known.len() >= KNOWN {
            let lists = |id| self.missed.iter().flat_map(|m| &m.calls).any(|e| e.call.id == id);
            let old = self.keep.known.iter().position(|k| !lists(k.id)).unwrap_or(0);
            self.keep.known.remove(old);
        }
        self.keep.known.push(Known { id, listed });
    }

    /// Brings what is on show in line with what is listed; `fresh` pops up, `back` comes back silently, as soon as a list
    /// says what it shows.
    pub(super) fn render(&mut self, fresh: &[MissedId], back: Vec<Key>) {
        for key in back {
            if !self.keep.back.contains(&key) {
                self.keep.back.push(key);
            }
        }
        let many = self.keep.back.len().saturating_sub(SHOWN);
        self.keep.back.drain(..many);
        let Some((groups, all, total)) = self.groups(fresh) else { return };
        let listed = |key: &Key| groups.iter().any(|g| g.key == *key);
        // Of over 100 notifications, one that isn't listed may still stand (docs/protocol.md).
        if all {
            let keep = &mut self.keep;
            for gone in keep.shown.iter().filter(|s| !listed(&s.key)) {
                self.out.push(Output::Withdraw(gone.key.clone()));
            }
            keep.shown.retain(|s| listed(&s.key));
            if let Some(summary) = &mut keep.summary {
                summary.keys.retain(listed);
            }
        }
        let shown = |session: &Self, key: &Key| session.keep.shown.iter().position(|s| s.key == *key);
        let new = groups.iter().filter(|g| g.fresh && shown(self, &g.key).is_none()).count();
        let together = new > ALONE;
        let (mut keys, mut loud) = (Vec::new(), false);
        for group in groups.iter().rev() {
            let on = shown(self, &group.key);
            if group.fresh && on.is_none() && together {
                keys.push(group.key.clone());
                loud |= group.loud && self.sound(&group.missed.caller.id);
            } else if group.fresh {
                let sound = group.loud && self.sound(&group.missed.caller.id);
                self.show(group, sound);
            } else {
                let changed = on.is_some_and(|at| !group.is(&self.keep.shown[at]));
                let returns = on.is_none() && self.keep.back.contains(&group.key) && !self.handling(&group.key);
                if changed || returns {
                    self.show(group, false);
                }
            }
        }
        self.keep.back.retain(|key| !all && !listed(key));
        let at = groups.iter().map(|g| g.at).max().unwrap_or_default();
        self.summarise(keys, loud, total, at);
        while self.keep.shown.len() > SHOWN {
            let oldest = self.keep.shown.remove(0);
            self.out.push(Output::Withdraw(oldest.key));
        }
    }

    /// What is listed, by notification, newest first; whether that is all there is; and how many missed calls.
    fn groups(&self, fresh: &[MissedId]) -> Option<(Vec<Group>, bool, usize)> {
        let (missed, config) = (self.missed.as_ref()?, self.config.as_ref()?);
        let mut groups: Vec<Group> = Vec::new();
        let mut keys: Vec<Key> = Vec::new();
        for entry in &missed.calls {
            let call = &entry.call;
            let missed = missed_ref(entry);
            let key = missed.key();
            if !keys.contains(&key) {
                keys.push(key.clone());
            }
            // spec: C2, C8, M1, M3
            let pops = config.missed_enabled && config.reasons.contains(&call.reason);
            if !pops || call.reason == MissedReason::Unreachable || !entry.existed {
                continue;
            }
            let fresh = fresh.contains(&call.id);
            let loud = fresh && !call.silent && !call.returned;
            if let Some(group) = groups.iter_mut().find(|g| g.key == key) {
                group.fresh |= fresh;
                group.loud |= loud;
                continue;
            }
            let action = match (config.dial_back, call.group, call.can_join) {
                (true, false, _) => Some(Action::CallBack),
                (true, true, true) => Some(Action::Join),
                (true, true, false) | (false, _, _) => None,
            };
            groups.push(Group { key, missed, count: entry.of, at: call.at, action, fresh, loud });
        }
        let all = keys.len() < NOTIFICATIONS || missed.total <= missed.calls.len();
        Some((groups, all, missed.total))
    }

    /// spec: M7
    fn summarise(&mut self, new: Vec<Key>, sound: bool, total: usize, at: Timestamp) {
        let first = !new.is_empty();
        if first {
            self.keep.summary.get_or_insert(Summary { keys: Vec::new(), count: 0 }).keys.extend(new);
        }
        let Some(summary) = &mut self.keep.summary else { return };
        let alone = &self.keep.shown;
        let mut keys: Vec<Key> = Vec::new();
        for key in summary.keys.drain(..) {
            if !keys.contains(&key) && alone.iter().all(|s| s.key != key) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            self.keep.summary = None;
            self.out.push(Output::Withdraw(Key::Summary));
            return;
        }
        let same = summary.count == total;
        *summary = Summary { keys, count: total };
        if first || !same {
            self.out.push(Output::Show(Box::new(Show {
                key: Key::Summary,
                missed: None,
                title: "Missed Call",
                body: format!("{total} missed calls"),
                count: total,
                at,
                action: None,
                sound: first && sound,
            })));
        }
    }

    fn show(&mut self, group: &Group, sound: bool) {
        let now = Shown { key: group.key.clone(), id: group.missed.id, count: group.count, action: group.action };
        match self.keep.shown.iter_mut().find(|s| s.key == group.key) {
            Some(shown) => *shown = now,
            None => self.keep.shown.push(now),
        }
        self.out.push(Output::Show(Box::new(Show {
            key: group.key.clone(),
            missed: Some(group.missed.clone()),
            title: "Missed Call",
            body: body(&group.missed, group.count),
            count: group.count,
            at: group.at,
            action: group.action,
            sound,
        })));
    }

    /// Whether this person's may make a sound now; then it does.
    fn sound(&mut self, person: &UserId) -> bool {
        let now = self.now;
        self.keep.sounded.retain(|(_, at)| at.until(now) < SOUND);
        let quiet = self.keep.sounded.iter().all(|(user, _)| user != person);
        if quiet {
            self.keep.sounded.push((person.clone(), now));
        }
        quiet
    }

    /// Whether a click on this notification, or its dismissal, isn't answered yet.
    fn handling(&self, key: &Key) -> bool {
        let listed = |id: MissedId| self.missed.iter().flat_map(|m| &m.calls).find(|e| e.call.id == id);
        self.asking(|ask| match ask {
            Ask::Click(missed) => missed.key() == *key,
            Ask::Dismiss { missed, .. } => listed(*missed).is_some_and(|e| missed_ref(e).key() == *key),
            _ => false,
        })
    }

    /// spec: M4: a click that never reached the server handles nothing, and its notification comes back, silently.
    pub(super) fn show_again(&mut self, missed: &MissedRef) {
        self.render(&[], vec![missed.key()]);
    }

    /// A notification was clicked (D1, D3).
    pub(super) fn clicked(&mut self, missed: Option<MissedRef>, at: Timestamp) {
        let Some(missed) = missed else {
            // spec: M7: the app opens, and that is all
            self.keep.summary = None;
            self.out.push(Output::Withdraw(Key::Summary));
            return;
        };
        let key = missed.key();
        self.keep.shown.retain(|s| s.key != key);
        self.out.push(Output::Withdraw(key));
        if self.config.is_some() {
            self.deliver(missed, at);
        } else if self.keep.clicks.iter().all(|(kept, _)| kept.id != missed.id) {
            if self.keep.clicks.len() >= CLICKS {
                let (oldest, _) = self.keep.clicks.remove(0);
                self.show_again(&oldest);
            }
            self.keep.clicks.push((missed, at));
        }
    }

    /// Reports a click, and hands it to the app or to the default action (D1).
    pub(super) fn deliver(&mut self, missed: MissedRef, at: Timestamp) {
        let again = self.asking(|ask| matches!(ask, Ask::Click(asked) if asked.id == missed.id));
        if again {
            return;
        }
        if at.until(self.now) > CLICK_LASTS {
            // spec: D3: the app only opens
            return self.show_again(&missed);
        }
        self.ask_own(Ask::Click(Box::new(missed.clone())));
        if self.config.as_ref().is_some_and(|c| c.clicked) {
            self.wait_for(missed, None, true);
        } else {
            self.out.push(Output::DefaultAction(Box::new(missed)));
        }
    }

    fn wait_for(&mut self, missed: MissedRef, at: Option<Timestamp>, clicked: bool) {
        if self.wants.len() >= WANTS {
            let oldest = self.wants.remove(0);
            self.give(oldest, None);
        }
        self.wants.push(Want { missed, at, clicked, until: self.now + PATIENCE });
    }

    /// Gives the events whose call is held, and fetches one of the others: a click's first.
    pub(super) fn want(&mut self) {
        let ready = |session: &Self, want: &Want| {
            let held = session.held(want.missed.id.invitation).filter(|held| !held.lacking)?;
            held.view.clone()
        };
        let mut at = 0;
        while at < self.wants.len() {
            match ready(self, &self.wants[at]) {
                Some(view) => self.informed(view.invitation, Some(&view)),
                None => at += 1,
            }
        }
        let wanted = |id: &InvitationId| self.wants.iter().any(|w| w.missed.id.invitation == *id);
        let fetching = self.asking(|ask| matches!(ask, Ask::Fetch { invitation, .. } if wanted(invitation)));
        if fetching || self.link.as_ref().is_none_or(|link| !link.synced) {
            return;
        }
        if let Some(want) = self.wants.iter().find(|w| w.clicked).or(self.wants.first()) {
            let invitation = want.missed.id.invitation;
            self.ask_own(Ask::Fetch { invitation, offset: 0 });
        }
    }

    /// A fetch brought this call, or was refused.
    pub(super) fn informed(&mut self, id: InvitationId, view: Option<&CallView>) {
        while let Some(at) = self.wants.iter().position(|w| w.missed.id.invitation == id) {
            let want = self.wants.remove(at);
            self.give(want, view);
        }
    }

    /// Gives S2 or S5, with what there is (D1).
    pub(super) fn give(&mut self, want: Want, view: Option<&CallView>) {
        let MissedRef { id, call_id, caller, call_type, .. } = want.missed.clone();
        let at = view.map(|v| v.at).or(want.at);
        let about = self.about_missed(id, at, view.map(|v| v.others_count as usize), view.is_some());
        let custom_data = view.and_then(|v| v.custom_data.clone()).unwrap_or_default();
        let event = if want.clicked {
            let callees: Vec<Person> = view.map(|v| self.callees(v)).unwrap_or_default();
            Event::IncomingMissedCallClicked { call_id, caller, call_type, callees, custom_data, missed: want.missed }
        } else {
            Event::IncomingCallCanceled { call_id, caller, custom_data }
        };
        self.event(event, Some(about));
    }

    fn about_missed(&self, id: MissedId, at: Option<Timestamp>, count: Option<usize>, complete: bool) -> About {
        let listed = self.missed.iter().flat_map(|m| &m.calls).find(|e| e.call.id == id);
        let at = at.or(listed.map(|e| e.call.at)).unwrap_or_default();
        About { invitation: id.invitation, turn: Some(id.turn), at, count, complete }
    }
}

/// The default message (M5, M6).
fn body(missed: &MissedRef, count: usize) -> String {
    let caller = &missed.caller;
    let name = if caller.name.is_empty() { caller.id.as_str() } else { &caller.name };
    match (missed.group, missed.call_type, count) {
        (false, _, 2..) => format!("{name} · {count} missed calls"),
        (false, CallType::Video, _) => format!("{name} Video Call"),
        (false, CallType::Voice, _) => format!("{name} Audio Call"),
        (true, CallType::Video, _) => format!("{name} Group Video Call"),
        (true, CallType::Voice, _) => format!("{name} Group Audio Call"),
    }
}
