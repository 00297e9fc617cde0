//! Maps whose keys are objects.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// A map whose keys are objects, mostly message queues: `{{"brokerName":"b","queueId":0,"topic":"T"}:12}`.
///
/// Written by [`to_vec`](super::to_vec) it takes that form; any other serialiser writes the keys as strings that hold
/// their JSON text. Both forms are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectKeyMap<K: Ord, V>(pub BTreeMap<K, V>);

impl<K: Ord, V> Default for ObjectKeyMap<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for ObjectKeyMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<K: Ord + Serialize, V: Serialize> Serialize for ObjectKeyMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(&serde_json::to_string(key).map_err(S::Error::custom)?, value)?;
        }
        map.end()
    }
}

impl<'de, K: Ord + DeserializeOwned, V: Deserialize<'de>> Deserialize<'de> for ObjectKeyMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: Ord + DeserializeOwned, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = ObjectKeyMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with objects for keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let key = serde_json::from_str(&key).map_err(A::Error::custom)?;
            entries.insert(key, map.next_value()?);
        }
        Ok(ObjectKeyMap(entries))
    }
}
