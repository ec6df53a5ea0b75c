//! A library of [functions](https://valkey.io/topics/functions-intro/), which brings its code to servers that lack it.

use std::fmt;

use bytes::Bytes;

use crate::model::known_code::CodeId;
use crate::model::script::{line, sha1_hex};
use crate::wire::pack;

/// The code of a library. Cheap to share: wrap it in an `Arc`.
pub struct Library {
    code: Bytes,
    /// Names it among what a connection has loaded.
    pub(crate) key: String,
    pub(crate) id: CodeId,
}

const PREFIX: &str = "library ";

/// Whether a name among what a connection has loaded is a library's.
pub(crate) fn is_library(key: &str) -> bool {
    key.starts_with(PREFIX)
}

impl Library {
    pub fn new(code: impl Into<Bytes>) -> Self {
        let code = code.into();
        let hash = sha1_hex(&code);
        Self { code, key: format!("{PREFIX}{hash}"), id: CodeId::new(&hash) }
    }

    pub fn code(&self) -> &Bytes {
        &self.code
    }

    pub(crate) fn name(&self) -> Option<String> {
        library_name(&self.code)
    }

    pub(crate) fn line(&self, number: u32) -> Option<String> {
        line(&self.code, number)
    }

    /// [FUNCTION LOAD](https://valkey.io/commands/function-load/) of it, also in place of one of its name.
    pub(crate) fn load(&self, replace: bool) -> Bytes {
        if replace {
            pack::command(&[b"FUNCTION", b"LOAD", b"REPLACE", &self.code])
        } else {
            pack::command(&[b"FUNCTION", b"LOAD", &self.code])
        }
    }

    /// [FUNCTION LIST](https://valkey.io/commands/function-list/) of all that a server has.
    pub(crate) fn list() -> Bytes {
        pack::command(&[b"FUNCTION", b"LIST"])
    }
}

/// The name that the first line of a library's code declares.
pub fn library_name(code: &[u8]) -> Option<String> {
    let first = code.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let name =
        first.strip_prefix(b"#!")?.split(u8::is_ascii_whitespace).find_map(|word| word.strip_prefix(b"name="))?;
    Some(String::from_utf8_lossy(name).into_owned())
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}
