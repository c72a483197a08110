//! Lists and maps of a file, refused before they take more memory than any vCenter needs. No I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};

/// [`at_most`], of a list whose absence is another answer than its being empty.
pub(super) fn some_at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    at_most::<MOST, T, D>(deserializer).map(Some)
}

/// A map that is refused when it has more than `MOST` entries, or a key twice.
pub(super) fn once_each<'de, const MOST: usize, T, D>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(OnceEach::<MOST, T>(PhantomData))
}

/// [`once_each`], of a map whose absence is another answer than its being empty.
pub(super) fn some_once_each<'de, const MOST: usize, T, D>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, T>>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    once_each::<MOST, T, D>(deserializer).map(Some)
}

/// A list that is refused as soon as it has more than `MOST` elements, before they take any memory.
pub(super) fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(AtMost::<MOST, T>(PhantomData))
}

struct AtMost<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: DeserializeOwned> Visitor<'de> for AtMost<MOST, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            if elements.len() == MOST {
                return Err(A::Error::custom(format_args!("there are more than {MOST} in this list")));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

struct OnceEach<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: DeserializeOwned> Visitor<'de> for OnceEach<MOST, T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of at most {MOST} fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, T>()? {
            if entries.len() == MOST {
                return Err(A::Error::custom(format_args!("there are more than {MOST} in this object")));
            }
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format_args!("{key:?} is there twice")));
            }
            entries.insert(key, value);
        }
        Ok(entries)
    }
}
