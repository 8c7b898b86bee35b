//! `ringback call`: calls, shows how it goes, and stays until it is over.

use super::args::CallArgs;
use super::keys::{Key, Keys};
use super::reach;
use super::say::{self, Screen};
use anyhow::{Result, bail};
use ringback_client::{
    Call, CallEvent, CallInvitationService, Events, InvitationId, InviteOptions, SendOptions, TurnState, UserId,
    display_name,
};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Runs `ringback call`.
pub(super) async fn run(args: CallArgs) -> Result<()> {
    let service = CallInvitationService::init(args.who.init().await?).await?;
    let mut keys = Keys::new(!args.who.json);
    let mut screen = Screen::new(args.who.json, keys.terminal());
    let done = call(&service, &args, &mut keys, &mut screen).await;
    // Signs off as well when it went wrong: whoever still rings stops.
    service.uninit().await;
    let answered = done?;
    if answered { Ok(()) } else { bail!("nobody answered") }
}

/// Calls, and says whether somebody answered.
async fn call(service: &CallInvitationService, args: &CallArgs, keys: &mut Keys, screen: &mut Screen) -> Result<bool> {
    let mut events = service.events();
    reach(service).await?;
    let options = SendOptions {
        invite: InviteOptions { timeout_seconds: args.timeout, ..InviteOptions::to(args.users.iter()) },
        is_video_call: args.video,
        custom_data: args.custom_data.clone(),
        call_id: args.call_id.clone(),
    };
    let until = Instant::now() + Duration::from_secs(args.timeout.into());
    let sent = service.send(options).await?;
    for (user, code) in &sent.refused {
        screen.line(&format!("{user} can't be called: {}", code.as_str().replace('_', " ")));
    }
    let mut going = Going { answered: sent.crossed, told: BTreeSet::new() };
    going.follow(service, sent.invitation, until, &mut events, keys, screen).await?;
    Ok(going.answered)
}

/// How the call goes.
struct Going {
    answered: bool,
    /// Of whom it was said that they answered.
    told: BTreeSet<UserId>,
}

impl Going {
    async fn follow(
        &mut self,
        service: &CallInvitationService,
        invitation: InvitationId,
        until: Instant,
        events: &mut Events,
        keys: &mut Keys,
        screen: &mut Screen,
    ) -> Result<()> {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { return Ok(()) };
                    screen.object(&say::event(&event));
                    self.tell(&event, screen);
                    if matches!(event, CallEvent::CallEnded { .. }) {
                        return Ok(());
                    }
                }
                key = keys.next() => {
                    if matches!(key, Key::Interrupt | Key::Letter('h' | 'q')) {
                        return hang_up(service, invitation).await;
                    }
                }
                _ = second.tick() => {}
            }
            let call = service.call(invitation);
            screen.standing(standing(call.as_ref(), until.saturating_duration_since(Instant::now())));
        }
    }

    fn tell(&mut self, event: &CallEvent, screen: &mut Screen) {
        let line = match event {
            CallEvent::OutgoingCallSent { callees, call_type, .. } => {
                format!("calling {} ({})", say::names(callees), say::word(call_type))
            }
            CallEvent::OutgoingCallAccepted { callee, .. } => {
                self.answered = true;
                self.told.insert(callee.id.clone());
                format!("{} answered", display_name(callee))
            }
            CallEvent::OutgoingCallDeclined { callee, .. } => format!("{} declined", display_name(callee)),
            CallEvent::OutgoingCallRejectedCauseBusy { callee, .. } => format!("{} is busy", display_name(callee)),
            CallEvent::OutgoingCallTimeout { callees, .. } => format!("{} didn't answer", say::names(callees)),
            CallEvent::CallEnded { reason, .. } => format!("the call is over: {}", say::words(reason)),
            CallEvent::InvitationUserStateChanged { users, .. } => {
                for (user, state) in users {
                    let name = display_name(user);
                    match state {
                        TurnState::Ringing => screen.line(&format!("it rings at {name}'s")),
                        TurnState::Accepted if self.told.insert(user.id.clone()) => {
                            screen.line(&format!("{name} is in the call"));
                        }
                        TurnState::Left => {
                            self.told.remove(&user.id);
                            screen.line(&format!("{name} left"));
                        }
                        _ => {}
                    }
                }
                return;
            }
            CallEvent::Error { message, .. } => message.clone(),
            _ => return,
        };
        screen.line(&line);
    }
}

fn standing(call: Option<&Call>, left: Duration) -> String {
    let Some(call) = call.filter(|call| call.ended.is_none()) else { return String::new() };
    match call.in_call {
        2.. => format!("in the call: {} people · h hang up", call.in_call),
        _ if left.is_zero() => "alone in the call · h hang up".to_owned(),
        _ => format!("ringing · {} · h hang up", say::about(left + Duration::from_millis(999))),
    }
}

/// Leaves the call that others are in, else calls it off.
async fn hang_up(service: &CallInvitationService, invitation: InvitationId) -> Result<()> {
    let others = service.call(invitation).is_some_and(|call| call.in_call > 1);
    if others {
        service.leave(invitation).await?
    } else {
        service.end(invitation).await?
    }
    Ok(())
}
