//! Reads the fields of a JSON object, each against its bound, and says by name which one is wrong.

use crate::value::{Map, Value};
use crate::word::Word;
use ringback_core::id::BadId;
use ringback_core::refusal::{Code, Refusal};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

/// An object of a frame. Each field is asked for by its full name (`device.id`); the part after the last dot is its
/// key here. `null` counts as absent.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<'a>);

/// How long a text may be.
#[derive(Clone, Copy)]
pub(crate) enum Longest {
    Bytes(usize),
    Chars(usize),
}

impl<'a> Fields<'a> {
    pub(crate) fn get(self, name: &'static str) -> Option<&'a Value<'a>> {
        let key = name.rsplit('.').next().unwrap_or(name);
        self.0.get(key).filter(|value| !matches!(value, Value::Null))
    }

    pub(crate) fn object(self, name: &'static str) -> Result<Option<Fields<'a>>, Refusal> {
        self.get(name)
            .map(|value| value.as_object().map(Fields).ok_or_else(|| Refusal::field(name, "must be an object")))
            .transpose()
    }

    pub(crate) fn list(self, name: &'static str, most: usize) -> Result<Option<&'a [Value<'a>]>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let list = value.as_list().ok_or_else(|| Refusal::field(name, "must be a list"))?;
        if list.len() > most {
            return Err(Refusal::field(name, format!("must have at most {most} entries")));
        }
        Ok(Some(list))
    }

    pub(crate) fn flag(self, name: &'static str, default: bool) -> Result<bool, Refusal> {
        self.get(name)
            .map_or(Ok(default), |value| value.as_bool().ok_or_else(|| Refusal::field(name, "must be true or false")))
    }

    pub(crate) fn whole(self, name: &'static str, range: RangeInclusive<u64>) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_u64().filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            Refusal::field(name, format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    pub(crate) fn text(self, name: &'static str, longest: Longest) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| Refusal::field(name, "must be a text"))?;
        let (length, most, unit) = match longest {
            Longest::Bytes(most) => (text.len(), most, "bytes"),
            // A text has at least as many bytes as characters, so the common case counts nothing.
            Longest::Chars(most) if text.len() <= most => (0, most, "characters"),
            Longest::Chars(most) => (text.chars().count(), most, "characters"),
        };
        if length > most {
            let message = format!("must have at most {most} {unit}");
            return Err(Refusal { field: Some(name), ..Refusal::new(Code::PayloadTooLarge, message) });
        }
        Ok(Some(text))
    }

    /// A text that may be absent but not empty, of at most 128 bytes, like a resource's name.
    pub(crate) fn label(self, name: &'static str) -> Result<Option<Arc<str>>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| Refusal::field(name, "must be a text"))?;
        // A user's id has the bounds of every id.
        ringback_core::id::UserId::new(text).map_err(|bad| Refusal::field(name, bad.to_string()))?;
        Ok(Some(text.into()))
    }

    pub(crate) fn maybe_id<T: FromStr<Err = BadId>>(self, name: &'static str) -> Result<Option<T>, Refusal> {
        self.get(name).map(|value| id(name, value)).transpose()
    }

    pub(crate) fn id<T: FromStr<Err = BadId>>(self, name: &'static str) -> Result<T, Refusal> {
        self.maybe_id(name).and_then(|id| needed(name, id))
    }

    pub(crate) fn word<T: Word>(self, name: &'static str) -> Result<T, Refusal> {
        needed(name, self.get(name)).and_then(|value| word(name, value))
    }
}

/// An id out of a list, or of a field.
pub(crate) fn id<T: FromStr<Err = BadId>>(name: &'static str, value: &Value<'_>) -> Result<T, Refusal> {
    let text = value.as_str().ok_or_else(|| Refusal::field(name, "must be a text"))?;
    text.parse().map_err(|bad: BadId| Refusal::field(name, bad.to_string()))
}

/// A word out of a list, or of a field.
pub(crate) fn word<T: Word>(name: &'static str, value: &Value<'_>) -> Result<T, Refusal> {
    value.as_str().and_then(T::of).ok_or_else(|| {
        let words: Vec<&str> = T::ALL.iter().map(|(_, word)| *word).collect();
        Refusal::field(name, format!("must be one of {}", words.join(", ")))
    })
}

/// What must be there.
pub(crate) fn needed<T>(name: &'static str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::field(name, "is missing"))
}
