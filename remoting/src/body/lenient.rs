//! Reading what strict serde refuses: numbers in quotes, names that are unknown, integer keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// An enumeration that travels by name.
pub(crate) trait Named: Copy + 'static {
    /// Every value, in upstream's order.
    const ALL: &'static [Self];
    /// The name on the wire.
    fn name(self) -> &'static str;
}

/// Reads a name or a position; an unknown one is absent.
pub(crate) fn named<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct NameOrPosition<T>(PhantomData<T>);
    impl<T: Named> Visitor<'_> for NameOrPosition<T> {
        type Value = Option<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a name")
        }
        fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
            Ok(T::ALL.iter().copied().find(|value| value.name() == name))
        }
        fn visit_u64<E: Error>(self, position: u64) -> Result<Self::Value, E> {
            Ok(usize::try_from(position).ok().and_then(|position| T::ALL.get(position)).copied())
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(NameOrPosition(PhantomData))
}

/// As [`named`], with the type's default for an unknown name.
pub(crate) fn named_or_default<'de, T: Named + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    named(deserializer).map(Option::unwrap_or_default)
}

/// An integer, bare or in quotes; also as a key of a map.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Integer(i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Integer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Integer, E> {
                Ok(Integer(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Integer, E> {
                i64::try_from(value).map(Integer).map_err(|_| E::custom(format!("{value} is too large")))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Integer, E> {
                text.trim().parse().map(Integer).map_err(|_| E::custom(format!("{text:?} is no integer")))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// Reads an integer, bare or in quotes.
pub(crate) fn integer<'de, T: TryFrom<i64>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let Integer(value) = Integer::deserialize(deserializer)?;
    T::try_from(value).map_err(|_| D::Error::custom(format!("{value} is out of range")))
}

/// Reads a list of integers, bare or in quotes. Go sends hashes as text, and sometimes as unsigned numbers: only the
/// low 32 bits count.
pub(crate) fn hashes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<i32>, D::Error> {
    struct Hashes;
    impl<'de> Visitor<'de> for Hashes {
        type Value = BTreeSet<i32>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of integers")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut hashes = BTreeSet::new();
            while let Some(Integer(hash)) = items.next_element()? {
                hashes.insert(hash as i32);
            }
            Ok(hashes)
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(BTreeSet::new())
        }
    }
    deserializer.deserialize_any(Hashes)
}

/// A map with integer keys. serde's own reading of such keys from text ends where a `flatten` begins.
pub(crate) struct IntegerKeyMap<K, V>(pub(crate) BTreeMap<K, V>);

impl<'de, K: TryFrom<i64> + Ord, V: Deserialize<'de>> Deserialize<'de> for IntegerKeyMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);
        impl<'de, K: TryFrom<i64> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = IntegerKeyMap<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with integers for keys")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some(Integer(key)) = map.next_key()? {
                    let key = K::try_from(key).map_err(|_| A::Error::custom(format!("key {key} is out of range")))?;
                    entries.insert(key, map.next_value()?);
                }
                Ok(IntegerKeyMap(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// Reads a map of texts in which numbers and booleans may stand bare.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(values.into_iter().map(|(key, value)| (key, text(value))).collect())
}
