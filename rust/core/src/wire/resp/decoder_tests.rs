use super::*;

fn decode(wire: &[u8]) -> Result<Option<Frame>, ProtocolError> {
    Decoder::default().decode(&mut BytesMut::from(wire))
}

fn reply(wire: &[u8]) -> Reply {
    match decode(wire) {
        Ok(Some(Frame::Reply(reply))) => reply,
        other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(wire)),
    }
}

fn bulk(text: &'static str) -> Item {
    Item::Bulk(Text::copied(text.as_bytes()))
}

#[test]
fn every_scalar_is_read() {
    let error = |text: &'static str| Item::Error(ServerError::new(text.as_bytes()));
    for (wire, item) in [
        (&b"+OK\r\n"[..], Item::Okay),
        (b"+PONG\r\n", Item::Simple(Text::copied(b"PONG"))),
        (b"+\r\n", Item::Simple(Text::copied(b""))),
        (b"-ERR no\r\n", error("ERR no")),
        (b"!6\r\nERR no\r\n", error("ERR no")),
        (b"-ERR a\nb\rc\r\n", error("ERR a b c")),
        (b":-42\r\n", Item::Int(-42)),
        (b":9223372036854775807\r\n", Item::Int(i64::MAX)),
        (b":-9223372036854775808\r\n", Item::Int(i64::MIN)),
        (b"$5\r\na\r\nbc\r\n", bulk("a\r\nbc")),
        (b"$0\r\n\r\n", bulk("")),
        (b"=9\r\ntxt:hello\r\n", bulk("hello")),
        (b"$-1\r\n", Item::Nil),
        (b"*-1\r\n", Item::Nil),
        (b"_\r\n", Item::Nil),
        (b"#t\r\n", Item::Bool(true)),
        (b",3.5\r\n", Item::Double(3.5)),
        (b",-inf\r\n", Item::Double(f64::NEG_INFINITY)),
        (b"(-12345678901234567890\r\n", Item::BigNumber(Bytes::from_static(b"-12345678901234567890"))),
        (b"*0\r\n", Item::Array(0)),
        (b"%0\r\n", Item::Map(0)),
        (b"~0\r\n", Item::Set(0)),
    ] {
        assert_eq!(reply(wire), Reply::One(item));
    }
    assert!(matches!(reply(b",nan\r\n"), Reply::One(Item::Double(value)) if value.is_nan()));
}

#[test]
fn text_need_not_be_utf8() {
    assert_eq!(reply(b"-\xff\xfe x\r\n").error().map(ServerError::text).as_deref(), Some("\u{fffd}\u{fffd} x"));
    assert_eq!(reply(b"+\xff\r\n"), Reply::One(Item::Simple(Text::copied(b"\xff"))));
}

#[test]
fn aggregates_are_kept_flat_and_come_apart_again() {
    let nested = reply(b"*3\r\n:1\r\n%1\r\n+k\r\n*2\r\n:2\r\n:3\r\n~1\r\n:4\r\n");
    let elements = nested.into_elements().expect("an aggregate");
    assert_eq!(elements.len(), 3);
    assert_eq!(elements[0].as_int(), Some(1));
    let Reply::Nested(map) = &elements[1] else { panic!("{elements:?}") };
    assert_eq!(map[0], Item::Map(1));
    assert_eq!(map.len(), 5);
    assert_eq!(elements[2], Reply::Nested(vec![Item::Set(1), Item::Int(4)]));
}

#[test]
fn attributes_are_dropped_wherever_they_stand() {
    assert_eq!(reply(b"|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n:7\r\n"), Reply::One(Item::Int(7)));
    let inside = reply(b"*2\r\n:1\r\n|1\r\n+a\r\n:0\r\n:2\r\n");
    assert_eq!(inside, Reply::Nested(vec![Item::Array(2), Item::Int(1), Item::Int(2)]));
    assert_eq!(reply(b"|0\r\n:7\r\n"), Reply::One(Item::Int(7)));
}

#[test]
fn a_push_is_told_from_a_reply() {
    let frame = decode(b">2\r\n+invalidate\r\n*1\r\n+k\r\n").expect("valid").expect("whole");
    assert!(matches!(frame, Frame::Push(items) if items.len() == 3));
    assert_eq!(decode(b">0\r\n"), Ok(Some(Frame::Push(Vec::new()))));
    assert!(decode(b"*1\r\n>1\r\n+x\r\n").is_err());
}

#[test]
fn depth_that_a_server_sends_is_read_and_more_is_refused() {
    let deep = |levels: usize| [b"*1\r\n".repeat(levels), b"*0\r\n".to_vec()].concat();
    let Reply::Nested(items) = reply(&deep(8_000)) else { panic!("not nested") };
    assert_eq!(items.len(), 8_001);
    assert!(decode(&deep(1_000_000)).is_err());
}

#[test]
fn lengths_alone_cost_nothing() {
    for wire in [&b"$4294967296\r\n"[..], b"*2147483648\r\n", b"%1000000000\r\n", b"$1000000\r\nab"] {
        let mut buffer = BytesMut::from(wire);
        assert_eq!(Decoder::default().decode(&mut buffer), Ok(None));
        assert!(buffer.capacity() <= RESERVE_AHEAD + 4096, "{}", buffer.capacity());
    }
}

