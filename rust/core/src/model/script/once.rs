//! The text that is sent for a script that is called with `once`: the script itself inside a function, on the lines
//! that it has, and behind it what looks for the call's record, runs the script and keeps its reply (`once.lua`).
//!
//! The call's last key is the record's. Its last arguments are a digest of the call, the script's own hash, which a
//! server names in errors, and how long the record lives, in milliseconds. The script sees none of them.
//!
//! A record is written after the script, with its reply: what a script writes is executed and replicated as a whole, so
//! a record that is written before says no more, costs a write, and would keep SCRIPT KILL from stopping a script that
//! has not written. It is needed ahead of a script
//!
//! - that may publish: a message is sent although the server may refuse the record, as a replica does;
//! - that may select another database, in which the record would then be written.

const WRAPPER: &str = include_str!("once.lua");

/// The text of a script; `is_noted_first` says whether its record has to be written before it runs.
pub(super) fn wrapped(code: &[u8], is_noted_first: bool) -> Vec<u8> {
    // A server removes the line with the flags before it counts lines, and keeps its line end.
    let first_line =
        if code.starts_with(b"#!") { memchr::memchr(b'\n', code).map_or(code.len(), |end| end + 1) } else { 0 };
    let (flags, body) = code.split_at(first_line);
    let mut text = flags.to_vec();
    if !flags.is_empty() && !flags.ends_with(b"\n") {
        text.push(b'\n');
    }
    // The function's body cannot see these two names.
    text.extend_from_slice(format!("local is_noted_first, run = {is_noted_first}, function(...) ").as_bytes());
    text.extend_from_slice(body);
    // Its last line may be a comment.
    text.extend_from_slice(b"\nend\n");
    for line in WRAPPER.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--")) {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text
}

/// Changes a compiler's words about the wrapped text to be about the script alone: if the script leaves something open,
/// the compiler misses its end behind it, in the wrapper.
pub(crate) fn unwrapped(words: &str, code: &[u8]) -> Option<String> {
    let (before, rest) = words.split_once("user_script:")?;
    let (line, said) = rest.split_once(": ")?;
    let last = memchr::memchr_iter(b'\n', code).count() + 1;
    if line.parse::<usize>().ok()? <= last {
        return None;
    }
    let (said, near) = said.rsplit_once(" near ").unwrap_or((said, ""));
    // The function around the script does not count as one of the script's blocks.
    let said = said.strip_suffix(" (to close 'function' at line 1)").unwrap_or(said);
    let near = if said == "'<eof>' expected" { near } else { "'<eof>'" };
    Some(format!("{before}user_script:{last}: {said} near {near}"))
}

#[cfg(test)]
mod tests {
    use super::{unwrapped, wrapped};

    fn line(code: &str, number: usize) -> String {
        let text = String::from_utf8(wrapped(code.as_bytes(), false)).expect("UTF-8");
        text.lines().nth(number - 1).unwrap_or_default().to_owned()
    }

    #[test]
    fn every_line_of_the_script_keeps_its_number() {
        assert!(line("return 1\n-- two\nthree()", 1).ends_with("function(...) return 1"));
        assert_eq!(line("return 1\n-- two\nthree()", 2), "-- two");
        assert_eq!(line("return 1\n-- two\nthree()", 3), "three()");
        assert_eq!(line("#!lua flags=allow-oom\nreturn 1", 1), "#!lua flags=allow-oom");
        assert!(line("#!lua flags=allow-oom\nreturn 1", 2).ends_with("function(...) return 1"));
        assert_eq!(line("#!lua", 1), "#!lua");
        assert!(line("#!lua", 2).ends_with("function(...) "));
    }

    #[test]
    fn what_is_not_closed_is_missed_at_the_end_of_the_script() {
        let said = |words: &str| unwrapped(&format!("ERR user_script:{words}"), b"one\ntwo");
        let at_end = |words: &str| Some(format!("ERR user_script:2: {words} near '<eof>'"));
        assert_eq!(said("2: '=' expected near 'x'"), None);
        assert_eq!(said("160: 'end' expected (to close 'function' at line 1) near '<eof>'"), at_end("'end' expected"));
        assert_eq!(said("3: ')' expected near 'end'"), at_end("')' expected"));
        assert_eq!(
            said("3: '<eof>' expected near 'end'").as_deref(),
            Some("ERR user_script:2: '<eof>' expected near 'end'")
        );
    }
}
