//! An error as a server words it.

use std::fmt;

use bytes::Bytes;

/// An error reply as the server worded it: `CODE and more words`.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError(Bytes);

impl ServerError {
    /// Joins several lines with spaces, as most servers do. Redis 8.2.3 and Valkey 9.0.0 keep the line breaks in a
    /// script's error.
    pub fn new(line: impl Into<Bytes>) -> Self {
        let line = line.into();
        if memchr::memchr2(b'\r', b'\n', &line).is_none() {
            return Self(line);
        }
        let spaced = line.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte });
        Self(spaced.collect())
    }

    /// The first word, which says what kind of error it is.
    pub fn code(&self) -> &str {
        let end = memchr::memchr(b' ', &self.0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or("ERR")
    }

    /// The whole line; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// The same, without the arguments of a command that the server does not know: one may be a password.
    pub fn without_arguments(&self) -> String {
        let mut text = self.text();
        text.truncate(text.find(", with args beginning with").unwrap_or(text.len()));
        text
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({:?})", self.text())
    }
}
