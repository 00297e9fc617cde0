//! Values of documents: JSON's, with members in the order in which they were put.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not known.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number; not a number and infinite ones are shown as null.
    Float(f64),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Members in order.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// True for what stands on the right of a column.
    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Float(_))
    }

    /// As a table shows it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::List(values) => values.iter().map(Self::text).collect::<Vec<_>>().join(","),
            Self::Object(members) => {
                members.iter().map(|(name, value)| format!("{name}={}", value.text())).collect::<Vec<_>>().join(",")
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

macro_rules! from {
    ($($source:ty, $name:ident => $value:expr;)*) => {
        $(impl From<$source> for Value {
            fn from($name: $source) -> Self {
                $value
            }
        })*
    };
}

from! {
    bool, value => Self::Bool(value);
    i32, value => Self::Integer(i64::from(value));
    u16, value => Self::Integer(i64::from(value));
    u32, value => Self::Integer(i64::from(value));
    i64, value => Self::Integer(value);
    u64, value => i64::try_from(value).map_or(Self::Float(value as f64), Self::Integer);
    usize, value => Self::from(value as u64);
    f64, value => Self::Float(value);
    &str, value => Self::Text(value.to_owned());
    &String, value => Self::Text(value.clone());
    String, value => Self::Text(value);
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
