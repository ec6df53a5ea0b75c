//! How a stream turns out not to be RESP.

/// What came in the place of RESP, or of RESP that is safe to follow. The connection must be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("an empty line")]
    EmptyLine,
    #[error("a line longer than {0} bytes")]
    LineOver(usize),
    #[error("a value that begins with {0:?}")]
    UnknownType(char),
    #[error("{found:?} is not {expected}")]
    Malformed { expected: Scalar, found: String },
    #[error("a string of length {0}")]
    StringLength(i64),
    #[error("a string longer than its length")]
    LongString,
    #[error("a verbatim string without its format")]
    NoFormat,
    #[error("an aggregate of {0} elements")]
    AggregateLength(i64),
    #[error("values nested deeper than {0} levels")]
    DeeperThan(usize),
    #[error("a push inside a reply")]
    PushInReply,
}

/// What one line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Scalar {
    #[error("an integer")]
    Integer,
    #[error("a double")]
    Double,
    #[error("a boolean")]
    Boolean,
}

impl Scalar {
    /// The error for a line that does not hold one, with its beginning.
    pub(super) fn expected_of(self, line: &[u8]) -> ProtocolError {
        const SHOWN: usize = 32;
        let found = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).into_owned();
        ProtocolError::Malformed { expected: self, found }
    }
}
