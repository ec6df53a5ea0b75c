//! One client's connection to one server, as the server has it.

use super::{ConnectionId, Deployment, NodeId, wire};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) node: NodeId,
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    /// The client has sent all that it will.
    pub(super) is_ending: bool,
    pub(super) resp3: bool,
    pub(super) is_logged_in: bool,
    /// READONLY: a replica may answer.
    pub(super) reads: bool,
    /// ASKING: the next command, or transaction.
    pub(super) asks: bool,
    pub(super) transaction: Option<Transaction>,
    /// Watched keys, and how often they had been written by then.
    pub(super) watched: Vec<(Vec<u8>, u64)>,
}

/// What was queued since MULTI.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) commands: Vec<Vec<Vec<u8>>>,
    pub(super) is_refused: bool,
    pub(super) asks: bool,
}

impl Deployment {
    /// `None`: nobody listens.
    pub fn connect(&mut self, node: NodeId) -> Option<ConnectionId> {
        if !self.nodes[node].is_alive {
            return None;
        }
        let id = self.next_connection;
        self.next_connection += 1;
        let connection = Connection {
            node,
            input: Vec::new(),
            output: Vec::new(),
            is_ending: false,
            resp3: false,
            is_logged_in: self.password.is_none(),
            reads: false,
            asks: false,
            transaction: None,
            watched: Vec::new(),
        };
        self.connections.insert(id, connection);
        Some(id)
    }

    /// The client's end, or the network's. What was received in whole still runs.
    pub fn disconnect(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.is_ending = true;
        let node = connection.node;
        self.forget_ended(node);
    }

    /// The server reads these bytes.
    pub fn receive(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let node = connection.node;
        connection.input.extend_from_slice(bytes);
        while let Some(words) = wire::take_command(&mut connection.input) {
            self.nodes[node].queue.push_back((id, words));
        }
        self.serve(node);
    }

    /// The bytes of replies since this was asked last.
    pub fn take_output(&mut self, id: ConnectionId) -> Vec<u8> {
        self.connections.get_mut(&id).map(|connection| std::mem::take(&mut connection.output)).unwrap_or_default()
    }

    /// Whether the server has not ended it.
    pub fn is_open(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    pub(super) fn close(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
    }

    pub(super) fn reply(&mut self, id: ConnectionId, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.output.extend_from_slice(bytes);
        }
    }

    /// Connections that have ended go once nothing of theirs is left to run.
    pub(super) fn forget_ended(&mut self, node: NodeId) {
        let here = &self.nodes[node];
        let is_busy_with = |id: ConnectionId| {
            here.queue.iter().any(|(other, _)| *other == id)
                || here.running.as_ref().is_some_and(|running| running.connection == id)
        };
        let ended = self.connections.iter().filter(|(_, connection)| connection.node == node && connection.is_ending);
        let gone: Vec<_> = ended.map(|(id, _)| *id).filter(|id| !is_busy_with(*id)).collect();
        gone.into_iter().for_each(|id| self.close(id));
    }
}
