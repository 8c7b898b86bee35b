//! Who may reach whom with what their media needs (R1): those who are in the call, from device to device.

use super::Call;
use super::record::TurnRecord;
use crate::id::{DeviceId, UserId};
use crate::refusal::{Code, Refusal};

impl Call {
    /// Says that this device is the one that the user is in the call on.
    pub(crate) fn here(&self, user: &UserId, device: &DeviceId) -> Result<(), Refusal> {
        self.member(user)?;
        let here = self.running() && self.last_turn(user).and_then(TurnRecord::device) == Some(device);
        if here { Ok(()) } else { Err(self.not_allowed()) }
    }

    /// The device that another user is in the call on: any, or this one.
    pub(crate) fn there(&self, user: &UserId, device: Option<&DeviceId>) -> Result<&DeviceId, Refusal> {
        let there = self.last_turn(user).filter(|_| self.running()).and_then(TurnRecord::device);
        there.filter(|there| device.is_none_or(|device| device == *there)).ok_or_else(|| Refusal {
            // The same for who was never in it, who rings, and who has left.
            field: Some("to"),
            ..Refusal::new(Code::NotFound, "isn't in the call now, or not on that device")
        })
    }
}
