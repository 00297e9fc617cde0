//! Asking an expression about a message.
//!
//! One pass over the properties string picks out those that the expression names; then the operations are carried out
//! as upstream orders them: `AND` and `OR` stop at what decides them, so a fault behind it does not happen.

use std::cmp::Ordering;

use boostermq_remoting::message::properties::Properties;

use super::value::{Fault, Value, compare, compare_size};
use super::{Comparison, Expression, Node, NodeId, Place, SLOTS_ON_STACK};

/// Bytes of property values that one evaluation may look at: 32 searches in the longest properties there are. Without a
/// bound, an expression of 4 KiB could search them 400 times for every message.
const WORK_MAX: usize = 1 << 20;

/// The properties that an expression names, and what is left to spend on them.
struct Evaluation<'a> {
    expression: &'a Expression,
    values: &'a [Option<&'a str>],
    work_left: usize,
}

impl Expression {
    /// Whether a message with these properties is wanted.
    #[must_use]
    pub fn matches(&self, properties: Properties<'_>) -> bool {
        self.evaluate(properties) == Ok(Some(true))
    }

    /// The truth value for these properties; `None` when it is unknown.
    ///
    /// # Errors
    /// [`Fault`], and the message is not wanted.
    pub fn evaluate(&self, properties: Properties<'_>) -> Result<Option<bool>, Fault> {
        let (mut on_stack, mut on_heap);
        let values = if self.properties.len() <= SLOTS_ON_STACK {
            on_stack = [None; SLOTS_ON_STACK];
            &mut on_stack[..]
        } else {
            on_heap = vec![None; self.properties.len()];
            &mut on_heap[..]
        };
        for (name, value) in properties.iter() {
            let slot = match &self.slots {
                None => self.properties.iter().position(|property| **property == *name),
                Some(slots) => slots.get(name).map(|slot| usize::from(*slot)),
            };
            // A name that stands twice has its later value.
            if let Some(place) = slot.and_then(|slot| values.get_mut(slot)) {
                *place = Some(value);
            }
        }
        let mut evaluation = Evaluation { expression: self, values, work_left: WORK_MAX };
        match evaluation.value(self.root)? {
            Value::Bool(truth) => Ok(Some(truth)),
            _ => Ok(None),
        }
    }
}

impl<'a> Evaluation<'a> {
    fn spend(&mut self, value: Value<'_>) -> Result<(), Fault> {
        if let Value::Text(text) = value {
            self.work_left = self.work_left.checked_sub(text.len()).ok_or(Fault::TooMuchWork)?;
        }
        Ok(())
    }

    fn property(&self, slot: u16) -> Value<'a> {
        self.values.get(usize::from(slot)).copied().flatten().map_or(Value::Null, Value::Text)
    }

    fn value(&mut self, id: NodeId) -> Result<Value<'a>, Fault> {
        // The parser made the ids.
        let Some(node) = self.expression.nodes.get(usize::from(id)) else { return Ok(Value::Null) };
        Ok(match node {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Long(value) => Value::Long(*value),
            Node::Double(value) => Value::Double(*value),
            Node::Text(text) => Value::Text(text),
            Node::Property(slot) => self.property(*slot),
            Node::Negate(operand) => negate(self.value(*operand)?),
            Node::Not(operand) => match self.value(*operand)? {
                Value::Bool(truth) => Value::Bool(!truth),
                _ => Value::Null,
            },
            Node::Truth(operand) => match self.value(*operand)? {
                Value::Null => Value::Null,
                _ => Value::Bool(false),
            },
            Node::And(operands) => self.decide(operands, false)?,
            Node::Or(operands) => self.decide(operands, true)?,
            Node::Equal(left, right) => self.equal(*left, *right)?,
            Node::IsNull(operand) => Value::Bool(self.value(*operand)? == Value::Null),
            Node::Compare(comparison, left, right) => self.compare(*comparison, *left, *right)?,
            Node::In { property, texts, is_negated } => match self.property(*property) {
                Value::Text(text) => {
                    let is_there = texts.binary_search_by(|known| (**known).cmp(text)).is_ok();
                    Value::Bool(is_there != *is_negated)
                }
                _ => Value::Null,
            },
            // Not even a fault in the value matters then.
            Node::Search { text, .. } if text.is_empty() => Value::Bool(false),
            Node::Search { value, place, text, is_negated } => {
                let value = self.value(*value)?;
                self.search(value, *place, text, *is_negated)?
            }
        })
    }

    /// `AND` and `OR`: the first operand that is `deciding` decides; else an unknown one makes all unknown.
    fn decide(&mut self, operands: &[NodeId], deciding: bool) -> Result<Value<'a>, Fault> {
        let mut is_unknown = false;
        for operand in operands {
            match self.value(*operand)? {
                Value::Bool(truth) if truth == deciding => return Ok(Value::Bool(deciding)),
                Value::Bool(_) => {}
                _ => is_unknown = true,
            }
        }
        Ok(if is_unknown { Value::Null } else { Value::Bool(!deciding) })
    }

    /// Two unknown values are equal, and a known one differs from an unknown one on its right.
    fn equal(&mut self, left: NodeId, right: NodeId) -> Result<Value<'a>, Fault> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        Ok(match (left, right) {
            (Value::Null, Value::Null) => Value::Bool(true),
            (Value::Null, _) => Value::Null,
            (_, Value::Null) => Value::Bool(false),
            (Value::Text(left), Value::Text(right)) => Value::Bool(left == right),
            _ => {
                self.spend(left)?;
                self.spend(right)?;
                Value::Bool(compare(left, right)? == Ordering::Equal)
            }
        })
    }

    fn compare(&mut self, comparison: Comparison, left: NodeId, right: NodeId) -> Result<Value<'a>, Fault> {
        let left = self.value(left)?;
        if left == Value::Null {
            return Ok(Value::Null);
        }
        let right = self.value(right)?;
        if right == Value::Null {
            return Ok(Value::Null);
        }
        self.spend(left)?;
        self.spend(right)?;
        let ordering = compare_size(left, right)?;
        Ok(Value::Bool(match comparison {
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
        }))
    }

    /// A search is never unknown: without a string to search it is false, negated or not.
    fn search(&mut self, value: Value<'_>, place: Place, text: &str, is_negated: bool) -> Result<Value<'a>, Fault> {
        let Value::Text(whole) = value else { return Ok(Value::Bool(false)) };
        let is_there = match place {
            Place::Anywhere => {
                self.spend(value)?;
                whole.contains(text)
            }
            Place::Start => whole.starts_with(text),
            Place::End => whole.ends_with(text),
        };
        Ok(Value::Bool(is_there != is_negated))
    }
}

fn negate(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Int(value) => Value::Int(value.wrapping_neg()),
        Value::Long(value) => Value::Long(value.wrapping_neg()),
        Value::Double(value) => Value::Double(-value),
        _ => Value::Null,
    }
}
