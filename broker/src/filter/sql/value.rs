//! Values while an expression is evaluated, and how they compare.
//!
//! A property is a string. A comparison with a number makes a number of it, of the *number's* type: `a = 5` cannot be
//! asked of `5.0`, nor `a = 5.0` answered otherwise than by a fraction. What cannot be made a number is no `false` but a
//! fault: it ends the whole evaluation, and the message is not wanted, whatever else the expression says.
//!
//! Numbers are read as Java reads them, but for its hexadecimal fractions and for digits outside ASCII: those are no
//! numbers here. Upstream: `ComparisonExpression` (RocketMQ 5.5.0).

use std::cmp::Ordering;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// Unknown: the message has no such property, or the question makes no sense.
    Null,
    Bool(bool),
    Text(&'a str),
    Int(i32),
    Long(i64),
    Double(f64),
}

/// Why an evaluation has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A property is compared with a number and is none.
    #[error("a property is no number of the type it is compared with")]
    NotANumber,
    /// `TRUE = a`: upstream answers only `a = TRUE`.
    #[error("a truth value on the left cannot be compared with a string")]
    NotComparable,
    /// The message's properties are so long, and the expression looks at them so often, that it was given up.
    #[error("the expression looks at too many bytes of the message's properties")]
    TooMuchWork,
}

/// Orders two values. The types of constants decide: a string becomes what the other side is.
pub(super) fn compare(left: Value<'_>, right: Value<'_>) -> Result<Ordering, Fault> {
    use Value::{Bool, Double, Int, Long, Text};
    Ok(match (left, right) {
        (Bool(left), Bool(right)) => left.cmp(&right),
        (Text(left), Bool(right)) => left.eq_ignore_ascii_case("true").cmp(&right),
        (Bool(_), Text(_)) => return Err(Fault::NotComparable),
        (Text(left), Text(right)) => left.cmp(right),
        (Int(left), Int(right)) => left.cmp(&right),
        (Int(left), Text(right)) => left.cmp(&int(right)?),
        (Text(left), Int(right)) => int(left)?.cmp(&right),
        (Long(left), Long(right)) => left.cmp(&right),
        (Long(left), Int(right)) => left.cmp(&i64::from(right)),
        (Int(left), Long(right)) => i64::from(left).cmp(&right),
        (Long(left), Text(right)) => left.cmp(&long(right)?),
        (Text(left), Long(right)) => long(left)?.cmp(&right),
        (Double(left), Double(right)) => left.total_cmp(&right),
        (Double(left), Int(right)) => left.total_cmp(&f64::from(right)),
        (Int(left), Double(right)) => f64::from(left).total_cmp(&right),
        (Double(left), Long(right)) => left.total_cmp(&(right as f64)),
        (Long(left), Double(right)) => (left as f64).total_cmp(&right),
        (Double(left), Text(right)) => left.total_cmp(&double(right)?),
        (Text(left), Double(right)) => double(left)?.total_cmp(&right),
        // Types that nothing makes equal: upstream says less, whichever side is which.
        _ => Ordering::Less,
    })
}

/// Orders two values for `<`, `<=`, `>` and `>=`: two strings must both be numbers.
pub(super) fn compare_size(left: Value<'_>, right: Value<'_>) -> Result<Ordering, Fault> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(double(left)?.total_cmp(&double(right)?)),
        _ => compare(left, right),
    }
}

/// Java's `Integer.valueOf`; Rust reads the same.
fn int(text: &str) -> Result<i32, Fault> {
    text.parse().map_err(|_| Fault::NotANumber)
}

/// Java's `Long.valueOf`; Rust reads the same.
fn long(text: &str) -> Result<i64, Fault> {
    text.parse().map_err(|_| Fault::NotANumber)
}

/// Java's `Double.valueOf`: blanks around it, one `f` or `d` behind it, and its own names for what is no number.
pub(super) fn double(text: &str) -> Result<f64, Fault> {
    let text = text.trim_matches(|letter| letter <= ' ');
    let (is_negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = match rest {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let digits = rest.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(rest);
            // Rust has other names for infinity, and takes a second sign for one.
            if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
                return Err(Fault::NotANumber);
            }
            digits.parse::<f64>().map_err(|_| Fault::NotANumber)?
        }
    };
    // There is one NaN only, above everything.
    Ok(if is_negative && !size.is_nan() { -size } else { size })
}
