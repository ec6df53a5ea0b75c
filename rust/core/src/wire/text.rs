//! The strings of replies.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// The bytes of a string. A short one is kept in its place: to allocate it in one thread and to free it in another
/// takes longer than to decode it.
#[derive(Clone)]
pub struct Text(Kept);

#[derive(Clone)]
enum Kept {
    Short(u8, [u8; SHORT]),
    Long(Bytes),
}

/// What the place of `Bytes` has room for besides the pointer that distinguishes the two: 23 where that has 64 bits.
const SHORT: usize = size_of::<Bytes>() - size_of::<usize>() - 1;

const _: () = assert!(size_of::<Text>() == size_of::<Bytes>());

impl Text {
    pub(crate) fn copied(bytes: &[u8]) -> Self {
        match u8::try_from(bytes.len()) {
            Ok(length) if bytes.len() <= SHORT => {
                let mut kept = [0; SHORT];
                kept[..bytes.len()].copy_from_slice(bytes);
                Self(Kept::Short(length, kept))
            }
            _ => Self(Kept::Long(Bytes::copy_from_slice(bytes))),
        }
    }
}

impl From<Bytes> for Text {
    /// Shares the bytes.
    fn from(bytes: Bytes) -> Self {
        Self(Kept::Long(bytes))
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kept::Short(length, kept) => &kept[..usize::from(*length)],
            Kept::Long(bytes) => bytes,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_all_lengths_are_kept_whole_and_are_equal_however_they_are_kept() {
        let all: Vec<u8> = (0..=255).collect();
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 255, 256] {
            let (copied, shared) = (Text::copied(&all[..length]), Text::from(Bytes::copy_from_slice(&all[..length])));
            assert_eq!(&copied[..], &all[..length]);
            assert_eq!(copied, shared);
            assert_eq!(copied.clone(), copied);
        }
        assert_ne!(Text::copied(b"a"), Text::copied(b"b"));
    }
}
