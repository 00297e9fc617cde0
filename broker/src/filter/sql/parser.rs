//! From tokens to operations: recursive descent, one token ahead, as deep as [`DEPTH_MAX`] lets it.

use std::cmp::Ordering;

use super::lexer::{Kind, Lexer, Token, column};
use super::value::{Value, compare};
use super::{Comparison, DEPTH_MAX, Node, NodeId, Place, Slot, SqlError};

const OPERAND: &str = "a property, a string, a number, TRUE, FALSE, NULL or an opening bracket";
const NEGATABLE: &str = "BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH";
const NO_TRUTH: &str = "AND, OR and NOT take comparisons and properties, and so must the whole expression be one";
const NO_SIZE: &str = "only numbers and properties have a size";
const NO_NULL: &str = "nothing equals NULL; ask with IS NULL or IS NOT NULL";
const NO_PROPERTY: &str = "IN takes a property on its left";
const MIXED: &str = "TRUE and FALSE on the left cannot be compared with a number or a string";

/// What an operand is, as far as operators ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// A constant without a truth value.
    Constant,
    /// `TRUE`, `FALSE` or `NULL`.
    TruthConstant,
    Property,
    /// A negated number.
    Number,
    /// An operation with a truth value.
    Truth,
}

/// An operand that is already among the nodes.
#[derive(Clone, Copy)]
struct Operand {
    node: NodeId,
    nature: Nature,
    depth: usize,
}

struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    next: Token<'a>,
    /// Open brackets and signs.
    nesting: usize,
    nodes: Vec<Node>,
    properties: Vec<Box<str>>,
}

/// The operations of an expression, the last to be carried out, and the names of the properties.
type Parsed = (Box<[Node]>, NodeId, Box<[Box<str>]>);

pub(super) fn parse(text: &str) -> Result<Parsed, SqlError> {
    let mut lexer = Lexer::new(text);
    let next = lexer.next()?;
    let mut parser = Parser { text, lexer, next, nesting: 0, nodes: Vec::new(), properties: Vec::new() };
    let whole = parser.or()?;
    // What follows is not looked at: the token that ended the expression was one, and that is all upstream asks.
    let root = parser.truth(whole, 0)?.node;
    Ok((parser.nodes.into(), root, parser.properties.into()))
}

impl<'a> Parser<'a> {
    fn column(&self, at: usize) -> usize {
        column(self.text, at)
    }

