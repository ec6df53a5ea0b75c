//! A hostile server, as far as the decoder sees it: 10,000 streams, each of which ends in a right value or a clear error.

use super::*;

const STREAMS: u64 = 10_000;
/// What may be set aside beyond twice what was sent: room for a string that is announced, and as much by doubling.
const SPARE: usize = 2 * RESERVE_AHEAD + (64 << 10);

/// How a stream ended.
#[derive(Default)]
struct Outcome {
    frames: usize,
    error: Option<ProtocolError>,
    /// The stream stopped in the middle of a value.
    unfinished: bool,
}

/// Feeds a stream in pieces, and checks each result.
fn consume(random: &mut fastrand::Rng, wire: &[u8]) -> Outcome {
    let (mut decoder, mut buffer, mut outcome) = (Decoder::default(), BytesMut::new(), Outcome::default());
    let mut rest = wire;
    loop {
        match decoder.decode(&mut buffer) {
            Ok(Some(frame)) => {
                outcome.frames += 1;
                check(frame);
            }
            Ok(None) if rest.is_empty() => {
                outcome.unfinished = !buffer.is_empty() || !decoder.items.is_empty() || !decoder.open.is_empty();
                return outcome;
            }
            Ok(None) => {
                assert!(buffer.capacity() <= 2 * wire.len() + SPARE, "{} for {}", buffer.capacity(), wire.len());
                // In most streams a few bytes at a time, in some all at once.
                let most = if random.u8(..4) == 0 { rest.len() } else { 64 };
                let (next, later) = rest.split_at(random.usize(1..=rest.len().min(most)));
                buffer.extend_from_slice(next);
                rest = later;
            }
            Err(error) => {
                assert!((1..200).contains(&error.to_string().len()), "{error}");
                outcome.error = Some(error);
                return outcome;
            }
        }
        assert!(decoder.open.len() <= MAX_DEPTH);
        assert!(decoder.items.len() <= wire.len(), "more values than bytes");
    }
}

/// A reply is whole: it has as many values as its aggregates say, no more and no fewer.
fn check(frame: Frame) {
    let Frame::Reply(reply) = frame else { return };
    let mut missing = 1_usize;
    for item in reply.items() {
        assert!(missing > 0, "more values than announced: {reply:?}");
        missing = missing - 1 + item.children();
    }
    assert_eq!(missing, 0, "fewer values than announced: {reply:?}");
    let count = reply.items()[0].children();
    if let Some(elements) = reply.into_elements() {
        assert_eq!(elements.len(), count);
    }
}

fn length(random: &mut fastrand::Rng) -> String {
    match random.u8(..8) {
        0 => i64::MAX.to_string(),
        1 => i64::MIN.to_string(),
        2 => "-1".into(),
        3 => "99999999999999999999999999".into(),
        4 => (1_u64 << random.u32(20..63)).to_string(),
        5 => format!("-{}", random.u32(..)),
        6 => "+5".into(),
        _ => random.u32(..64).to_string(),
    }
}

fn valid(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut wire = Vec::new();
    (0..random.usize(1..6)).for_each(|_| generate(random, 3, &mut wire));
    wire
}

/// One of the ways to be hostile.
fn hostile(random: &mut fastrand::Rng, kind: u64) -> Vec<u8> {
    const KINDS: &[u8] = b"+-:$*%~>|_#,(=!";
    let one_of = |random: &mut fastrand::Rng| KINDS[random.usize(..KINDS.len())];
    match kind {
        // Right replies, which must come out.
        0 => valid(random),
        // Bytes changed, put in, or taken away.
        1 => {
            let mut wire = valid(random);
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..wire.len());
                match random.u8(..3) {
                    0 => wire[at] = random.u8(..),
                    1 => wire.insert(at, random.u8(..)),
                    _ if wire.len() > 1 => drop(wire.remove(at)),
                    _ => {}
                }
            }
            wire
        }
        // Cut anywhere.
        2 => {
            let mut wire = valid(random);
            wire.truncate(random.usize(..wire.len()));
            wire
        }
        // Lengths that nothing could have, before and between right replies.
        3 => {
            let mut wire = if random.bool() { valid(random) } else { Vec::new() };
            wire.extend(format!("{}{}\r\n", char::from(one_of(random)), length(random)).bytes());
            wire.extend(valid(random));
            wire
        }
        // Nesting, of all that can hold something.
        4 => {
            let levels = if random.u8(..20) == 0 { random.usize(..40_000) } else { random.usize(..2_000) };
            let mut wire = Vec::new();
            for _ in 0..levels {
                wire.extend_from_slice(match random.u8(..16) {
                    0 => b"%1\r\n:1\r\n",
                    1 => b"~1\r\n",
                    2 => b"|1\r\n+a\r\n",
                    _ => b"*1\r\n",
                });
            }
            wire.extend(valid(random));
            wire
        }
        // Attributes and pushes where they belong and where they do not.
        5 => {
            let mut wire = Vec::new();
            for _ in 0..random.usize(1..5) {
                wire.extend_from_slice(match random.u8(..5) {
                    0 => b">2\r\n+a\r\n:1\r\n",
                    1 => b">0\r\n",
                    2 => b"|1\r\n+a\r\n:1\r\n",
                    3 => b"*2\r\n",
                    _ => b":1\r\n",
                });
            }
            wire
        }
        // Noise that looks like RESP.
        6 => {
            let mut wire = Vec::new();
            for _ in 0..random.usize(1..40) {
                wire.push(one_of(random));
                wire.extend((0..random.usize(..6)).map(|_| random.digit(10) as u8));
                wire.extend_from_slice(if random.u8(..10) == 0 { b"\n" } else { b"\r\n" });
            }
            wire
        }
        // Noise.
        _ => (0..random.usize(1..400)).map(|_| random.u8(..)).collect(),
    }
}

#[test]
fn ten_thousand_hostile_streams_end_in_right_values_or_clear_errors() {
    let mut random = fastrand::Rng::with_seed(6);
    let (mut frames, mut errors, mut unfinished) = (0, 0, 0);
    for stream in 0..STREAMS {
        let wire = hostile(&mut random, stream % 8);
        let outcome = consume(&mut random, &wire);
        if stream % 8 == 0 {
            assert!(outcome.error.is_none() && !outcome.unfinished, "{:?}", String::from_utf8_lossy(&wire));
        }
        frames += outcome.frames;
        errors += usize::from(outcome.error.is_some());
        unfinished += usize::from(outcome.unfinished);
    }
    // The generator reaches all three ends.
    assert!(frames > 5_000 && errors > 2_000 && unfinished > 500, "{frames} {errors} {unfinished}");
}

#[test]
fn a_stream_is_read_the_same_however_it_is_cut_up() {
    let mut random = fastrand::Rng::with_seed(7);
    for stream in 0..1_000 {
        let wire = hostile(&mut random, stream % 8);
        let whole = everything(&wire, wire.len().max(1));
        for piece in [1, 3, 17] {
            assert_eq!(everything(&wire, piece), whole, "{:?}", String::from_utf8_lossy(&wire));
        }
    }
}

fn everything(wire: &[u8], piece: usize) -> (Vec<String>, Option<ProtocolError>) {
    let (mut decoder, mut buffer, mut frames) = (Decoder::default(), BytesMut::new(), Vec::new());
    for next in wire.chunks(piece) {
        buffer.extend_from_slice(next);
        loop {
            match decoder.decode(&mut buffer) {
                // As text, because NaN is not equal to itself.
                Ok(Some(frame)) => frames.push(format!("{frame:?}")),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
