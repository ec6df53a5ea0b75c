//! Commands on data.

use std::collections::{BTreeMap, VecDeque};

use super::data::{Data, Value};
use super::wire::{Reply, Words, integer, same};
use super::words::{MSET_HALF, NO_INTEGER, SYNTAX, WRONG_TYPE};

/// The reply, and whether anything was written.
pub(super) struct Outcome {
    pub(super) reply: Reply,
    pub(super) wrote: bool,
}

fn read(reply: Reply) -> Outcome {
    Outcome { reply, wrote: false }
}

fn wrote(reply: Reply) -> Outcome {
    Outcome { reply, wrote: true }
}

/// Runs a command of the table; `None` if it is not one on data.
pub(super) fn run(data: &mut Data, database: usize, words: &Words) -> Option<Outcome> {
    let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
    let done = match name.as_str() {
        "get" => text(data, database, &words[1]).map(|value| read(value.map_or(Reply::Nil, Reply::Bulk))),
        "set" => set(data, database, words),
        "incr" => add(data, database, &words[1], 1),
        "incrby" => match integer(&words[2]) {
            Some(by) => add(data, database, &words[1], by),
            None => Err(NO_INTEGER),
        },
        "del" => {
            let gone = words[1..].iter().filter(|key| data.set(database, key, None)).count();
            Ok(Outcome { reply: Reply::count(gone), wrote: gone > 0 })
        }
        "exists" => {
            let there = words[1..].iter().filter(|key| data.value(database, key).is_some()).count();
            Ok(read(Reply::count(there)))
        }
        "mget" => {
            let value = |key: &Vec<u8>| match data.value(database, key) {
                Some(Value::Text(value)) => Reply::Bulk(value.clone()),
                _ => Reply::Nil,
            };
            Ok(read(Reply::Array(words[1..].iter().map(value).collect())))
        }
        "mset" if words.len().is_multiple_of(2) => Err(MSET_HALF),
        "mset" => {
            for pair in words[1..].chunks_exact(2) {
                data.set(database, &pair[0], Some(Value::Text(pair[1].clone())));
            }
            Ok(wrote(Reply::ok()))
        }
        "hget" => hash(data, database, &words[1])
            .map(|hash| read(hash.get(&words[2]).cloned().map_or(Reply::Nil, Reply::Bulk))),
        "hincrby" => add_to_field(data, database, words),
        "rpush" => list(data, database, &words[1]).map(|mut list| {
            list.extend(words[2..].iter().cloned());
            let length = list.len();
            data.set(database, &words[1], Some(Value::List(list)));
            wrote(Reply::count(length))
        }),
        "llen" => list(data, database, &words[1]).map(|list| read(Reply::count(list.len()))),
        "lpop" => list(data, database, &words[1]).map(|mut list| match list.pop_front() {
            None => read(Reply::Nil),
            Some(first) => {
                let rest = (!list.is_empty()).then_some(Value::List(list));
                data.set(database, &words[1], rest);
                wrote(Reply::Bulk(first))
            }
        }),
        "lrange" => range(data, database, words),
        "dbsize" => Ok(read(Reply::count(data.keys(database).count()))),
        "keys" => Ok(read(Reply::Array(data.keys(database).cloned().map(Reply::Bulk).collect()))),
        "flushall" => {
            data.clear();
            Ok(wrote(Reply::ok()))
        }
        _ => return None,
    };
    Some(done.unwrap_or_else(|error| read(Reply::error(error))))
}

type Done = Result<Outcome, &'static str>;

fn text(data: &Data, database: usize, key: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    match data.value(database, key) {
        None => Ok(None),
        Some(Value::Text(value)) => Ok(Some(value.clone())),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn list(data: &Data, database: usize, key: &[u8]) -> Result<VecDeque<Vec<u8>>, &'static str> {
    match data.value(database, key) {
        None => Ok(VecDeque::new()),
        Some(Value::List(list)) => Ok(list.clone()),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn hash(data: &Data, database: usize, key: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, &'static str> {
    match data.value(database, key) {
        None => Ok(BTreeMap::new()),
        Some(Value::Hash(hash)) => Ok(hash.clone()),
        Some(_) => Err(WRONG_TYPE),
    }
}

/// It supports only the options NX and PX. PX has no effect: every expiry is longer than a run.
fn set(data: &mut Data, database: usize, words: &Words) -> Done {
    let mut options = words[3..].iter();
    let mut only_new = false;
    while let Some(option) = options.next() {
        match options.clone().next() {
            Some(milliseconds) if same(option, "PX") => {
                integer(milliseconds).ok_or(NO_INTEGER)?;
                options.next();
            }
            _ if same(option, "NX") => only_new = true,
            _ => return Err(SYNTAX),
        }
    }
    if only_new && data.value(database, &words[1]).is_some() {
        return Ok(read(Reply::Nil));
    }
    data.set(database, &words[1], Some(Value::Text(words[2].clone())));
    Ok(wrote(Reply::ok()))
}

fn add(data: &mut Data, database: usize, key: &[u8], by: i64) -> Done {
    let value = text(data, database, key)?.unwrap_or_else(|| b"0".to_vec());
    let sum = integer(&value).ok_or(NO_INTEGER)?;
    let sum = sum.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
    data.set(database, key, Some(Value::Text(sum.to_string().into_bytes())));
    Ok(wrote(Reply::Int(sum)))
}

fn add_to_field(data: &mut Data, database: usize, words: &Words) -> Done {
    let by = integer(&words[3]).ok_or(NO_INTEGER)?;
    let mut hash = hash(data, database, &words[1])?;
    let value = hash.get(&words[2]).map_or(&b"0"[..], Vec::as_slice);
    let sum = integer(value).ok_or("ERR hash value is not an integer")?;
    let sum = sum.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
    hash.insert(words[2].clone(), sum.to_string().into_bytes());
    data.set(database, &words[1], Some(Value::Hash(hash)));
    Ok(wrote(Reply::Int(sum)))
}

fn range(data: &Data, database: usize, words: &Words) -> Done {
    let (first, last) = (integer(&words[2]).ok_or(NO_INTEGER)?, integer(&words[3]).ok_or(NO_INTEGER)?);
    let elements = list(data, database, &words[1])?;
    let length = i64::try_from(elements.len()).expect("no list is as long as that");
    let from_end = |at: i64| if at < 0 { (at + length).max(0) } else { at };
    let last = if last < 0 { last + length } else { last };
    let within = |at: i64| from_end(first) <= at && at <= last;
    Ok(read(Reply::Array(
        elements.into_iter().zip(0..).filter(|&(_, at)| within(at)).map(|(value, _)| Reply::Bulk(value)).collect(),
    )))
}
