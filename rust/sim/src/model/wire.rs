//! Commands in, replies out.

/// Takes the first whole command out of what was read; `None`: more is to come.
pub(super) fn take_command(input: &mut Vec<u8>) -> Option<Vec<Vec<u8>>> {
    let (words, used) = parse(input)?;
    input.drain(..used);
    Some(words)
}

/// The words of the first command, and how many bytes it takes.
pub(crate) fn parse(input: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut at = 0;
    let count = take_length(input, &mut at)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = take_length(input, &mut at)?;
        words.push(input.get(at..at + length)?.to_vec());
        at += length + 2;
        if at > input.len() {
            return None;
        }
    }
    Some((words, at))
}

fn take_length(input: &[u8], at: &mut usize) -> Option<usize> {
    let rest = input.get(*at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let digits = std::str::from_utf8(rest.get(1..end)?).ok()?;
    *at += end + 2;
    digits.parse().ok()
}

pub(super) fn ok() -> Vec<u8> {
    b"+OK\r\n".to_vec()
}

pub(super) fn error(words: &str) -> Vec<u8> {
    format!("-{words}\r\n").into_bytes()
}

pub(super) fn int(value: i64) -> Vec<u8> {
    format!(":{value}\r\n").into_bytes()
}

pub(super) fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

pub(super) fn nil(resp3: bool) -> Vec<u8> {
    if resp3 { b"_\r\n".to_vec() } else { b"$-1\r\n".to_vec() }
}

pub(super) fn array(elements: &[Vec<u8>]) -> Vec<u8> {
    [format!("*{}\r\n", elements.len()).into_bytes(), elements.concat()].concat()
}
