//! The number by which a broker filters tags: Java's hash of the tag.
//!
//! A consume queue keeps only this number; a consumer compares the text again, so two tags with one hash are
//! harmless. Upstream: `MessageExtBrokerInner.tagsString2tagsCode`, `String.hashCode`.

/// Java's `String.hashCode`: over UTF-16 units, `h = 31 * h + unit`, in wrapping 32-bit arithmetic.
#[must_use]
pub fn java_string_hash(text: &str) -> i32 {
    java_string_hash_after(0, text)
}

/// The hash of a string that goes on with `text` after a beginning whose hash is `hash`: the same as that of the whole.
#[must_use]
pub fn java_string_hash_after(hash: i32, text: &str) -> i32 {
    let step = |hash: i32, unit: i32| hash.wrapping_mul(31).wrapping_add(unit);
    if text.is_ascii() {
        text.bytes().fold(hash, |hash, byte| step(hash, i32::from(byte)))
    } else {
        text.encode_utf16().fold(hash, |hash, unit| step(hash, i32::from(unit)))
    }
}

/// The tags code of a message with these tags: the hash, sign-extended; 0 without tags.
#[must_use]
pub fn tags_code(tags: &str) -> i64 {
    i64::from(java_string_hash(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_java_does() {
        // From a JVM; one holds a surrogate pair.
        for (text, hash) in [
            ("", 0),
            ("TagA", 2_598_919),
            ("中", 20013),
            ("中文标签", 622_041_809),
            ("a😀b", 57_849_694),
            ("polygenelubricants", i32::MIN),
        ] {
            assert_eq!(java_string_hash(text), hash, "{text}");
            for (at, _) in text.char_indices() {
                let (begin, rest) = text.split_at(at);
                assert_eq!(java_string_hash_after(java_string_hash(begin), rest), hash, "{text}");
            }
            assert_eq!(tags_code(text), i64::from(hash), "{text}");
        }
    }
}
