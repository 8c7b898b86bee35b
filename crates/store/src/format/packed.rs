//! The journal's form of values: each after the other, as small as can be, without names.
//!
//! A number takes seven bits a byte, the lowest first, the eighth says that more follow; a text or a list begins with
//! its length; a name is its place in its list. A struct begins with how many fields it has, in their order: one with
//! fewer than are known is from before there were more, and has them at their usual values.

use super::mirror::Mirror;
use std::fmt::Display;

/// What is packed isn't what was expected.
#[derive(Debug, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(super) struct Unreadable {
    what: String,
    at: usize,
}

/// Puts a number at the end.
pub(super) fn number(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Puts a length at the end.
pub(super) fn length(of: usize, to: &mut Vec<u8>) {
    number(of as u64, to);
}

/// Puts a text at the end.
pub(super) fn text(text: &str, to: &mut Vec<u8>) {
    length(text.len(), to);
    to.extend_from_slice(text.as_bytes());
}

/// Takes packed values one after the other. Whatever the bytes, it ends, and makes no room for more than they hold.
pub(super) struct Unpacking<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Unpacking<'a> {
    /// Begins at the first byte.
    pub(super) fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// Says what is wrong here.
    pub(super) fn wrong(&self, what: impl Display) -> Unreadable {
        Unreadable { what: what.to_string(), at: self.at }
    }

    /// Takes `count` bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let rest = self.whole.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..count) else {
            return Err(self.wrong("it ends too early"));
        };
        self.at += count;
        Ok(taken)
    }

    /// Takes a byte.
    pub(super) fn byte(&mut self) -> Result<u8, Unreadable> {
        Ok(self.bytes(1)?[0])
    }

    /// Takes a number.
    pub(super) fn number(&mut self) -> Result<u64, Unreadable> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number is too large"))
    }

    /// Takes a length: of what has at least a byte each.
    pub(super) fn length(&mut self) -> Result<usize, Unreadable> {
        let length = self.number()?;
        let left = self.whole.len() - self.at;
        usize::try_from(length).ok().filter(|n| *n <= left).ok_or_else(|| self.wrong("it ends too early"))
    }

    /// Takes a text.
    pub(super) fn text(&mut self) -> Result<&'a str, Unreadable> {
        let length = self.length()?;
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes).map_err(|error| self.wrong(error))
    }

    /// Takes a list.
    pub(super) fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Unreadable> {
        let length = self.length()?;
        (0..length).map(|_| one(self)).collect()
    }

    /// Takes how many fields a struct has, of which `known` are known.
    pub(super) fn fields(&mut self, known: u8) -> Result<u8, Unreadable> {
        let fields = self.byte()?;
        if fields > known { Err(self.wrong("there are more fields than are known")) } else { Ok(fields) }
    }

    /// Takes the next field, of as many as are `left`.
    pub(super) fn field<M: Mirror>(&mut self, left: &mut u8) -> Result<M::Core, Unreadable> {
        match left.checked_sub(1) {
            Some(less) => {
                *left = less;
                M::unpack(self)
            }
            None => M::absent().ok_or_else(|| self.wrong("a field is missing")),
        }
    }

    /// Checks that nothing is left.
    pub(super) fn end(&self) -> Result<(), Unreadable> {
        if self.at == self.whole.len() { Ok(()) } else { Err(self.wrong("more follows than belongs to it")) }
    }
}