    fn advance(&mut self) -> Result<Token<'a>, SqlError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn unexpected<T>(&self, expected: &'static str) -> Result<T, SqlError> {
        let column = self.column(self.next.at);
        Err(SqlError::Unexpected { column, found: self.next.text.to_owned(), expected })
    }

    fn expect(&mut self, kind: Kind, expected: &'static str) -> Result<Token<'a>, SqlError> {
        if self.next.kind == kind { self.advance() } else { self.unexpected(expected) }
    }

    fn refuse<T>(&self, at: usize, what: &'static str) -> Result<T, SqlError> {
        Err(SqlError::Operand { column: self.column(at), what })
    }

    fn push(&mut self, node: Node, nature: Nature, depth: usize, at: usize) -> Result<Operand, SqlError> {
        if depth > DEPTH_MAX {
            return Err(SqlError::TooDeep { column: self.column(at) });
        }
        // At most a few for each byte of a text of 4 KiB.
        let id = NodeId::try_from(self.nodes.len()).map_err(|_| SqlError::TooLong { length: self.text.len() })?;
        self.nodes.push(node);
        Ok(Operand { node: id, nature, depth })
    }

    /// The operand as a truth value.
    fn truth(&mut self, operand: Operand, at: usize) -> Result<Operand, SqlError> {
        match operand.nature {
            Nature::Truth | Nature::TruthConstant => Ok(operand),
            Nature::Property => self.push(Node::Truth(operand.node), Nature::Truth, operand.depth + 1, at),
            Nature::Constant | Nature::Number => self.refuse(at, NO_TRUTH),
        }
    }

    fn or(&mut self) -> Result<Operand, SqlError> {
        self.chain(Kind::Or, Self::and, Node::Or)
    }

    fn and(&mut self) -> Result<Operand, SqlError> {
        self.chain(Kind::And, Self::equality, Node::And)
    }

    /// One operand, or several with `operator` between them as one operation.
    fn chain(
        &mut self,
        operator: Kind,
        operand: fn(&mut Self) -> Result<Operand, SqlError>,
        node: fn(Box<[NodeId]>) -> Node,
    ) -> Result<Operand, SqlError> {
        let first = operand(self)?;
        if self.next.kind != operator {
            return Ok(first);
        }
        let at = self.next.at;
        let first = self.truth(first, at)?;
        let (mut nodes, mut depth) = (vec![first.node], first.depth);
        while self.next.kind == operator {
            let at = self.advance()?.at;
            let next = operand(self)?;
            let next = self.truth(next, at)?;
            nodes.push(next.node);
            depth = depth.max(next.depth);
        }
        self.push(node(nodes.into()), Nature::Truth, depth + 1, at)
    }

    fn equality(&mut self) -> Result<Operand, SqlError> {
        let mut left = self.comparison()?;
        loop {
            let at = self.next.at;
            match self.next.kind {
                Kind::Equal | Kind::NotEqual => {
                    let is_negated = self.advance()?.kind == Kind::NotEqual;
                    let right = self.comparison()?;
                    left = self.equal(left, right, at)?;
                    if is_negated {
                        left = self.push(Node::Not(left.node), Nature::Truth, left.depth + 1, at)?;
                    }
                }
                Kind::Is => {
                    self.advance()?;
                    let is_negated = self.next.kind == Kind::Not;
                    if is_negated {
                        self.advance()?;
                    }
                    self.expect(Kind::Null, if is_negated { "NULL" } else { "NULL or NOT NULL" })?;
                    left = self.push(Node::IsNull(left.node), Nature::Truth, left.depth + 1, at)?;
                    if is_negated {
                        left = self.push(Node::Not(left.node), Nature::Truth, left.depth + 1, at)?;
                    }
                }
                _ => return Ok(left),
            }
        }
    }

    fn equal(&mut self, left: Operand, right: Operand, at: usize) -> Result<Operand, SqlError> {
        if [left, right].iter().any(|operand| matches!(self.nodes.get(usize::from(operand.node)), Some(Node::Null))) {
            return self.refuse(at, NO_NULL);
        }
        if left.nature == Nature::TruthConstant && right.nature == Nature::Constant {
            return self.refuse(at, MIXED);
        }
        let depth = left.depth.max(right.depth) + 1;
        self.push(Node::Equal(left.node, right.node), Nature::Truth, depth, at)
    }

    fn comparison(&mut self) -> Result<Operand, SqlError> {
        let mut left = self.unary()?;
        loop {
            let operator = self.next;
            let size = match operator.kind {
                Kind::Greater => Some(Comparison::Greater),
                Kind::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
                Kind::Less => Some(Comparison::Less),
                Kind::LessOrEqual => Some(Comparison::LessOrEqual),
                _ => None,
            };
            if let Some(comparison) = size {
                self.advance()?;
                let right = self.unary()?;
                left = self.compare(comparison, left, right, operator.at)?;
                continue;
            }
            let is_negated = operator.kind == Kind::Not;
            if is_negated {
                self.advance()?;
            }
            left = match self.next.kind {
                Kind::Between => self.between(left, is_negated)?,
                Kind::In => self.is_in(left, is_negated)?,
                Kind::Contains => self.search(left, Place::Anywhere, is_negated)?,
                Kind::StartsWith => self.search(left, Place::Start, is_negated)?,
                Kind::EndsWith => self.search(left, Place::End, is_negated)?,
                _ if is_negated => return self.unexpected(NEGATABLE),
                _ => return Ok(left),
            };
        }
    }

    fn compare(
        &mut self,
        comparison: Comparison,
        left: Operand,
        right: Operand,
        at: usize,
    ) -> Result<Operand, SqlError> {
        if !self.has_size(left) || !self.has_size(right) {
            return self.refuse(at, NO_SIZE);
        }
        let depth = left.depth.max(right.depth) + 1;
        self.push(Node::Compare(comparison, left.node, right.node), Nature::Truth, depth, at)
    }

    fn has_size(&self, operand: Operand) -> bool {
        match operand.nature {
            Nature::Property | Nature::Number => true,
            Nature::Constant => !matches!(self.nodes.get(usize::from(operand.node)), Some(Node::Text(_))),
            Nature::TruthConstant | Nature::Truth => false,
        }
    }

    fn between(&mut self, value: Operand, is_negated: bool) -> Result<Operand, SqlError> {
        let at = self.advance()?.at;
        let low = self.unary()?;
        self.expect(Kind::And, "AND")?;
        let high = self.unary()?;
        let (first, second) = match is_negated {
            false => (Comparison::GreaterOrEqual, Comparison::LessOrEqual),
            true => (Comparison::Less, Comparison::Greater),
        };
        let first = self.compare(first, value, low, at)?;
        let second = self.compare(second, value, high, at)?;
        if !is_negated && self.is_empty_range(low, high) {
            return Err(SqlError::EmptyRange { column: self.column(at) });
        }
        let (sides, depth) = (Box::new([first.node, second.node]), first.depth.max(second.depth) + 1);
        let node = if is_negated { Node::Or(sides) } else { Node::And(sides) };
        self.push(node, Nature::Truth, depth, at)
    }

    /// True for two constants of which the second is the smaller.
    fn is_empty_range(&self, low: Operand, high: Operand) -> bool {
        let number = |operand: Operand| match self.nodes.get(usize::from(operand.node)) {
            Some(Node::Int(value)) => Some(Value::Int(*value)),
            Some(Node::Long(value)) => Some(Value::Long(*value)),
            Some(Node::Double(value)) => Some(Value::Double(*value)),
            _ => None,
        };
        let (Some(low), Some(high)) = (number(low), number(high)) else { return false };
        compare(high, low) == Ok(Ordering::Less)
    }

    fn is_in(&mut self, left: Operand, is_negated: bool) -> Result<Operand, SqlError> {
        let at = self.advance()?.at;
        self.expect(Kind::Open, "an opening bracket")?;
        let mut texts = vec![self.string()?];
        while self.next.kind == Kind::Comma {
            self.advance()?;
            texts.push(self.string()?);
        }
        self.expect(Kind::Close, "a comma or a closing bracket")?;
        let Some(Node::Property(property)) = self.nodes.get(usize::from(left.node)) else {
            return self.refuse(at, NO_PROPERTY);
        };
        let property = *property;
        texts.sort_unstable();
        texts.dedup();
        self.push(Node::In { property, texts: texts.into(), is_negated }, Nature::Truth, 1, at)
    }

    fn search(&mut self, left: Operand, place: Place, is_negated: bool) -> Result<Operand, SqlError> {
        let at = self.advance()?.at;
        let text = self.string()?;
        let node = Node::Search { value: left.node, place, text, is_negated };
        self.push(node, Nature::Truth, left.depth + 1, at)
    }

    /// A string without its quotes.
    fn string(&mut self) -> Result<Box<str>, SqlError> {
        let token = self.expect(Kind::Text, "a string in single quotes")?;
        let inner = token.text.get(1..token.text.len().saturating_sub(1)).unwrap_or_default();
        Ok(inner.replace("''", "'").into())
    }

    fn unary(&mut self) -> Result<Operand, SqlError> {
        let sign = self.next;
        if !matches!(sign.kind, Kind::Plus | Kind::Minus | Kind::Not) {
            return self.primary();
        }
        self.enter(sign.at)?;
        self.advance()?;
        let operand = self.unary()?;
        self.nesting -= 1;
        match sign.kind {
            Kind::Plus => Ok(operand),
            Kind::Minus => self.push(Node::Negate(operand.node), Nature::Number, operand.depth + 1, sign.at),
            _ => {
                let operand = self.truth(operand, sign.at)?;
                self.push(Node::Not(operand.node), Nature::Truth, operand.depth + 1, sign.at)
            }
        }
    }

    fn enter(&mut self, at: usize) -> Result<(), SqlError> {
        self.nesting += 1;
        if self.nesting > DEPTH_MAX {
            return Err(SqlError::TooDeep { column: self.column(at) });
        }
        Ok(())
    }

    fn primary(&mut self) -> Result<Operand, SqlError> {
        let token = self.next;
        let (node, nature) = match token.kind {
            Kind::Open => {
                self.enter(token.at)?;
                self.advance()?;
                let inner = self.or()?;
                self.expect(Kind::Close, "an operator or a closing bracket")?;
                self.nesting -= 1;
                return Ok(inner);
            }
            Kind::Text => {
                let text = self.string()?;
                return self.push(Node::Text(text), Nature::Constant, 0, token.at);
            }
            Kind::Integer => (self.integer(token)?, Nature::Constant),
            Kind::Fraction => (self.fraction(token)?, Nature::Constant),
            Kind::True => (Node::Bool(true), Nature::TruthConstant),
            Kind::False => (Node::Bool(false), Nature::TruthConstant),
            Kind::Null => (Node::Null, Nature::TruthConstant),
            Kind::Name => (Node::Property(self.slot(token.text)), Nature::Property),
            _ => return self.unexpected(OPERAND),
        };
        self.advance()?;
        self.push(node, nature, 0, token.at)
    }

    fn integer(&self, token: Token<'_>) -> Result<Node, SqlError> {
        let Ok(long) = token.text.trim_end_matches(['l', 'L']).parse::<i64>() else { return self.out_of_range(token) };
        Ok(i32::try_from(long).map_or(Node::Long(long), Node::Int))
    }

    fn fraction(&self, token: Token<'_>) -> Result<Node, SqlError> {
        match token.text.parse::<f64>() {
            Ok(value) if value.is_finite() && value > 0.0 => Ok(Node::Double(value)),
            _ => self.out_of_range(token),
        }
    }

    fn out_of_range<T>(&self, token: Token<'_>) -> Result<T, SqlError> {
        Err(SqlError::Number { column: self.column(token.at), number: token.text.to_owned() })
    }

    fn slot(&mut self, name: &str) -> Slot {
        let known = self.properties.iter().position(|known| **known == *name);
        let place = known.unwrap_or_else(|| {
            self.properties.push(name.into());
            self.properties.len() - 1
        });
        // A text of 4 KiB names no more than 2,048.
        place as Slot
    }
}
