//! Takes replies out of a stream.

use bytes::{Buf, Bytes, BytesMut};

use super::{Item, ProtocolError, Reply, Scalar, ServerError};
use crate::wire::text::Text;

/// What the decoder found whole in the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Reply(Reply),
    /// Out-of-band data that answers no request.
    Push(Vec<Item>),
}

/// Twice what a server sends: Lua's stack ends its tables at 8,000 levels.
const MAX_DEPTH: usize = 16_384;
/// `proto-max-bulk-len` is 512 MiB unless someone raised it.
const MAX_BULK: usize = 4 << 30;
const MAX_ELEMENTS: usize = 1 << 31;
/// The longest line: a status or an error, which a script may make as long as it likes.
const MAX_LINE: usize = 64 << 20;
/// From here on a string shares the buffer it was read into instead of being copied.
const SHARE_FROM: usize = 16 << 10;
/// What precedes a verbatim string: three characters and a colon.
const VERBATIM_FORMAT: usize = 4;
/// How much room is made ahead of a string that is still on its way. More is made as it arrives, so that a length
/// alone costs nothing.
const RESERVE_AHEAD: usize = 1 << 20;

/// For how many elements room is made ahead of them.
const RESERVE_ITEMS: usize = 128;

/// An aggregate of which elements are still missing.
#[derive(Debug)]
struct Open {
    missing: usize,
    kind: OpenKind,
}

#[derive(Debug)]
enum OpenKind {
    Value,
    /// Attributes say something about the value after them; they are dropped, back to this many items.
    Attribute {
        items_before: usize,
    },
    Push,
}

/// Takes frames out of a stream. After an error the stream is lost.
#[derive(Debug, Default)]
pub struct Decoder {
    items: Vec<Item>,
    open: Vec<Open>,
    /// No line ends before this position of the buffer.
    scanned: usize,
    /// How many bytes are missing of the string that begins the buffer.
    missing: usize,
}

impl Decoder {
    /// How many bytes are certainly still to come, of a string that has begun; only so many that it is safe to make room
    /// for them on the word of the server.
    pub(crate) fn missing(&self) -> usize {
        self.missing.min(RESERVE_AHEAD)
    }

