//! Reports: scripts that keep a server busy for long, are killed at their deadline, and whose users do not always wait.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::Callers;
use super::command::{Command, ScriptCall};
use crate::oracle::Effect;

impl Callers {
    /// Runs one after the other, on one server.
    pub(super) async fn run_slow_scripts(self: Rc<Self>, until: Duration) {
        let world = &self.world;
        let key = format!("{{k{}}}", world.below(4));
        while world.now() < until {
            sleep(Duration::from_millis(world.below(200))).await;
            let timeout = Duration::from_millis(world.pick(&[50, 300, 2_000, 2_000]));
            let patience = world.once_in(2).then(|| Duration::from_millis(world.below(300)));
            self.under_way.update(|count| count + 1);
            self.call_one(self.slow_script(key.clone()), timeout, patience).await;
            self.under_way.update(|count| count - 1);
        }
    }

    fn slow_script(&self, key: String) -> Command {
        let id = self.next_id();
        let call = ScriptCall {
            template: self.world.pick(&["spin", "spin-then-count"]),
            variant: 0,
            idempotent: false,
            key,
            counts: id,
            extra: vec![self.world.pick(&["200", "700", "2000", "2000"]).to_owned()],
            effect: Effect::AtMostOnce,
        };
        let command = self.pack(id, call);
        Command { request: command.request.killed_on_timeout(), is_killable: true, ..command }
    }
}
