//! One server: data, scripts, functions, transactions, users, and each condition in which it refuses commands.

use glide_scripts_sim::servers::Layout;

use crate::generator::Speaker;
use crate::servers::{Program, programs};
use crate::{hold, seeds};

#[test]
fn one_server_says_what_the_model_says() {
    hold(&programs(), seeds(6), Layout::Standalone, Program::standalone, |model, chance| {
        let mut speaker = Speaker::new(model, chance, &[0, 0, 0]);
        for _ in 0..300 {
            speaker.say_anything();
        }
    });
}

#[test]
fn evaluated_scripts_are_forgotten_past_500() {
    hold(&programs(), seeds(1), Layout::Standalone, Program::standalone, |model, chance| {
        use glide_scripts_sim::servers::scripts::{sha1_hex, text};
        let mut speaker = Speaker::new(model, chance, &[0]);
        let codes: Vec<String> = (0..520).map(|copy| text("id", &copy.to_string())).collect();
        speaker.say(0, &["SCRIPT", "LOAD", &codes[0]]);
        for (at, code) in codes.iter().enumerate() {
            speaker.say(0, &["EVAL", code, "0", "id"]);
            if at == 400 {
                speaker.say(0, &["EVALSHA", &sha1_hex(codes[2].as_bytes()), "0", "used again"]);
                speaker.say(0, &["SCRIPT", "LOAD", &codes[4]]);
            }
        }
        for code in codes.iter().take(30) {
            speaker.say(0, &["SCRIPT", "EXISTS", &sha1_hex(code.as_bytes())]);
        }
    });
}
