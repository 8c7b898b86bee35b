//! The commands that ask one thing and are done.

use super::args::{BlockArgs, DndArgs, HistoryArgs, Lasting, MissedArgs, UnblockArgs};
use super::{json as object, say};
use anyhow::{Result, ensure};
use ringback_client::{CallInvitationService, Direction, EndReason, HistoryEntry, MissedCall, Outcome, display_name};
use serde_json::json;
use std::time::Duration;

/// Entries of a page, as many as the server gives.
const PAGE: usize = 100;

/// `ringback missed`
pub(super) async fn missed(args: MissedArgs) -> Result<()> {
    args.who
        .passing(async |service: CallInvitationService| {
            let mut calls: Vec<MissedCall> = Vec::new();
            loop {
                let page = service.missed_calls(calls.len()).await?;
                let last = page.calls.is_empty();
                calls.extend(page.calls);
                if last || calls.len() >= page.total {
                    break;
                }
            }
            if args.who.json {
                calls.iter().for_each(|call| println!("{}", object::missed(call)));
            } else if calls.is_empty() {
                println!("nothing missed");
            } else {
                let row = |call: &MissedCall| {
                    let name = display_name(&call.caller).to_owned();
                    let kind = say::kind(call.call_type, call.group);
                    vec![name, kind, say::words(call.reason), format!("{} ago", ago(call.missed_at.0))]
                };
                print!("{}", say::table(&calls.iter().map(row).collect::<Vec<_>>()));
            }
            if args.dismiss {
                for call in &calls {
                    service.dismiss_missed_call(call).await?;
                }
                if !args.who.json && !calls.is_empty() {
                    println!("{} dismissed", calls.len());
                }
            }
            Ok(())
        })
        .await
}

/// `ringback history`
pub(super) async fn history(args: HistoryArgs) -> Result<()> {
    args.who
        .passing(async |service: CallInvitationService| {
            let mut entries: Vec<HistoryEntry> = Vec::new();
            let mut before = None;
            let limit = args.limit as usize;
            while entries.len() < limit {
                let most = (limit - entries.len()).min(PAGE);
                let page = service.history(before, u32::try_from(most)?).await?;
                entries.extend(page.entries);
                before = page.cursor;
                if before.is_none() {
                    break;
                }
            }
            if args.who.json {
                entries.iter().for_each(|entry| println!("{}", object::history(entry)));
            } else if entries.is_empty() {
                println!("no calls yet");
            } else {
                print!("{}", say::table(&entries.iter().map(row).collect::<Vec<_>>()));
            }
            Ok(())
        })
        .await
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let way = match entry.direction {
        Direction::Outgoing => "to",
        Direction::Incoming => "from",
        Direction::Joined => "with",
    };
    let more = (entry.with_count as usize).saturating_sub(entry.with.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let lasted = Duration::from_millis(entry.ended_at.0.saturating_sub(entry.at.0));
    let outcome = outcome(entry.outcome, lasted);
    let who = format!("{way} {}{more}", say::names(&entry.with));
    vec![who, say::kind(entry.call_type, entry.group), outcome, format!("{} ago", ago(entry.at.0))]
}

/// How a past call came out, for people.
fn outcome(outcome: Outcome, lasted: Duration) -> String {
    match outcome {
        Outcome::Answered => format!("answered, {}", say::about(lasted)),
        Outcome::Declined => "declined".to_owned(),
        Outcome::Missed(reason) => format!("missed: {}", say::words(reason)),
        Outcome::Unanswered(EndReason::Cancelled) => "called off".to_owned(),
        Outcome::Unanswered(reason @ (EndReason::Declined | EndReason::Busy | EndReason::Unreachable)) => {
            say::words(reason)
        }
        // However it ended: whoever called was alone in it.
        Outcome::Unanswered(_) => "not answered".to_owned(),
    }
}

/// `ringback block`
pub(super) async fn block(args: BlockArgs) -> Result<()> {
    args.who.can_be(&args.user)?;
    args.who
        .passing(async |service: CallInvitationService| {
            let Some(user) = &args.user else {
                let blocked = service.blocked();
                for user in &blocked {
                    match args.who.json {
                        true => println!("{}", json!({ "user": user.as_str() })),
                        false => println!("{user}"),
                    }
                }
                if blocked.is_empty() && !args.who.json {
                    println!("nobody is blocked");
                }
                return Ok(());
            };
            ensure!(user != service.user().as_str(), "you can't block yourself");
            service.block(user).await?;
            match args.who.json {
                true => println!("{}", json!({ "user": user, "blocked": true })),
                false => println!("{user} is blocked: their calls don't reach you, and they can't tell"),
            }
            Ok(())
        })
        .await
}

/// `ringback unblock`
pub(super) async fn unblock(args: UnblockArgs) -> Result<()> {
    args.who
        .passing(async |service: CallInvitationService| {
            service.unblock(&args.user).await?;
            match args.who.json {
                true => println!("{}", json!({ "user": args.user, "blocked": false })),
                false => println!("{} can call you again", args.user),
            }
            Ok(())
        })
        .await
}

/// `ringback dnd`
pub(super) async fn do_not_disturb(args: DndArgs) -> Result<()> {
    args.who.can_be(&args.let_through)?;
    args.who
        .passing(async |service: CallInvitationService| {
            let people: Vec<&str> = args.let_through.iter().map(String::as_str).collect();
            match args.lasting {
                None => {}
                Some(Lasting::Off) => service.set_do_not_disturb(None, &[]).await?,
                Some(Lasting::For(span)) => service.set_do_not_disturb(Some(span), &people).await?,
            }
            let set = service.do_not_disturb();
            let people = |set: &ringback_client::DoNotDisturb| {
                set.let_through.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            if args.who.json {
                let remaining = set.as_ref().map(|set| set.remaining.as_millis() as u64);
                let let_through = set.as_ref().map(people).unwrap_or_default();
                println!("{}", json!({ "on": set.is_some(), "remaining_ms": remaining, "let_through": let_through }));
                return Ok(());
            }
            match set {
                None => println!("do-not-disturb is off: calls ring"),
                Some(set) if set.let_through.is_empty() => {
                    println!("do-not-disturb for {}: nothing rings", say::about(set.remaining));
                }
                Some(set) => {
                    let people = people(&set).join(", ");
                    println!("do-not-disturb for {}: nobody rings but {people}", say::about(set.remaining));
                }
            }
            Ok(())
        })
        .await
}

fn ago(at: u64) -> String {
    say::about(ringback_core::time::Timestamp(at).until(ringback_server::wall()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringback_client::MissedReason;

    #[test]
    fn how_a_call_came_out_is_said_for_people() {
        let said = |of: Outcome| outcome(of, Duration::from_secs(42));
        for nobody in [EndReason::Alone, EndReason::Left, EndReason::TimedOut, EndReason::Ended, EndReason::Lost] {
            assert_eq!(said(Outcome::Unanswered(nobody)), "not answered");
        }
        assert_eq!(said(Outcome::Unanswered(EndReason::Cancelled)), "called off");
        assert_eq!(said(Outcome::Unanswered(EndReason::Busy)), "busy");
        assert_eq!(said(Outcome::Missed(MissedReason::NoAnswer)), "missed: no answer");
        assert_eq!([said(Outcome::Answered), said(Outcome::Declined)], ["answered, 42 s", "declined"]);
    }
}
