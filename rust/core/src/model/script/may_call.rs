//! Which commands a script may call, as far as its text says.

use memchr::memmem;

/// Names that reach the server's functions in another way than by their names, or that run code which is not in the
/// text.
const BACK_DOORS: [&str; 6] = ["_G", "getfenv", "load", "loadstring", "rawget", "setfenv"];

/// Whether a script may call a command whose name contains that word (in lower case). It is true if the text does not
/// tell: each `call` and `pcall` must get a plain string.
pub(crate) fn may_call(code: &[u8], word: &str) -> bool {
    memmem::find(&code.to_ascii_lowercase(), word.as_bytes()).is_some()
        || BACK_DOORS.iter().any(|door| uses(code, door).next().is_some())
        || ["redis", "server"].iter().any(|global| uses(code, global).any(|after| !is_plain_use(after)))
}

/// The text behind each use of a name.
fn uses<'a>(code: &'a [u8], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    memmem::find_iter(code, name).filter_map(move |at| {
        let (before, after) = (code[..at].last(), &code[at + name.len()..]);
        let is_part = before.is_some_and(is_word) || after.first().is_some_and(is_word);
        let is_string = matches!(before, Some(b'"' | b'\'')) && before == after.first();
        (!is_part && !is_string).then_some(after)
    })
}

/// The text behind the global's name.
fn is_plain_use(after: &[u8]) -> bool {
    let Some(member) = after.strip_prefix(b".") else { return false };
    let length = member.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let (name, rest) = member.split_at(length);
    let rest = rest.trim_ascii_start();
    if name != b"call" && name != b"pcall" {
        // The other functions call no command.
        return !name.is_empty();
    }
    let Some(argument) = rest.strip_prefix(b"(").map(<[u8]>::trim_ascii_start) else { return false };
    let Some((quote @ (b'"' | b'\''), text)) = argument.split_first() else { return false };
    let Some(end) = memchr::memchr(*quote, text) else { return false };
    let next = text[end + 1..].trim_ascii_start().first();
    !text[..end].contains(&b'\\') && matches!(next, Some(b',' | b')'))
}

#[cfg(test)]
mod tests {
    use super::may_call;

    #[test]
    fn a_script_whose_calls_are_plain_cannot_publish() {
        for code in [
            "return 1",
            "return redis.call('SET', KEYS[1], ARGV[1])",
            "local v = redis.pcall ( \"GET\", KEYS[1] ) if v.err then return redis.error_reply('ERR no') end",
            "server.log(server.LOG_WARNING, 'redistribution') return server.call('GET', KEYS[1])",
            "return string.match(redis.call('INFO', 'server'), 'tcp_port:(%d+)')",
            "redis.setresp(3) return redis.sha1hex('x')",
            "local payload = cjson.decode(ARGV[1]) return redis.call('SET', KEYS[1], payload)",
        ] {
            assert!(!may_call(code.as_bytes(), "publish"), "{code}");
        }
    }

    #[test]
    fn what_the_text_does_not_tell_may_publish() {
        for code in [
            "redis.call('PUBLISH', 'c', 'm')",
            "redis.call('sPublish', 'c', 'm')",
            "redis.call(ARGV[1], 'c', 'm')",
            "redis.call('pub' .. 'lish', 'c', 'm')",
            "redis.call('pub\\108ish', 'c', 'm')",
            "local call = redis.call call(ARGV[1], 'c')",
            "local r = redis r.call(ARGV[1], 'c')",
            "redis[ARGV[1]](ARGV[2], 'c')",
            "redis.call(unpack(ARGV))",
            "for _, f in pairs(_G) do f() end",
            "loadstring(ARGV[1])()",
            "redis\n.call(ARGV[1])",
            "server.call(ARGV[1])",
        ] {
            assert!(may_call(code.as_bytes(), "publish"), "{code}");
        }
    }
}
