//! Commands as bytes: a list of words, each after its length.

use bytes::{BufMut, Bytes, BytesMut};

/// One of the client's own commands. Those of callers are packed word by word, into memory that many share.
pub(crate) fn command(words: &[&[u8]]) -> Bytes {
    let length = words.iter().map(|word| word.len() + HEADER).sum::<usize>() + HEADER;
    let mut wire = BytesMut::with_capacity(length);
    write_header(&mut wire, b'*', words.len());
    words.iter().for_each(|word| write_word(&mut wire, word));
    wire.freeze()
}

/// More than a word needs besides itself.
const HEADER: usize = 32;

pub(crate) fn write_word(wire: &mut BytesMut, word: &[u8]) {
    wire.reserve(word.len() + HEADER);
    write_header(wire, b'$', word.len());
    wire.extend_from_slice(word);
    wire.extend_from_slice(b"\r\n");
}

/// A word that holds a number.
pub(crate) fn write_number(wire: &mut BytesMut, number: usize) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    write_header(wire, b'$', digits);
    write_digits(wire, number);
    wire.extend_from_slice(b"\r\n");
}

pub(crate) fn write_header(wire: &mut BytesMut, kind: u8, length: usize) {
    // Nearly all are of one digit or two; `itoa` and three appends cost three times as much.
    match u8::try_from(length) {
        Ok(length @ 0..10) => wire.extend_from_slice(&[kind, b'0' + length, b'\r', b'\n']),
        Ok(length @ 10..100) => {
            wire.extend_from_slice(&[kind, b'0' + length / 10, b'0' + length % 10, b'\r', b'\n']);
        }
        _ => {
            wire.put_u8(kind);
            write_digits(wire, length);
            wire.extend_from_slice(b"\r\n");
        }
    }
}

fn write_digits(wire: &mut BytesMut, number: usize) {
    wire.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_own_commands_are_packed_as_redis_rs_packs_them() {
        let long = [b'x'; 12_345];
        for words in [&[&b"READONLY"[..]][..], &[b"SELECT", b"7", b""], &[b"SCRIPT", b"LOAD", b"a\r\n\0\xff", &long]] {
            let mut expected = redis::Cmd::new();
            for word in words {
                expected.arg(*word);
            }
            assert_eq!(command(words), expected.get_packed_command());
        }
    }
}
