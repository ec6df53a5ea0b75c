//! The values of a reply.

use bytes::Bytes;

use super::ServerError;
use crate::wire::text::Text;

/// One value of a reply. An aggregate says how many elements follow it in the reply's list of values.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Nil,
    /// The status `+OK`.
    Okay,
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Meant to be decimal digits with an optional sign; a script can put anything there.
    BigNumber(Bytes),
    /// A bulk or verbatim string; the format of a verbatim string is not kept.
    Bulk(Text),
    /// A status other than `OK`.
    Simple(Text),
    Error(ServerError),
    Array(usize),
    /// The number of pairs; twice as many elements follow.
    Map(usize),
    Set(usize),
}

impl Item {
    /// How many of the following elements belong to this one.
    pub fn children(&self) -> usize {
        match self {
            Item::Array(n) | Item::Set(n) => *n,
            Item::Map(pairs) => 2 * pairs,
            _ => 0,
        }
    }
}

/// One reply of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    One(Item),
    /// An aggregate and all that is in it, in the order of the wire.
    Nested(Vec<Item>),
}

impl Reply {
    pub const OKAY: Self = Self::One(Item::Okay);
    pub const NIL: Self = Self::One(Item::Nil);

    /// The error that the server answered with, if it did.
    pub fn error(&self) -> Option<&ServerError> {
        match self {
            Reply::One(Item::Error(error)) => Some(error),
            _ => None,
        }
    }

    pub fn items(&self) -> &[Item] {
        match self {
            Reply::One(item) => std::slice::from_ref(item),
            Reply::Nested(items) => items,
        }
    }

    /// The elements of an aggregate, each as a reply of its own; `None` for anything else.
    pub fn into_elements(self) -> Option<Vec<Reply>> {
        let Reply::Nested(items) = self else {
            return match self {
                Reply::One(Item::Array(0) | Item::Map(0) | Item::Set(0)) => Some(Vec::new()),
                _ => None,
            };
        };
        let mut items = items.into_iter();
        let count = items.next()?.children();
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            let first = items.next()?;
            let mut missing = first.children();
            if missing == 0 {
                elements.push(Reply::One(first));
                continue;
            }
            let mut element = vec![first];
            while missing > 0 {
                let item = items.next()?;
                missing = missing - 1 + item.children();
                element.push(item);
            }
            elements.push(Reply::Nested(element));
        }
        Some(elements)
    }

    /// Puts it behind what an aggregate has already.
    pub(crate) fn append_to(self, items: &mut Vec<Item>) {
        match self {
            Reply::One(item) => items.push(item),
            Reply::Nested(nested) => items.extend(nested),
        }
    }

    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::One(Item::Bulk(bytes) | Item::Simple(bytes)) => Some(bytes),
            Reply::One(Item::Okay) => Some(b"OK"),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Reply::One(Item::Int(value)) => Some(*value),
            _ => None,
        }
    }
}
