//! What an app's media needs (R1): signals to the others in the call, and ICE servers. Sound and picture are its own.
//!
//! Both end with the connection that they were asked on: they are never repeated and never kept.

use crate::error::{CallError, ConfigError};
use crate::service::CallInvitationService;
use crate::task::{Command, request_id};
use crate::{Code, InvitationId};
use ringback_core::id::{DeviceId, RequestId, UserId};
use ringback_core::refusal::Refusal;
use ringback_core::step::{self, Ask};
use ringback_protocol::{Done, Request, SIGNAL_BYTES};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

pub use ringback_protocol::IceServer;

/// Requests that may wait for their answer.
const WAITING: usize = 64;
/// Signals that a [`Signals`] reader may be behind before it loses the oldest, which media has to bear anyhow.
pub(crate) const SIGNALS: usize = 64;
/// How long one may wait: a server that answers at all does so at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// What another participant's media says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// The call.
    pub invitation: InvitationId,
    /// Who says it.
    pub from: UserId,
    /// The device that they are in the call on.
    pub device: DeviceId,
    /// What they sent: a JSON object.
    pub data: Arc<str>,
}

impl From<step::Signal> for Signal {
    fn from(signal: step::Signal) -> Self {
        let step::Signal { invitation, from, device, data } = signal;
        Self { invitation, from, device, data }
    }
}

/// What the media of the others says, as it comes. It is a stream of its own, so that no peer crowds out an event.
#[derive(Debug)]
pub struct Signals(broadcast::Receiver<Signal>);

impl Signals {
    /// The next signal; none when the service is gone. Nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Signal> {
        loop {
            match self.0.recv().await {
                Ok(signal) => return Some(signal),
                Err(broadcast::error::RecvError::Lagged(lost)) => tracing::debug!(lost, "signals were lost"),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// STUN and TURN servers, in the order in which they are to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServers {
    /// In WebRTC's own form; none, if the operator has set up none.
    pub servers: Vec<IceServer>,
    /// For how long their credentials are valid; ask again before that.
    pub expires_in: Option<Duration>,
}

/// A request of one connection alone, and who waits for it.
#[derive(Debug)]
pub(crate) struct Passing {
    pub(crate) ask: Ask,
    pub(crate) answer: oneshot::Sender<Result<Done, Refusal>>,
}

/// Who waits for which request of the connection. When it is dropped, or cleared, they learn that there is no answer.
#[derive(Debug, Default)]
pub(crate) struct Waiting(HashMap<RequestId, oneshot::Sender<Result<Done, Refusal>>>);

impl Waiting {
    /// Takes a request in; gives it as it goes to the server, unless too many wait.
    pub(crate) fn take(&mut self, passing: Passing) -> Option<(RequestId, Request)> {
        let Passing { ask, answer } = passing;
        // Who lost interest waits no longer.
        self.0.retain(|_, waiting| !waiting.is_closed());
        let id = request_id().ok().filter(|_| self.0.len() < WAITING)?;
        self.0.insert(id.clone(), answer);
        Some((id, Request::Ask(ask)))
    }

    /// Takes an answer, if it is one of these.
    pub(crate) fn answered(&mut self, id: &RequestId, answer: &Result<Done, Refusal>) -> bool {
        let Some(waiting) = self.0.remove(id) else { return false };
        // Who asked may have lost interest.
        let _ = waiting.send(answer.clone());
        true
    }

    /// The connection is gone, and the answers with it.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl CallInvitationService {
    /// Hands something to the media of another participant of this call, or the one that this device is in: to the
    /// device that they are in it on (only if it is `device`, if that is given), and to nobody else.
    ///
    /// `data` is a JSON object of at most 32 KiB. It comes by [`signals`](Self::signals), at most once: a peer that is away
    /// for a moment doesn't get it (`unavailable`), and what was taken may still be lost.
    pub async fn signal(
        &self,
        to: &str,
        device: Option<&DeviceId>,
        data: &str,
        invitation: impl Into<Option<InvitationId>>,
    ) -> Result<(), CallError> {
        let invitation = self.this_call(invitation.into())?;
        let to = crate::config::check_id("to", to)?;
        let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(data);
        if object.is_err() || data.len() > SIGNAL_BYTES {
            return Err(
                ConfigError::new("data", format!("must be a JSON object of at most {SIGNAL_BYTES} bytes")).into()
            );
        }
        let ask = Ask::Signal { invitation, to, device: device.cloned(), data: data.into() };
        self.pass(ask).await.map(drop)
    }

    /// What the media of the others says from here on. Each reader has all of it.
    pub fn signals(&self) -> Signals {
        Signals(self.shared().signals.subscribe())
    }

    /// Asks for the STUN and TURN servers that the operator has set up, for this call or the one that this device is in.
    pub async fn ice_servers(&self, invitation: impl Into<Option<InvitationId>>) -> Result<IceServers, CallError> {
        let invitation = self.this_call(invitation.into())?;
        match self.pass(Ask::IceServers { invitation }).await? {
            Done::IceServers { servers, expires_in } => Ok(IceServers { servers, expires_in }),
            _ => Err(CallError::new(Code::Internal, "the server's answer can't be read")),
        }
    }

    async fn pass(&self, ask: Ask) -> Result<Done, CallError> {
        let (answer, answered) = oneshot::channel();
        let away = || {
            let message = "there is no connection just now, or too much waits: try again in a moment";
            let retry_after = Some(Duration::from_secs(1));
            CallError::from(Refusal { retry_after, ..Refusal::new(Code::Unavailable, message) })
        };
        self.commands().send(Command::Pass(Box::new(Passing { ask, answer }))).await.map_err(|_| away())?;
        let answered = tokio::time::timeout(PATIENCE, answered).await.map_err(|_| away())?;
        answered.map_err(|_| away())?.map_err(Into::into)
    }
}
