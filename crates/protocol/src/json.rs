//! Writes JSON straight from the core's values: nothing is made in between.

use crate::ask::millis;
use crate::media::IceServer;
use ringback_core::id::{CallId, DeviceId, InvitationId, RequestId, UserId};
use ringback_core::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A text in the making.
pub(crate) struct Out {
    text: Vec<u8>,
    /// What moments become durations by.
    pub(crate) now: Timestamp,
}

/// A value that stands on the wire.
pub(crate) trait Json {
    /// Writes it.
    fn write(&self, out: &mut Out);

    /// Whether a field of this value is left out.
    fn absent(&self) -> bool {
        false
    }
}

/// A value that stands on the wire as an object.
pub(crate) trait Object {
    /// Writes its fields.
    fn fields(&self, out: &mut Out);
}

/// Writes fields of an object, in their order; what is absent is left out.
macro_rules! fields {
    ($out:expr, $($key:literal: $value:expr),* $(,)?) => {{
        use $crate::json::Json as _;
        let out: &mut $crate::json::Out = $out;
        $(
            let value = &$value;
            if !value.absent() {
                out.raw(concat!(",\"", $key, "\":"));
                value.write(out);
            }
        )*
    }};
}
pub(crate) use fields;

impl Out {
    pub(crate) fn new(now: Timestamp) -> Self {
        // Most are views of one-to-one calls: room for one from the start.
        Self { text: Vec::with_capacity(704), now }
    }

    /// What was written.
    pub(crate) fn text(self) -> String {
        String::from_utf8(self.text).unwrap_or_default()
    }

    /// Writes what is JSON already.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// Writes a text in which nothing has to be escaped.
    pub(crate) fn plain(&mut self, text: &str) {
        self.text.push(b'"');
        self.raw(text);
        self.text.push(b'"');
    }

    /// Writes an object whose fields `fields` writes.
    pub(crate) fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        let start = self.text.len();
        fields(self);
        self.close(start, b'{', b'}');
    }

    fn list<'a, T: Json + 'a>(&mut self, items: impl IntoIterator<Item = &'a T>) {
        let start = self.text.len();
        for item in items {
            self.text.push(b',');
            item.write(self);
        }
        self.close(start, b'[', b']');
    }

    /// Each item was written with a comma before it: the first one's gives way to what opens.
    fn close(&mut self, start: usize, opens: u8, closes: u8) {
        match self.text.get_mut(start) {
            Some(comma) => *comma = opens,
            None => self.text.push(opens),
        }
        self.text.push(closes);
    }

    fn serde(&mut self, value: impl Serialize) {
        // A text or a number can't fail to be written, and neither can writing to memory.
        let _ = serde_json::to_writer(&mut self.text, &value);
    }
}

impl<T: Object> Object for &T {
    fn fields(&self, out: &mut Out) {
        (**self).fields(out);
    }
}

impl<T: Object> Json for T {
    fn write(&self, out: &mut Out) {
        out.object(|out| self.fields(out));
    }
}

macro_rules! written {
    ($($kind:ty: |$value:ident, $out:ident| $how:expr;)*) => {$(
        impl Json for $kind {
            fn write(&self, $out: &mut Out) {
                let $value = self;
                $how
            }
        }
    )*};
}

written! {
    bool: |value, out| out.raw(if *value { "true" } else { "false" });
    u32: |value, out| out.serde(*value);
    u64: |value, out| out.serde(*value);
    usize: |value, out| out.serde(*value);
    str: |value, out| out.serde(value);
    &str: |value, out| out.serde(value);
    String: |value, out| out.serde(value.as_str());
    Arc<str>: |value, out| out.serde(&**value);
    CallId: |id, out| out.serde(id.as_str());
    DeviceId: |id, out| out.serde(id.as_str());
    RequestId: |id, out| out.serde(id.as_str());
    UserId: |id, out| out.serde(id.as_str());
    InvitationId: |id, out| out.plain(id.text().as_str());
    Timestamp: |at, out| out.serde(at.0);
    IceServer: |server, out| out.serde(server);
    Duration: |span, out| out.serde(millis(*span));
}

impl<T: Json> Json for Option<T> {
    fn write(&self, out: &mut Out) {
        match self {
            Some(value) => value.write(out),
            None => out.raw("null"),
        }
    }

    fn absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Json> Json for Vec<T> {
    fn write(&self, out: &mut Out) {
        out.list(self);
    }
}

impl<T: Json> Json for BTreeSet<T> {
    fn write(&self, out: &mut Out) {
        out.list(self);
    }
}
