//! A server that a script keeps busy.

use glide_scripts_sim::servers::scripts::{library, text};
use glide_scripts_sim::servers::{Deployment, Layout};

use crate::generator::Speaker;
use crate::servers::{Program, programs};
use crate::{hold, seeds};

#[test]
fn a_busy_server_says_what_the_model_says() {
    hold(&programs(), seeds(6), Layout::Standalone, Program::standalone, scenario);
}

/// An endless script is killed over another connection, after other commands were answered.
fn scenario(model: &mut Deployment, chance: &mut fastrand::Rng) {
    let mut speaker = Speaker::new(model, chance, &[0, 0, 0]);
    let has_functions = speaker.has_functions();
    let threshold = if has_functions { "busy-reply-threshold" } else { "lua-time-limit" };
    speaker.say(1, &["CONFIG", "SET", threshold, "10"]);
    if has_functions {
        speaker.say(1, &["FUNCTION", "LOAD", &library("sim", &["spin", "lua-spin-then-count"], "")]);
    }
    let forever = "600000";
    for round in 0..6 {
        let code = text("spin-then-count", &format!("round {round}"));
        let is_function = has_functions && speaker.flips();
        let is_in_transaction = speaker.flips();
        if is_in_transaction {
            speaker.say(0, &["MULTI"]);
            speaker.say(0, &["INCR", "before"]);
        }
        let run = if is_function {
            vec!["FCALL", "lua_spin_then_count", "1", "key", "id", forever]
        } else {
            vec!["EVAL", &code, "1", "key", "id", forever]
        };
        if is_in_transaction {
            speaker.say(0, &run);
            speaker.say(0, &["INCR", "after"]);
            speaker.begin(0, &["EXEC"]);
        } else {
            speaker.begin(0, &run);
        }
        speaker.until_busy();
        for _ in 0..12 {
            speaker.say_while_busy();
        }
        let (wrong, right) = if is_function { ("SCRIPT", "FUNCTION") } else { ("FUNCTION", "SCRIPT") };
        speaker.say(2, &["DISCARD"]);
        if has_functions {
            speaker.say(2, &[wrong, "KILL"]);
        }
        speaker.say(2, &[right, "KILL"]);
        speaker.say(2, &["SCRIPT", "KILL"]);
        for connection in 0..3 {
            speaker.say(connection, &["EXEC"]);
            speaker.say(connection, &["HGET", "key", "id"]);
        }
    }
    if speaker.flips() {
        return;
    }
    // No command ends a script that has written. It runs for seconds, so that the commands below arrive while it does, also
    // on a busy machine.
    let code = text("count-then-spin", "");
    speaker.begin(0, &["EVAL", &code, "1", "key", "id", "5000"]);
    speaker.until_busy();
    speaker.say(2, &["SCRIPT", "KILL"]);
    speaker.say(1, &["GET", "key"]);
    speaker.until_free();
    speaker.say(1, &["HGET", "key", "id"]);
}
