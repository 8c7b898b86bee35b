//! `ringback call`: calls, shows how it goes, and stays until it is over.

use super::args::CallArgs;
use super::keys::{Key, Keys};
use super::say::{self, Company, HANG_UP, Screen, Standing};
use super::told::{self, Told};
use super::{BEAT, json, reach, refusal};
use anyhow::{Result, bail, ensure};
use ringback_client::{
    CallEvent, CallInvitationService, ConnectionState, Events, InvitationId, InviteOptions, SendOptions,
};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Runs `ringback call`.
pub(super) async fn run(args: CallArgs) -> Result<()> {
    args.who.can_be(&args.users)?;
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
    for (at, user) in args.users.iter().enumerate() {
        ensure!(user != service.user().as_str(), "you can't call yourself");
        ensure!(!args.users[..at].contains(user), "{user} is named twice");
    }
    let until = Instant::now() + Duration::from_secs(args.timeout.into());
    let sent = service.send(options).await?;
    for (user, code) in &sent.refused {
        screen.line(&format!("{user} can't be called: {}", refusal::why(*code)));
    }
    let mut told = Told::new(sent.crossed);
    follow(service, sent.invitation, until, &mut told, (&mut events, keys, screen)).await?;
    Ok(told.answered)
}

/// Tells how the call goes until it is over, or hung up.
async fn follow(
    service: &CallInvitationService,
    invitation: InvitationId,
    until: Instant,
    told: &mut Told,
    (events, keys, screen): (&mut Events, &mut Keys, &mut Screen),
) -> Result<()> {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut alone = false;
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { return Ok(()) };
                screen.object(&json::event(&event));
                told.lines(&event, told::of_group(service, &event)).iter().for_each(|line| screen.line(line));
                if matches!(event, CallEvent::CallEnded { .. }) {
                    return Ok(());
                }
            }
            key = keys.next() => {
                if matches!(key, Key::Interrupt | Key::Letter('h' | 'q')) {
                    if service.connection_state() != ConnectionState::Connected {
                        screen.line("hanging up when the connection is back · Ctrl-C quits at once");
                    }
                    let said = told.hung_up(invitation);
                    tokio::select! {
                        done = hang_up(service, invitation) => done?,
                        () = interrupted(keys) => return Ok(()),
                    }
                    screen.line(&said);
                    return Ok(());
                }
            }
            _ = beat.tick() => {}
        }
        let Some(call) = service.call(invitation).filter(|call| call.ended.is_none()) else { continue };
        told.look(&call);
        let company = say::company(&call);
        if call.group && matches!(company, Company::Alone) && !std::mem::replace(&mut alone, true) {
            // spec: L6
            screen.line("nobody is in the call; for a minute, whoever missed it can still join");
        }
        alone &= matches!(company, Company::Alone);
        let left = until.saturating_duration_since(Instant::now());
        if service.connection_state() != ConnectionState::Connected {
            screen.standing(&Standing::new(["reconnecting…"], [HANG_UP]));
            continue;
        }
        let facts = match company {
            Company::With(others) => vec![format!("in the call with {others}")],
            Company::Rings(_) => vec!["ringing".to_owned(), say::about(left + Duration::from_millis(999))],
            Company::Alone => vec!["alone in the call".to_owned()],
        };
        screen.standing(&Standing::new(facts, [HANG_UP]));
    }
}

/// Waits for Ctrl-C.
async fn interrupted(keys: &mut Keys) {
    while keys.next().await != Key::Interrupt {}
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
