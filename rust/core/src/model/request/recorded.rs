//! The record of a request that is called with `once`.

use std::time::Duration;

use bytes::BytesMut;

use super::{About, Request};
use crate::model::once::{RecordAnswer, Recorded};
use crate::wire::resp::{Reply, ServerError};

impl Request {
    /// The record of a call with `once`.
    pub(crate) fn record(&self) -> Option<&Recorded> {
        match &self.about {
            About::Script { record, .. } => record.as_deref(),
            _ => None,
        }
    }

    fn record_mut(&mut self) -> Option<&mut Recorded> {
        match &mut self.about {
            About::Script { record, .. } => record.as_deref_mut(),
            _ => None,
        }
    }

    /// Whether a reply to it is not the script's own, but comes from the record of an earlier call.
    pub(crate) fn is_answered_from_record(&self, reply: &Reply) -> bool {
        self.record().is_some_and(|record| record.is_answered_by(reply))
    }

    /// The server's words, where it refused the record of a call with `once`: nothing of it has taken effect.
    pub(crate) fn refusal_of_record<'a>(&self, reply: &'a Reply) -> Option<&'a ServerError> {
        self.record().and_then(|record| record.refusal(reply))
    }

    /// What the record's wrapper answered; the reply itself where it is the script's own, or another request's.
    pub(crate) fn read_record(&self, reply: Reply) -> Result<RecordAnswer, Reply> {
        match self.record() {
            Some(record) => record.read(reply),
            None => Err(reply),
        }
    }

    /// Learns how long its call may take.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        if let Some(record) = self.record_mut() {
            record.set_timeout(timeout);
        }
    }

    /// Gives it a new id, if its client has made the one that it has.
    pub(crate) fn renew_id(&mut self, next: impl FnOnce() -> Vec<u8>) {
        if let Some(id) = self.record().filter(|record| record.is_own).map(|record| record.id.clone()) {
            let mut wire = BytesMut::from(&self.wire[..]);
            wire[id].copy_from_slice(&next());
            self.wire = wire.freeze();
        }
    }

    /// The id of a call with `once`, for people to read.
    pub(crate) fn shown_id(&self) -> String {
        const LONGEST: usize = 64;
        let id = self.record().map_or(&[][..], |record| &self.wire[record.id.clone()]);
        let shown = String::from_utf8_lossy(&id[..id.len().min(LONGEST)]).into_owned();
        format!("{shown:?}{}", if id.len() > LONGEST { "…" } else { "" })
    }
}
