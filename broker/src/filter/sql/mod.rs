//! SQL92 expressions over the properties of a message, as RocketMQ 5.5.0 accepts and answers them.
//!
//! ```text
//! or          and { OR and }
//! and         equality { AND equality }
//! equality    comparison { (= | <>) comparison | IS [NOT] NULL }
//! comparison  unary { (> | >= | < | <=) unary | [NOT] BETWEEN unary AND unary | [NOT] IN ( string {, string} )
//!                   | [NOT] (CONTAINS | STARTSWITH | ENDSWITH) string }
//! unary       { + | - | NOT } primary
//! primary     string | number | TRUE | FALSE | NULL | property | ( or )
//! ```
//! Oddities of upstream that users' expressions may rest on, and that are kept:
//! - What follows a whole expression is ignored, but for its first token, which must be one: `a = 1 b` is `a = 1`.
//! - `NOT` binds closer than any comparison: `NOT a > 5` is refused, `NOT a = TRUE` asks about `NOT a`.
//! - Only numbers and properties have a size: `a > 'x'` is refused. The fraction 0.0 is refused as too small.
//! - A property alone is no truth value: `a` is never wanted; `NOT a` wants what has the property.
//! - `a IN (…)` takes strings only, and only a property on its left.
//! - A missing property is unknown, but not for CONTAINS and its kin, which are false then, negated or not.
//! - A property that is compared with a number and is none ends the evaluation: the message is not wanted.
//!
//! An expression has at most 4 KiB and 64 levels; it is compiled into a flat list, evaluated without a map of the
//! properties and without allocation for up to [`SLOTS_ON_STACK`] of them. Never here: who subscribes, what a pull
//! answers. Upstream: `SqlFilter`, `SelectorParser`, `ComparisonExpression`, `UnaryExpression`, `LogicExpression`.

mod evaluate;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;

pub use value::Fault;

/// Most bytes of an expression.
pub const LENGTH_MAX: usize = 4096;
/// Deepest nesting: of brackets and signs in the text, and of the operations made of it.
pub const DEPTH_MAX: usize = 64;
/// Properties that one evaluation keeps at hand without allocation.
const SLOTS_ON_STACK: usize = 8;

/// Why a text is no expression. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// Longer than the bound.
    #[error("the SQL92 expression has {length} bytes; it may have at most {LENGTH_MAX}: use a shorter one")]
    TooLong {
        /// Bytes of the expression.
        length: usize,
    },
    /// Deeper than the bound.
    #[error("the SQL92 expression is nested deeper than {DEPTH_MAX} levels at column {column}: use fewer brackets")]
    TooDeep {
        /// Where.
        column: usize,
    },
    /// A string without its second quote.
    #[error("the SQL92 expression has a string that does not end; it begins at column {column}")]
    OpenString {
        /// Where it begins.
        column: usize,
    },
    /// A character that begins no token.
    #[error("the SQL92 expression has an unexpected {found:?} at column {column}")]
    Character {
        /// Where.
        column: usize,
        /// The character.
        found: char,
    },
    /// Another token should stand there.
    #[error("the SQL92 expression has {found:?} at column {column} where {expected} should stand")]
    Unexpected {
        /// Where.
        column: usize,
        /// The token; empty at the end.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A number outside of its type.
    #[error("the SQL92 expression has the number {number} at column {column}, which is out of range")]
    Number {
        /// Where.
        column: usize,
        /// The number as it is written.
        number: String,
    },
    /// An operand that the operator cannot take.
    #[error("the SQL92 expression asks at column {column} what it cannot: {what}")]
    Operand {
        /// Where the operator stands.
        column: usize,
        /// What it takes.
        what: &'static str,
    },
    /// A range whose end lies before its begin.
    #[error("the SQL92 expression has a BETWEEN at column {column} whose second value is below the first")]
    EmptyRange {
        /// Where the operator stands.
        column: usize,
    },
}

/// A place in [`Expression::nodes`].
type NodeId = u16;
/// A place in [`Expression::properties`].
type Slot = u16;

/// How sizes compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Where a string is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Anywhere,
    Start,
    End,
}

/// One operation. Its operands stand before it in the list.
#[derive(Clone, Debug)]
enum Node {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    Text(Box<str>),
    Property(Slot),
    Negate(NodeId),
    Not(NodeId),
    /// A property where a truth value is asked for.
    Truth(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
    Equal(NodeId, NodeId),
    IsNull(NodeId),
    Compare(Comparison, NodeId, NodeId),
    /// Strings sorted.
    In {
        property: Slot,
        texts: Box<[Box<str>]>,
        is_negated: bool,
    },
    Search {
        value: NodeId,
        place: Place,
        text: Box<str>,
        is_negated: bool,
    },
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    nodes: Box<[Node]>,
    root: NodeId,
    /// Names by slot.
    properties: Box<[Box<str>]>,
    /// Slots by name, where there are too many to look at each.
    slots: Option<HashMap<Box<str>, Slot>>,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`SqlError`] when upstream refuses it too, or it is over a bound.
    pub fn compile(text: &str) -> Result<Self, SqlError> {
        if text.len() > LENGTH_MAX {
            return Err(SqlError::TooLong { length: text.len() });
        }
        let (nodes, root, properties) = parser::parse(text)?;
        let slots = (properties.len() > SLOTS_ON_STACK)
            .then(|| properties.iter().zip(0..).map(|(name, slot)| (name.clone(), slot)).collect());
        Ok(Self { nodes, root, properties, slots })
    }
}
