//! Between the machine's words and the wire's.

use crate::HistoryPage;
use ringback_core::device::{Answered, Ask, Bye, Frame};
use ringback_core::id::UserId;
use ringback_core::line::DoNotDisturb;
use ringback_core::step::{self, Invitee, Send};
use ringback_core::time::Timestamp;
use ringback_protocol::client::HISTORY_PAGE;
use ringback_protocol::{ByeCode, Done, Request, ServerFrame, Terms, Token};

/// A request as it goes to the server.
pub(crate) fn request(ask: Ask, terms: Terms, now: Timestamp) -> Request {
    let Terms { end_when_initiator_leaves, can_invite_in_calling, only_initiator_can_invite } = terms;
    let people = |invitees: Vec<UserId>| {
        invitees.into_iter().map(|user| Invitee { user, unreachable: false }).collect::<Vec<_>>()
    };
    Request::Ask(match ask {
        Ask::Send { invitees, call_type, custom_data, call_id, ring } => step::Ask::Send(Send {
            invitees: people(invitees),
            call_type,
            custom_data,
            call_id,
            ring,
            end_when_initiator_leaves,
            can_invite_in_calling,
            only_initiator_can_invite,
        }),
        Ask::Invite { invitation, invitees, ring } => {
            step::Ask::Invite { invitation, invitees: people(invitees), ring }
        }
        Ask::Ringing { invitation, turn } => step::Ask::Ringing { invitation, turn },
        // The machine fills in the turn and whom before it sends; a turn that is none is refused by the server.
        Ask::Accept { invitation, turn } => step::Ask::Accept { invitation, turn: turn.unwrap_or(0) },
        Ask::Reject { invitation, turn, busy } => step::Ask::Reject { invitation, turn: turn.unwrap_or(0), busy },
        Ask::Cancel { invitation, whom } => {
            step::Ask::Cancel { invitation, whom: whom.unwrap_or(step::CancelWhom::All { seen: 0 }) }
        }
        Ask::Join { invitation } => step::Ask::Join { invitation },
        Ask::Leave { invitation } => step::Ask::Leave { invitation },
        Ask::End { invitation } => step::Ask::End { invitation },
        Ask::DialBack(dial) => step::Ask::DialBack {
            missed: dial.missed.id,
            ring: step::Ring {
                timeout: dial.timeout,
                resource_id: dial.resource_id,
                title: dial.title,
                message: dial.message,
            },
            end_when_initiator_leaves,
            can_invite_in_calling,
            only_initiator_can_invite,
            unreachable: false,
        },
        Ask::Click(missed) => step::Ask::Click { missed: missed.id },
        Ask::Dismiss { missed, notification } => step::Ask::Dismiss { missed, notification },
        Ask::Block(user) => step::Ask::Block(user),
        Ask::Unblock(user) => step::Ask::Unblock(user),
        Ask::DoNotDisturb { lasts, let_through } => step::Ask::SetDoNotDisturb(
            lasts.map(|lasts| DoNotDisturb { until: now + lasts, let_through: let_through.into_iter().collect() }),
        ),
        Ask::Fetch { invitation, offset } => step::Ask::Fetch { invitation, offset },
        Ask::MissedCalls { offset } => step::Ask::MissedCalls { offset },
        Ask::History { before, limit } => {
            let limit = limit.map_or(HISTORY_PAGE / 2, |limit| limit as usize);
            return Request::History { before, limit };
        }
        Ask::UpdateToken(token) => return Request::UpdateToken(Token(token.0.as_ref().to_owned())),
        Ask::Uninit => step::Ask::Uninit,
    })
}

/// What the machine reads of a frame; a page of history, which it doesn't, beside it.
pub(crate) fn frame(frame: ServerFrame) -> (Frame, Option<HistoryPage>) {
    let mut page = None;
    let frame = match frame {
        ServerFrame::Welcome(greeting) => {
            Frame::Welcome { person: greeting.user, ping: greeting.ping, token_expires_in: greeting.token_expires_in }
        }
        ServerFrame::Call(view) => Frame::Call(view),
        ServerFrame::Gone(invitation) => Frame::Gone(invitation),
        ServerFrame::Missed(view) => Frame::Missed(view),
        ServerFrame::Synced => Frame::Synced,
        // What media says, and the settings, don't concern the machine.
        ServerFrame::Pong | ServerFrame::Signal(_) | ServerFrame::Settings(_) => Frame::Alive,
        ServerFrame::Reply { id, answer } => Frame::Reply {
            id,
            answer: answer.map(|done| match done {
                Done::Core(reply) => Answered::Core(reply),
                Done::History { entries, cursor } => {
                    page = Some(HistoryPage { entries, cursor });
                    Answered::Other
                }
                Done::IceServers { .. } => Answered::Other,
                Done::Token { expires_in } => Answered::Token(expires_in),
            }),
        },
        ServerFrame::Bye(bye) => Frame::Bye(match bye.code {
            ByeCode::Replaced => Bye::Replaced,
            ByeCode::Unauthorized => Bye::Unauthorized,
            ByeCode::UpgradeRequired => Bye::UpgradeRequired,
            ByeCode::BadRequest
            | ByeCode::PayloadTooLarge
            | ByeCode::Slow
            | ByeCode::ShuttingDown
            | ByeCode::Unavailable => Bye::Other,
        }),
    };
    (frame, page)
}