    /// The next whole frame of `buffer`, whose bytes are then gone from it; `None` when more must be read first.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, ProtocolError> {
        while let Some(line_end) = self.line_end(buffer)? {
            let Some(item) = self.take_value(buffer, line_end)? else {
                return Ok(None);
            };
            self.scanned = 0;
            if let Some(frame) = self.accept(item)? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn line_end(&mut self, buffer: &BytesMut) -> Result<Option<usize>, ProtocolError> {
        let mut from = self.scanned;
        while let Some(found) = memchr::memchr(b'\r', &buffer[from..]) {
            let at = from + found;
            match buffer.get(at + 1) {
                Some(b'\n') => return Ok(Some(at)),
                Some(_) => from = at + 1,
                None => {
                    self.scanned = at;
                    return Ok(None);
                }
            }
        }
        self.scanned = buffer.len();
        if buffer.len() > MAX_LINE {
            return Err(ProtocolError::LineOver(MAX_LINE));
        }
        Ok(None)
    }

    /// The value that begins the buffer, with the line that ends at `line_end`.
    fn take_value(&mut self, buffer: &mut BytesMut, line_end: usize) -> Result<Option<Token>, ProtocolError> {
        if line_end == 0 {
            return Err(ProtocolError::EmptyLine);
        }
        let line = &buffer[1..line_end];
        let token = match buffer[0] {
            b'$' | b'=' | b'!' => return self.take_string(buffer, line_end),
            b'+' if line == b"OK" => Token::Value(Item::Okay),
            b'+' => Token::Value(Item::Simple(Text::copied(line))),
            b'-' => Token::Value(Item::Error(ServerError::new(Bytes::copy_from_slice(line)))),
            b':' => Token::Value(Item::Int(integer(line)?)),
            b',' => Token::Value(Item::Double(double(line)?)),
            b'#' => Token::Value(Item::Bool(boolean(line)?)),
            b'(' => Token::Value(Item::BigNumber(Bytes::copy_from_slice(line))),
            b'_' => Token::Value(Item::Nil),
            kind @ (b'*' | b'~' | b'%' | b'|' | b'>') => aggregate(kind, integer(line)?)?,
            kind => return Err(ProtocolError::UnknownType(char::from(kind))),
        };
        buffer.advance(line_end + 2);
        Ok(Some(token))
    }

    fn take_string(&mut self, buffer: &mut BytesMut, line_end: usize) -> Result<Option<Token>, ProtocolError> {
        let kind = buffer[0];
        let length = integer(&buffer[1..line_end])?;
        let start = line_end + 2;
        if length == -1 && kind == b'$' {
            buffer.advance(start);
            return Ok(Some(Token::Value(Item::Nil)));
        }
        let length = match usize::try_from(length) {
            Ok(length) if length <= MAX_BULK => length,
            _ => return Err(ProtocolError::StringLength(length)),
        };
        let whole = start + length + 2;
        if buffer.len() < whole {
            self.scanned = line_end;
            self.missing = whole - buffer.len();
            return Ok(None);
        }
        self.missing = 0;
        if &buffer[start + length..whole] != b"\r\n" {
            return Err(ProtocolError::LongString);
        }
        if kind == b'!' {
            let error = ServerError::new(Bytes::copy_from_slice(&buffer[start..start + length]));
            buffer.advance(whole);
            return Ok(Some(Token::Value(Item::Error(error))));
        }
        let format = if kind == b'=' { VERBATIM_FORMAT } else { 0 };
        if format > 0 && (length < format || buffer[start + format - 1] != b':') {
            return Err(ProtocolError::NoFormat);
        }
        let text = if length >= SHARE_FROM {
            buffer.advance(start + format);
            let text = buffer.split_to(length - format).freeze().into();
            buffer.advance(2);
            text
        } else {
            let text = Text::copied(&buffer[start + format..start + length]);
            buffer.advance(whole);
            text
        };
        Ok(Some(Token::Value(Item::Bulk(text))))
    }

    /// Puts a value where it belongs; a frame when that completes one.
    fn accept(&mut self, token: Token) -> Result<Option<Frame>, ProtocolError> {
        let (missing, kind) = match token {
            Token::Value(item) => {
                let missing = item.children();
                if missing == 0 {
                    if self.open.is_empty() {
                        return Ok(Some(Frame::Reply(Reply::One(item))));
                    }
                    self.items.push(item);
                    return Ok(self.close());
                }
                self.items.reserve(1 + missing.min(RESERVE_ITEMS));
                self.items.push(item);
                (missing, OpenKind::Value)
            }
            Token::Attribute(pairs) => (2 * pairs, OpenKind::Attribute { items_before: self.items.len() }),
            Token::Push(length) => {
                if !self.open.is_empty() {
                    return Err(ProtocolError::PushInReply);
                }
                (length, OpenKind::Push)
            }
        };
        if missing == 0 {
            return Ok(match kind {
                OpenKind::Push => Some(Frame::Push(Vec::new())),
                OpenKind::Value | OpenKind::Attribute { .. } => None,
            });
        }
        if self.open.len() == MAX_DEPTH {
            return Err(ProtocolError::DeeperThan(MAX_DEPTH));
        }
        self.open.push(Open { missing, kind });
        Ok(None)
    }

    /// Counts a whole value in, and closes what it completes.
    fn close(&mut self) -> Option<Frame> {
        while let Some(innermost) = self.open.last_mut() {
            innermost.missing -= 1;
            if innermost.missing > 0 {
                return None;
            }
            let kind = self.open.pop().map(|open| open.kind);
            match kind {
                Some(OpenKind::Attribute { items_before }) => {
                    self.items.truncate(items_before);
                    return None;
                }
                Some(OpenKind::Push) => return Some(Frame::Push(std::mem::take(&mut self.items))),
                Some(OpenKind::Value) | None => {}
            }
        }
        Some(Frame::Reply(Reply::Nested(std::mem::take(&mut self.items))))
    }
}

enum Token {
    Value(Item),
    Attribute(usize),
    Push(usize),
}

fn aggregate(kind: u8, length: i64) -> Result<Token, ProtocolError> {
    if length == -1 && kind == b'*' {
        return Ok(Token::Value(Item::Nil));
    }
    let length = match usize::try_from(length) {
        Ok(length) if length <= MAX_ELEMENTS => length,
        _ => return Err(ProtocolError::AggregateLength(length)),
    };
    Ok(match kind {
        b'*' => Token::Value(Item::Array(length)),
        b'~' => Token::Value(Item::Set(length)),
        b'%' => Token::Value(Item::Map(length)),
        b'|' => Token::Attribute(length),
        _ => Token::Push(length),
    })
}

fn integer(line: &[u8]) -> Result<i64, ProtocolError> {
    let (negative, digits) = match line {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // 18 digits cannot overflow; the few that are longer take the slower, checked way.
    if digits.is_empty() || digits.len() > 18 {
        return checked_integer(line);
    }
    let mut value = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return checked_integer(line);
        }
        value = value * 10 + i64::from(digit);
    }
    Ok(if negative { -value } else { value })
}

#[cold]
fn checked_integer(line: &[u8]) -> Result<i64, ProtocolError> {
    let value = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
    value.ok_or_else(|| Scalar::Integer.expected_of(line))
}

fn double(line: &[u8]) -> Result<f64, ProtocolError> {
    let value = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
    value.ok_or_else(|| Scalar::Double.expected_of(line))
}

fn boolean(line: &[u8]) -> Result<bool, ProtocolError> {
    match line {
        b"t" => Ok(true),
        b"f" => Ok(false),
        _ => Err(Scalar::Boolean.expected_of(line)),
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