#[test]
fn what_is_not_resp_is_an_error() {
    for wire in [
        &b"hello\r\n"[..],
        b"\r\n",
        b":12a\r\n",
        b":\r\n",
        b":9223372036854775808\r\n",
        b"$-2\r\n",
        b"$3\r\nabcde\r\n",
        b"$99999999999999999999\r\n",
        b"$9999999999999\r\n",
        b"*-2\r\n",
        b"*9999999999999\r\n",
        b"%-1\r\n",
        b"#x\r\n",
        b",abc\r\n",
        b"=2\r\nab\r\n",
        b"$?\r\n",
    ] {
        assert!(decode(wire).is_err(), "{:?}", String::from_utf8_lossy(wire));
    }
}

/// A random value and its wire form.
fn generate(random: &mut fastrand::Rng, depth: usize, wire: &mut Vec<u8>) {
    let kinds = if depth == 0 { 10 } else { 13 };
    let text =
        |random: &mut fastrand::Rng| -> String { (0..random.usize(..20)).map(|_| random.alphanumeric()).collect() };
    match random.usize(..kinds) {
        0 => wire.extend(b"+OK\r\n"),
        1 => wire.extend(format!("+{}\r\n", text(random)).bytes()),
        2 => wire.extend(format!("-ERR {}\r\n", text(random)).bytes()),
        3 => wire.extend(format!(":{}\r\n", random.i64(..)).bytes()),
        4 => wire.extend(b"_\r\n"),
        5 => wire.extend(if random.bool() { b"#t\r\n" } else { b"#f\r\n" }),
        6 => wire.extend(format!(",{}\r\n", random.f64() * 1e6).bytes()),
        7 => wire.extend(format!("({}\r\n", random.i128(..)).bytes()),
        8 => wire.extend(b"$-1\r\n"),
        9 => {
            let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
            wire.extend(format!("${}\r\n", bytes.len()).bytes());
            wire.extend(bytes);
            wire.extend(b"\r\n");
        }
        kind => {
            let length = random.usize(..5);
            let (header, elements) = match kind {
                10 => (b'*', length),
                11 => (b'%', 2 * length),
                _ => (b'~', length),
            };
            wire.extend(format!("{}{length}\r\n", char::from(header)).bytes());
            (0..elements).for_each(|_| generate(random, depth - 1, wire));
        }
    }
}

/// What redis-rs makes of a reply, to compare with.
fn flatten(value: redis::Value, items: &mut Vec<Item>) {
    match value {
        redis::Value::Nil => items.push(Item::Nil),
        redis::Value::Int(value) => items.push(Item::Int(value)),
        redis::Value::BulkString(bytes) => items.push(Item::Bulk(Text::copied(&bytes))),
        redis::Value::SimpleString(text) => items.push(Item::Simple(Text::copied(text.as_bytes()))),
        redis::Value::Okay => items.push(Item::Okay),
        redis::Value::Double(value) => items.push(Item::Double(value)),
        redis::Value::Boolean(value) => items.push(Item::Bool(value)),
        redis::Value::BigNumber(digits) => items.push(Item::BigNumber(digits.into())),
        redis::Value::ServerError(error) => {
            let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
            items.push(Item::Error(ServerError::new(text.into_bytes())));
        }
        redis::Value::Array(values) => {
            items.push(Item::Array(values.len()));
            values.into_iter().for_each(|value| flatten(value, items));
        }
        redis::Value::Set(values) => {
            items.push(Item::Set(values.len()));
            values.into_iter().for_each(|value| flatten(value, items));
        }
        redis::Value::Map(pairs) => {
            items.push(Item::Map(pairs.len()));
            for (key, value) in pairs {
                flatten(key, items);
                flatten(value, items);
            }
        }
        other => panic!("{other:?} was not generated"),
    }
}

#[test]
fn replies_are_read_as_redis_rs_reads_them_however_they_arrive() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..2_000 {
        let mut wire = Vec::new();
        generate(&mut random, 4, &mut wire);
        let mut expected = Vec::new();
        flatten(redis::parse_redis_value(&wire).expect("redis-rs reads it"), &mut expected);

        let (mut decoder, mut buffer, mut rest) = (Decoder::default(), BytesMut::new(), wire.as_slice());
        let frame = loop {
            if let Some(frame) = decoder.decode(&mut buffer).expect("a valid reply") {
                break frame;
            }
            let (next, later) = rest.split_at(random.usize(1..=rest.len().min(7)));
            buffer.extend_from_slice(next);
            rest = later;
        };
        let Frame::Reply(reply) = frame else { panic!("a push") };
        assert_eq!(reply.items(), expected);
        assert!(buffer.is_empty() && rest.is_empty());
    }
}

#[test]
fn no_stream_makes_it_panic() {
    const ALPHABET: &[u8] = b"+-:$*%~>|_#,(=!0123456789\r\n\r\n\r\nOKtf? \xff";
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..10_000 {
        let mut wire = Vec::new();
        if random.bool() {
            generate(&mut random, 3, &mut wire);
            for _ in 0..random.usize(..4) {
                let at = random.usize(..wire.len());
                wire[at] = ALPHABET[random.usize(..ALPHABET.len())];
            }
        } else {
            wire.extend((0..random.usize(1..200)).map(|_| ALPHABET[random.usize(..ALPHABET.len())]));
        }
        let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::from(wire.as_slice()));
        while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
            if let Frame::Reply(reply) = frame {
                reply.into_elements();
            }
        }
    }
}

#[path = "hostile_tests.rs"]
mod hostile;
