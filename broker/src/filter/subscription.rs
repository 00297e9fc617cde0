//! A group's subscription to one topic, ready to be asked.
//!
//! Tags are compared by their Java hash, as the consume queue holds nothing else; clients compare the text once
//! more. Upstream: `SubscriptionData`, `FilterAPI`, `ExpressionMessageFilter` (RocketMQ 5.5.0).

use boostermq_remoting::body::SubscriptionData;
use boostermq_remoting::message::tags::java_string_hash;
use boostermq_store::MessageFilter;

/// Tags one subscription may name; a longer list is a mistake or an attack.
const TAGS_MAX: usize = 4096;

/// How an expression is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExpressionType {
    /// Tags joined with `||`, or `*`.
    Tag,
    /// Any other type, by its name: `SQL92`.
    Other(String),
}

impl ExpressionType {
    /// Reads the wire's text; nothing means tags.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        match text {
            None | Some("" | "TAG") => Self::Tag,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

/// Why an expression is no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubscriptionError {
    /// Only separators.
    #[error("subString split error: the tag expression names no tag")]
    NoTag,
    /// More tags than the bound.
    #[error("the tag expression names more than {TAGS_MAX} tags")]
    TooManyTags,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The expression as the client wrote it.
    pub(crate) expression: String,
    /// How it is written.
    pub(crate) expression_type: ExpressionType,
    /// Grows with every change by the client: milliseconds from Java, nanoseconds from Go.
    pub(crate) version: i64,
    /// Hashes of the tags wanted, sorted; `None` for everything.
    codes: Option<Box<[i32]>>,
}

impl Subscription {
    /// Reads the subscription that a pull carries.
    pub(crate) fn parse(
        expression: &str,
        expression_type: ExpressionType,
        version: i64,
    ) -> Result<Self, SubscriptionError> {
        let codes = match expression_type {
            ExpressionType::Tag => tag_codes(expression)?,
            ExpressionType::Other(_) => None,
        };
        Ok(Self { expression: expression.to_owned(), expression_type, version, codes })
    }

    /// Takes the subscription out of a heartbeat. The tags' text counts before their codes: Go hashes bytes where
    /// Java hashes UTF-16.
    pub(crate) fn from_heartbeat(data: &SubscriptionData) -> Self {
        let expression_type = ExpressionType::parse(data.expression_type.as_deref());
        let expression = data.sub_string.clone();
        let everything = data.class_filter_mode || expression.is_empty() || expression == "*";
        let codes = match expression_type {
            ExpressionType::Tag if !everything => Some(sorted(if data.tags_set.is_empty() {
                data.code_set.iter().copied().take(TAGS_MAX).collect()
            } else {
                data.tags_set.iter().take(TAGS_MAX).map(|tag| java_string_hash(tag)).collect()
            })),
            _ => None,
        };
        Self { expression, expression_type, version: data.sub_version, codes }
    }

    /// True when every message is wanted: no filter need be asked.
    pub(crate) const fn wants_everything(&self) -> bool {
        self.codes.is_none()
    }
}

fn sorted(mut codes: Vec<i32>) -> Box<[i32]> {
    codes.sort_unstable();
    codes.dedup();
    codes.into_boxed_slice()
}

fn tag_codes(expression: &str) -> Result<Option<Box<[i32]>>, SubscriptionError> {
    if expression.is_empty() || expression == "*" {
        return Ok(None);
    }
    let tags = expression.split("||").map(str::trim).filter(|tag| !tag.is_empty());
    let codes: Vec<i32> = tags.take(TAGS_MAX + 1).map(java_string_hash).collect();
    match codes.len() {
        0 => Err(SubscriptionError::NoTag),
        count if count > TAGS_MAX => Err(SubscriptionError::TooManyTags),
        _ => Ok(Some(sorted(codes))),
    }
}

impl MessageFilter for Subscription {
    fn matches_tags(&self, tags_code: i64) -> bool {
        match &self.codes {
            None => true,
            Some(codes) => codes.binary_search(&(tags_code as i32)).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(expression: &str) -> Result<Subscription, SubscriptionError> {
        Subscription::parse(expression, ExpressionType::Tag, 0)
    }

    #[test]
    fn tags_are_compared_by_hash() {
        let both = tags(" A || B ").unwrap();
        for (tag, wanted) in [("A", true), ("B", true), ("C", false), ("", false)] {
            assert_eq!(both.matches_tags(i64::from(java_string_hash(tag))), wanted, "{tag}");
        }
        // Two texts with one hash both pass: the client tells them apart.
        assert!(tags("Aa").unwrap().matches_tags(i64::from(java_string_hash("BB"))));
    }

    #[test]
    fn star_and_nothing_want_everything() {
        for expression in ["*", ""] {
            assert!(tags(expression).unwrap().wants_everything());
        }
        assert_eq!(tags("||"), Err(SubscriptionError::NoTag));
        assert_eq!(tags(&"a||".repeat(5000)), Err(SubscriptionError::TooManyTags));
    }
}
