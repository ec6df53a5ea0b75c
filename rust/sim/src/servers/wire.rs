//! RESP: commands in, replies out.

/// A command and its arguments.
pub type Words = Vec<Vec<u8>>;

/// The bytes of a command.
pub fn pack<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        write_bulk(word.as_ref(), &mut bytes);
    }
    bytes
}

/// Takes the first command from the bytes once it has arrived in full. `Err`: no command begins like that.
pub(crate) fn take_command(input: &mut Vec<u8>) -> Result<Option<Words>, String> {
    let mut at = 0;
    let Some(count) = number(input, &mut at, b'*', "invalid multibulk length")? else { return Ok(None) };
    let mut words = Vec::new();
    for _ in 0..count.max(0) {
        let Some(length) = number(input, &mut at, b'$', "invalid bulk length")? else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| "Protocol error: invalid bulk length".to_owned())?;
        let Some(word) = input.get(at..at + length) else { return Ok(None) };
        if input.len() < at + length + 2 {
            return Ok(None);
        }
        words.push(word.to_vec());
        at += length + 2;
    }
    input.drain(..at);
    Ok(Some(words))
}

fn number(input: &[u8], at: &mut usize, marker: u8, complaint: &str) -> Result<Option<i64>, String> {
    let rest = &input[*at..];
    let Some(&first) = rest.first() else { return Ok(None) };
    if first != marker {
        return Err(format!("Protocol error: expected '{}', got '{}'", char::from(marker), char::from(first)));
    }
    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    *at += end + 2;
    let digits = std::str::from_utf8(&rest[1..end]).ok();
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or_else(|| format!("Protocol error: {complaint}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Resp2,
    Resp3,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Simple(Vec<u8>),
    /// Without the leading minus.
    Error(Vec<u8>),
    Int(i64),
    Bulk(Vec<u8>),
    Nil,
    /// As EXEC and BLPOP say that there is nothing: a list under RESP2.
    NilArray,
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    /// Text of INFO: under RESP3 it says that it is text.
    Verbatim(String),
}

impl Reply {
    pub(super) fn ok() -> Self {
        Self::Simple(b"OK".to_vec())
    }

    pub(super) fn error(text: impl Into<Vec<u8>>) -> Self {
        Self::Error(text.into())
    }

    pub(super) fn bulk(text: impl Into<Vec<u8>>) -> Self {
        Self::Bulk(text.into())
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).expect("no count is as large as that"))
    }

    pub(super) fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    pub(super) fn write(&self, protocol: Protocol, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => write_line(b'+', text, out),
            Self::Error(text) => write_line(b'-', text, out),
            Self::Int(number) => write_line(b':', number.to_string().as_bytes(), out),
            Self::Bulk(bytes) => write_bulk(bytes, out),
            Self::Verbatim(text) if protocol == Protocol::Resp3 => {
                write_line(b'=', (text.len() + 4).to_string().as_bytes(), out);
                out.extend(b"txt:");
                out.extend(text.as_bytes());
                out.extend(b"\r\n");
            }
            Self::Verbatim(text) => write_bulk(text.as_bytes(), out),
            Self::Nil | Self::NilArray if protocol == Protocol::Resp3 => out.extend(b"_\r\n"),
            Self::Nil => out.extend(b"$-1\r\n"),
            Self::NilArray => out.extend(b"*-1\r\n"),
            Self::Array(elements) | Self::Set(elements) => {
                let is_set = matches!(self, Self::Set(_)) && protocol == Protocol::Resp3;
                write_line(if is_set { b'~' } else { b'*' }, elements.len().to_string().as_bytes(), out);
                elements.iter().for_each(|element| element.write(protocol, out));
            }
            Self::Map(pairs) => {
                let (marker, count) = if protocol == Protocol::Resp3 { (b'%', 1) } else { (b'*', 2) };
                write_line(marker, (pairs.len() * count).to_string().as_bytes(), out);
                for (key, value) in pairs {
                    key.write(protocol, out);
                    value.write(protocol, out);
                }
            }
        }
    }
}

/// A line may not have line breaks within; servers make spaces of them.
fn write_line(marker: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(marker);
    out.extend(text.iter().map(|&byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }));
    out.extend(b"\r\n");
}

fn write_bulk(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(format!("${}\r\n", bytes.len()).as_bytes());
    out.extend(bytes);
    out.extend(b"\r\n");
}

/// As servers read numbers: no plus, no blanks, no leading zeros.
pub(super) fn integer(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

pub(super) fn same(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes())
}

pub(super) fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}
