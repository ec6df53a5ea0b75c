//! How a connection is ended from another one: the server is asked once.

use std::rc::Rc;

use bytes::Bytes;

use super::Lane;
use crate::connection::step::Unfinished;
use crate::wire::pack;
use crate::wire::resp::Reply;

/// The lane took back what was to be sent: its server may have been replaced.
pub(crate) struct NotReached;

impl Lane {
    /// Has the server say how this connection is ended. Returns the connection's number, if the server has said it.
    pub(crate) async fn introduce(self: &Rc<Self>) -> Result<Option<u64>, NotReached> {
        if self.is_up() && self.kill_command().is_some() {
            return Ok(Some(self.connection()));
        }
        match self.ask(pack::command(&[b"CLIENT", b"INFO"])).await {
            Ok(info) => {
                let kill = kill_command(&info);
                let is_known = kill.is_some();
                self.session.set_kill_command(kill);
                Ok(is_known.then(|| self.connection()))
            }
            Err(Unfinished::Unsent) => Err(NotReached),
            // Sending the command may still succeed.
            Err(_) => Ok(None),
        }
    }

    /// The command by which another connection ends this one.
    pub(crate) fn kill_command(&self) -> Option<Bytes> {
        self.session.kill_command()
    }
}

/// CLIENT KILL of the connection that a reply to CLIENT INFO is about. Behind a balancer the shared connection may be to
/// another server, where the same number is another client's: so the address has to fit, too.
fn kill_command(info: &Reply) -> Option<Bytes> {
    let info = std::str::from_utf8(info.as_bytes()?).ok()?;
    let field = |name| info.split(' ').find_map(|field| field.strip_prefix(name));
    let (id, address) = (field("id=")?, field("addr=")?);
    Some(pack::command(&[b"CLIENT", b"KILL", b"ID", id.as_bytes(), b"ADDR", address.as_bytes()]))
}
