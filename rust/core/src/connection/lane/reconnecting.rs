//! The task that connects a lane, and again whenever the connection is lost.

use std::rc::Rc;

use tokio::time::sleep;

use super::Lane;
use crate::connection::connect::connect;
use crate::model::status::Status;
use crate::model::unreachable::Unreachable;
use crate::tasks::guard;

impl Lane {
    /// Begins again after a panic: otherwise waiting calls would never end at their deadlines.
    pub(super) async fn keep_connected(self: Rc<Self>) {
        while guard::run("a connection", self.clone().connect_and_serve()).await.is_err() {
            self.status.set(Status::Connecting);
            self.lose_in_flight(u64::MAX, &Unreachable::Panicked);
            sleep(self.config.backoff.pause(0)).await;
        }
    }

    async fn connect_and_serve(self: Rc<Self>) {
        let mut failures = 0;
        let mut last_reason = None;
        loop {
            let connecting = connect(&self.address, &self.config, self.purpose);
            let (reason, served, verb) = match self.while_sweeping(connecting).await {
                Ok(connection) => {
                    let again = if last_reason.take().is_some() { " again" } else { "" };
                    log::info!("connected to {}{again}", self.address);
                    let (reason, served) = self.serve(connection).await;
                    (reason, served, "lost the")
                }
                Err(reason) => (reason, false, "no"),
            };
            let words = reason.to_string();
            if last_reason.as_ref() != Some(&words) {
                log::info!("{verb} connection to {}: {words}", self.address);
            }
            last_reason = Some(words);
            if self.is_closed() {
                return;
            }
            self.status.set(if served { Status::Connecting } else { Status::Down(reason) });
            if let Some(events) = self.events.upgrade() {
                events.disconnected(&self);
            }
            if served {
                // The first attempt is made at once.
                failures = 0;
                continue;
            }
            self.while_sweeping(sleep(self.config.backoff.pause(failures))).await;
            failures = failures.saturating_add(1);
        }
    }
}
