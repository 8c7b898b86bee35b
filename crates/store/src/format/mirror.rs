//! Stored types mirror the core's, which knows nothing of serde (K8): each names its fields once, and both ways
//! follow. A field that the core gains or loses doesn't compile until its format says what becomes of it.

use ringback_core::id::{CallId, DeviceId, InvitationId, RequestId, UserId};
use ringback_core::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

/// The stored form of something of the core's.
pub(super) trait Mirror {
    /// What it is in the core.
    type Core;
    /// The stored form; texts are shared, not copied.
    fn of(core: &Self::Core) -> Self;
    /// Back again; all checks were made in reading.
    fn into_core(self) -> Self::Core;
}

/// Whether a field is at its usual value, and left out.
pub(super) fn usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares stored structs: `struct Stored = Core { field: StoredType, … }`, every field by the core's name.
macro_rules! structs {
    ($($(#[$meta:meta])* struct $name:ident = $core:ident { $($(#[$attr:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Serialize, Deserialize)]
        pub(in crate::format) struct $name { $($(#[$attr])* $field: $kind,)* }

        impl Mirror for $name {
            type Core = core::$core;
            fn of(core: &Self::Core) -> Self {
                let core::$core { $($field,)* } = core;
                Self { $($field: <$kind>::of($field),)* }
            }
            fn into_core(self) -> Self::Core {
                core::$core { $($field: self.$field.into_core(),)* }
            }
        }
    )*};
}

/// Declares stored enums without data: `enum Stored = Core { Variant, … }`, stored as the variant's name in snake_case.
macro_rules! names {
    ($($(#[$meta:meta])* enum $name:ident = $core:ident { $($variant:ident,)* })*) => {$(
        $(#[$meta])*
        #[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[serde(rename_all = "snake_case")]
        pub(in crate::format) enum $name { $($variant,)* }

        #[cfg(test)]
        impl $name {
            /// Every variant of the core's.
            pub(in crate::format) const ALL: &[core::$core] = &[$(core::$core::$variant,)*];
        }

        impl Mirror for $name {
            type Core = core::$core;
            fn of(core: &Self::Core) -> Self {
                match core { $(core::$core::$variant => Self::$variant,)* }
            }
            fn into_core(self) -> Self::Core {
                match self { $(Self::$variant => core::$core::$variant,)* }
            }
        }
    )*};
}

pub(super) use {names, structs};

macro_rules! as_it_is {
    ($($kind:ty),*) => {$(
        impl Mirror for $kind {
            type Core = Self;
            fn of(core: &Self) -> Self {
                core.clone()
            }
            fn into_core(self) -> Self {
                self
            }
        }
    )*};
}

as_it_is!(bool, u32, u64, Arc<str>);

impl<M: Mirror> Mirror for Option<M> {
    type Core = Option<M::Core>;
    fn of(core: &Self::Core) -> Self {
        core.as_ref().map(M::of)
    }
    fn into_core(self) -> Self::Core {
        self.map(M::into_core)
    }
}

impl<M: Mirror> Mirror for Vec<M> {
    type Core = Vec<M::Core>;
    fn of(core: &Self::Core) -> Self {
        core.iter().map(M::of).collect()
    }
    fn into_core(self) -> Self::Core {
        self.into_iter().map(M::into_core).collect()
    }
}

/// What the core shares between copies of a record.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Shared<M>(M);

impl<M: Mirror> Mirror for Shared<M> {
    type Core = Arc<M::Core>;
    fn of(core: &Self::Core) -> Self {
        Self(M::of(core))
    }
    fn into_core(self) -> Self::Core {
        Arc::new(self.0.into_core())
    }
}

impl<M: Mirror<Core: Ord> + Ord> Mirror for BTreeSet<M> {
    type Core = BTreeSet<M::Core>;
    fn of(core: &Self::Core) -> Self {
        core.iter().map(M::of).collect()
    }
    fn into_core(self) -> Self::Core {
        self.into_iter().map(M::into_core).collect()
    }
}

impl<K: Mirror<Core: Ord> + Ord, V: Mirror> Mirror for BTreeMap<K, V> {
    type Core = BTreeMap<K::Core, V::Core>;
    fn of(core: &Self::Core) -> Self {
        core.iter().map(|(key, value)| (K::of(key), V::of(value))).collect()
    }
    fn into_core(self) -> Self::Core {
        self.into_iter().map(|(key, value)| (key.into_core(), value.into_core())).collect()
    }
}

impl<A: Mirror, B: Mirror> Mirror for (A, B) {
    type Core = (A::Core, B::Core);
    fn of(core: &Self::Core) -> Self {
        (A::of(&core.0), B::of(&core.1))
    }
    fn into_core(self) -> Self::Core {
        (self.0.into_core(), self.1.into_core())
    }
}

/// A moment, as milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Moment(u64);

impl Mirror for Moment {
    type Core = Timestamp;
    fn of(core: &Timestamp) -> Self {
        Self(core.0)
    }
    fn into_core(self) -> Timestamp {
        Timestamp(self.0)
    }
}

/// An id as its text, checked again when read.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id<T>(T);

impl<T: Clone> Mirror for Id<T> {
    type Core = T;
    fn of(core: &T) -> Self {
        Self(core.clone())
    }
    fn into_core(self) -> T {
        self.0
    }
}

macro_rules! ids_as_str {
    ($($id:ident),*) => {$(
        impl Serialize for Id<$id> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.0.as_str())
            }
        }
    )*};
}

ids_as_str!(CallId, DeviceId, RequestId, UserId);

impl Serialize for Id<InvitationId> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.text().as_str())
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Text(PhantomData))
    }
}

struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err: Display>> de::Visitor<'_> for Text<T> {
    type Value = Id<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id<T>, E> {
        text.parse().map(Id).map_err(E::custom)
    }
}
