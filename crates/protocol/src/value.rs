//! JSON as it was read: texts in which nothing was escaped are borrowed from the frame.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::borrow::Cow;
use std::fmt;

/// A value.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Object(Map<'a>),
}

/// An object's fields. They are few, and their number is bounded by a frame's bytes.
#[derive(Debug, Default)]
pub(crate) struct Map<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Map<'a> {
    /// The field of a name; of several, the last.
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl<'a> Value<'a> {
    pub(crate) fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(flag) = self { Some(*flag) } else { None }
    }

    pub(crate) fn as_u64(&self) -> Option<u64> {
        if let Self::Number(number) = self { number.as_u64() } else { None }
    }

    pub(crate) fn as_list(&self) -> Option<&[Value<'a>]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    pub(crate) fn as_object(&self) -> Option<&Map<'a>> {
        if let Self::Object(fields) = self { Some(fields) } else { None }
    }

    /// The same, borrowing nothing.
    pub(crate) fn owned(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Number(number) => number.clone().into(),
            Self::Text(text) => (**text).into(),
            Self::List(list) => list.iter().map(Self::owned).collect(),
            Self::Object(Map(fields)) => fields.iter().map(|(key, value)| (&**key, value.owned())).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Map<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Value<'de>, A::Error> {
        Fields.visit_map(fields).map(Value::Object)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Map<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Map<'de>, A::Error> {
        let mut map = Map(Vec::new());
        // A key is always a text.
        while let Some((Value::Text(key), value)) = fields.next_entry()? {
            map.0.push((key, value));
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_serde_json_reads() {
        let whole = r#"{"a":[null,true,-1,1.5,18446744073709551615,"é\n\"","plain",{}],"b":1,"\u0062":{"c":2,"c":3}}"#;
        // Cut anywhere or with anything in the way, it fails at the same place with the same words.
        let cut = (0..whole.len()).filter_map(|at| whole.get(..at)).map(str::to_owned);
        let odd = whole.char_indices().map(|(at, _)| format!("{}}}{}", &whole[..at], &whole[at..]));
        let others = ["5", "[]", "null", "\"\"", "1e400", "{\"a\":1e400}", "{} {}"].map(str::to_owned);
        for text in cut.chain(odd).chain(others).chain([whole.to_owned()]) {
            let ours = serde_json::from_str::<Map<'_>>(&text).map(|map| Value::Object(map).owned());
            let theirs = serde_json::from_str::<serde_json::Map<_, _>>(&text).map(serde_json::Value::Object);
            assert_eq!(ours.map_err(|error| error.to_string()), theirs.map_err(|error| error.to_string()), "{text}");
        }
    }
}
