//! The servers' wordings for a user without the right to a command, a key or a channel.

use crate::wire::resp::ServerError;

/// The user has no right to these keys or channels. Within a script, such words follow `ERR`.
const FORBIDDEN: [&str; 5] = [
    "NOPERM No permissions to access a channel",
    "NOPERM No permissions to access a key",
    "NOPERM No permissions to access database",
    "NOPERM this user has no permissions to access one of the channels used as arguments",
    "NOPERM this user has no permissions to access one of the keys used as arguments",
];

/// The user lost rights between queueing and EXEC; the reason follows.
const FORBIDDEN_BY_NOW: &str = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the \
                                EXEC call. This command is no longer allowed for the following reason: no permission";

/// The rest of its reasons.
const REASONS: [&str; 4] = [
    "",
    " to access one of the channels used as arguments",
    " to execute the command or subcommand",
    " to touch the specified keys",
];

/// Whether the user lacks the right to keys or channels, whatever form the command is sent in.
pub(super) fn is_about_keys(error: &ServerError) -> bool {
    FORBIDDEN.contains(&error.text().as_str())
}

/// Whether the server forbids the user that command, or one of its keys or channels. `None`: any user.
pub(crate) fn forbids(error: &ServerError, command: &str, subcommand: Option<&str>, user: Option<&str>) -> bool {
    let text = error.text();
    let by_now = text.strip_prefix(FORBIDDEN_BY_NOW);
    if is_about_keys(error) || by_now.is_some_and(|reason| REASONS.contains(&reason)) {
        return true;
    }
    let whom = |text: &str| {
        let text = text.strip_prefix("NOPERM ")?;
        let of_user = |text: &str| {
            let (whom, rest) = text.strip_prefix("User ")?.split_once(" has no permissions to run the '")?;
            user.map_or(!whom.contains(' '), |user| whom == user).then(|| rest.to_owned())
        };
        let rest = text.strip_prefix("this user has no permissions to run the '").map(str::to_owned);
        rest.or_else(|| of_user(text))
    };
    let Some(rest) = whom(&text) else { return false };
    let name = rest.strip_suffix("' command").or_else(|| rest.strip_suffix("' command or its subcommand"));
    let command = command.to_lowercase();
    name.is_some_and(|name| match name.split_once('|') {
        None => name == command,
        Some((container, sub)) => {
            container == command && subcommand.is_some_and(|subcommand| subcommand.eq_ignore_ascii_case(sub))
        }
    })
}
