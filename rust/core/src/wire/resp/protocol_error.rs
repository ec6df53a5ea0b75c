//! Why a stream is not RESP.

/// What was found in place of valid RESP, or of RESP that is safe to decode. The connection must be closed.
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

/// What a line should hold.
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
    /// The error for a line that does not hold this, with the beginning of the line.
    pub(super) fn expected_of(self, line: &[u8]) -> ProtocolError {
        const SHOWN: usize = 32;
        let found = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).into_owned();
        ProtocolError::Malformed { expected: self, found }
    }
}
