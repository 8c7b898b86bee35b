//! Stored types mirror the core's, which knows nothing of serde (K8): each names its fields once, and both ways
//! follow, for the tables' text and for the journal. A field that the core gains or loses doesn't compile until its
//! format says what becomes of it.

use super::packed::{self, Unpacking, Unreadable};
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
    /// Puts it at the end of a journal's body.
    fn pack(core: &Self::Core, to: &mut Vec<u8>);
    /// Takes it from a journal's body, checking it.
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable>;
    /// What a field of this kind is in a body from before there was such a field; none if it has to be there.
    fn absent() -> Option<Self::Core> {
        None
    }
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
            fn pack(core: &Self::Core, to: &mut Vec<u8>) {
                let core::$core { $($field,)* } = core;
                to.push(Self::FIELDS);
                $(<$kind>::pack($field, to);)*
            }
            fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
                let mut left = from.fields(Self::FIELDS)?;
                Ok(core::$core { $($field: from.field::<$kind>(&mut left)?,)* })
            }
        }

        impl $name {
            /// How many fields it has.
            const FIELDS: u8 = [$(stringify!($field),)*].len() as u8;
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

        impl $name {
            /// Every variant of the core's, each at the place that stands for it when packed.
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
            fn pack(core: &Self::Core, to: &mut Vec<u8>) {
                to.push(Self::of(core) as u8);
            }
            fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
                let place = usize::from(from.byte()?);
                Self::ALL.get(place).copied().ok_or_else(|| from.wrong("there is no such name"))
            }
        }
    )*};
}

pub(super) use {names, structs};

macro_rules! as_it_is {
    ($($kind:ty: $pack:expr, $unpack:expr;)*) => {$(
        impl Mirror for $kind {
            type Core = Self;
            fn of(core: &Self) -> Self {
                core.clone()
            }
            fn into_core(self) -> Self {
                self
            }
            fn pack(core: &Self, to: &mut Vec<u8>) {
                ($pack as fn(&Self, &mut Vec<u8>))(core, to);
            }
            fn unpack(from: &mut Unpacking<'_>) -> Result<Self, Unreadable> {
                ($unpack as fn(&mut Unpacking<'_>) -> Result<Self, Unreadable>)(from)
            }
            fn absent() -> Option<Self> {
                Some(Self::default())
            }
        }
    )*};
}

as_it_is! {
    bool: |core, to| to.push(u8::from(*core)), |from| match from.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(from.wrong("neither yes nor no")),
    };
    u32: |core, to| packed::number(u64::from(*core), to), |from| {
        u32::try_from(from.number()?).map_err(|error| from.wrong(error))
    };
    u64: |core, to| packed::number(*core, to), |from| from.number();
    Arc<str>: |core, to| packed::text(core, to), |from| from.text().map(Into::into);
}

impl<M: Mirror> Mirror for Option<M> {
    type Core = Option<M::Core>;
    fn of(core: &Self::Core) -> Self {
        core.as_ref().map(M::of)
    }
    fn into_core(self) -> Self::Core {
        self.map(M::into_core)
    }
    fn pack(core: &Self::Core, to: &mut Vec<u8>) {
        bool::pack(&core.is_some(), to);
        if let Some(core) = core {
            M::pack(core, to);
        }
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
        bool::unpack(from)?.then(|| M::unpack(from)).transpose()
    }
    fn absent() -> Option<Self::Core> {
        Some(None)
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
    fn pack(core: &Self::Core, to: &mut Vec<u8>) {
        packed::length(core.len(), to);
        core.iter().for_each(|one| M::pack(one, to));
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
        from.list(M::unpack)
    }
    fn absent() -> Option<Self::Core> {
        Some(Self::Core::new())
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
    fn pack(core: &Self::Core, to: &mut Vec<u8>) {
        M::pack(core, to);
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
        M::unpack(from).map(Arc::new)
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
    fn pack(core: &Self::Core, to: &mut Vec<u8>) {
        packed::length(core.len(), to);
        core.iter().for_each(|one| M::pack(one, to));
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
        Ok(from.list(M::unpack)?.into_iter().collect())
    }
    fn absent() -> Option<Self::Core> {
        Some(Self::Core::new())
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
    fn pack(core: &Self::Core, to: &mut Vec<u8>) {
        packed::length(core.len(), to);
        for (key, value) in core {
            K::pack(key, to);
            V::pack(value, to);
        }
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
        Ok(from.list(<(K, V)>::unpack)?.into_iter().collect())
    }
    fn absent() -> Option<Self::Core> {
        Some(Self::Core::new())
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
    fn pack(core: &Self::Core, to: &mut Vec<u8>) {
        A::pack(&core.0, to);
        B::pack(&core.1, to);
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self::Core, Unreadable> {
        Ok((A::unpack(from)?, B::unpack(from)?))
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
    fn pack(core: &Timestamp, to: &mut Vec<u8>) {
        packed::number(core.0, to);
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Timestamp, Unreadable> {
        from.number().map(Timestamp)
    }
}

/// An id as its text, checked again when read.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id<T>(T);

/// An id that has a packed form.
pub(super) trait Packed: Sized {
    /// Puts it at the end of a journal's body.
    fn pack(&self, to: &mut Vec<u8>);
    /// Takes it from a journal's body, checked again.
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self, Unreadable>;
}

impl<T: Clone + Packed> Mirror for Id<T> {
    type Core = T;
    fn of(core: &T) -> Self {
        Self(core.clone())
    }
    fn into_core(self) -> T {
        self.0
    }
    fn pack(core: &T, to: &mut Vec<u8>) {
        core.pack(to);
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<T, Unreadable> {
        T::unpack(from)
    }
}

macro_rules! ids_as_str {
    ($($id:ident),*) => {$(
        impl Serialize for Id<$id> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.0.as_str())
            }
        }

        impl Packed for $id {
            fn pack(&self, to: &mut Vec<u8>) {
                packed::text(self.as_str(), to);
            }
            fn unpack(from: &mut Unpacking<'_>) -> Result<Self, Unreadable> {
                let text = from.text()?;
                Self::new(text).map_err(|error| from.wrong(error))
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

impl Packed for InvitationId {
    fn pack(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.0.to_be_bytes());
    }
    fn unpack(from: &mut Unpacking<'_>) -> Result<Self, Unreadable> {
        let bytes = from.bytes(16)?;
        Ok(Self(bytes.iter().fold(0, |id, byte| id << 8 | u128::from(*byte))))
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
