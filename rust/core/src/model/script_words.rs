//! A script's own words within a server's error, and how errors show texts of other programs.

use std::borrow::Cow;
use std::fmt::Write;

/// How many characters of another program's text are shown.
const SHOWN: usize = 2048;

const BEFORE_PLACE: [&str; 3] =
    ["Error compiling script (new function): ", "Error compiling function: ", "Error registering functions: "];

/// The words without what servers put around them: the place, and the code of errors that have no other.
///
/// ```text
/// ERR user_script:3: boom script: 5ca1ab1e, on @user_script:3.
/// ERR Error running script (call to f_5ca1ab1e): @user_script:3: user_script:3: boom
/// ```
pub(crate) fn own_words(text: &str) -> &str {
    let mut words = text;
    if let Some((before, after)) = words.rsplit_once(" script: ")
        && is_place_at_end(after)
    {
        words = before;
    }
    words = words.strip_prefix("ERR ").unwrap_or(words);
    for before in BEFORE_PLACE {
        if let Some(after) = words.strip_prefix(before) {
            words = after.strip_prefix("ERR ").unwrap_or(after);
        }
    }
    if let Some(call) = words.strip_prefix("Error running script (call to f_")
        && let Some((_, after)) = call.split_once("): ")
    {
        words = after;
    }
    let mut has_place = false;
    while let Some(after) = after_place(words) {
        (words, has_place) = (after, true);
    }
    // Before Redis 7, the code of a command's error comes after the place.
    if has_place {
        words = words.strip_prefix('-').unwrap_or(words);
        words = words.strip_prefix("ERR ").unwrap_or(words);
    }
    words
}

fn is_place_at_end(text: &str) -> bool {
    let place = text.split_once(", ").map_or(text, |(_, place)| place);
    let place = place.strip_prefix("on ").map(|place| place.strip_suffix('.').unwrap_or(place));
    place.is_some_and(|place| after_line(place).is_some_and(str::is_empty))
}

/// What follows `user_script:3: `.
fn after_place(text: &str) -> Option<&str> {
    after_line(text)?.strip_prefix(": ")
}

fn after_line(text: &str) -> Option<&str> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let digits = text.strip_prefix("user_script:").or_else(|| text.strip_prefix("user_function:"))?.trim_start();
    let after = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    (after.len() < digits.len()).then_some(after)
}

/// A text of another program on one line: shortened, and with its control characters escaped.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(SHOWN).map(|(at, _)| at);
    let start = &text[..end.unwrap_or(text.len())];
    if end.is_none() && !start.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(start.len() + 8);
    for character in start.chars() {
        match u32::from(character) {
            _ if !is_hidden(character) => shown.push(character),
            code if code < 0x100 => write!(shown, "\\x{code:02x}").expect("a String takes all"),
            code => write!(shown, "\\u{code:04x}").expect("a String takes all"),
        }
    }
    if end.is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Whether a character moves or hides others: control characters, line ends, and marks of the writing direction.
fn is_hidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_words_are_the_same_in_every_format() {
        for text in [
            "ERR user_script:3: boom script: on @user_script:3.",
            "ERR user_script:3: boom script: 5ca1ab1e, on @user_script:3.",
            "ERR user_function:3: boom script: bump, on @user_function:3.",
            "ERR Error running script (call to f_5ca1ab1e): @user_script:3: user_script:3: boom",
            "ERR Error compiling script (new function): user_script:3: boom",
            "ERR Error compiling function: user_function:3: boom",
            "ERR Error registering functions: ERR user_function:3: boom",
        ] {
            assert_eq!(own_words(text), "boom", "{text}");
        }
        let oom = "ERR Error running script (call to f_5ca1ab1e): @user_script:3: @user_script: 3: -OOM no memory";
        assert_eq!(own_words(oom), "OOM no memory");
        assert_eq!(own_words("WRONGTYPE Operation script: on @user_script:3."), "WRONGTYPE Operation");
    }

    #[test]
    fn what_only_looks_like_a_place_is_kept() {
        for text in ["MINE no script: here", "MINE user_script: x", "MINE a script: on @user_script:x.", ""] {
            assert_eq!(own_words(text), text);
        }
    }

    #[test]
    fn long_texts_are_cut_and_control_characters_escaped() {
        assert_eq!(shown("plain é"), "plain é");
        assert_eq!(shown("\u{1b}[31m red\r\n\u{202e}"), "\\x1b[31m red\\x0d\\x0a\\u202e");
        let long = "é".repeat(2_000_000);
        assert_eq!(shown(&long), format!("{}…", "é".repeat(SHOWN)));
    }
}
