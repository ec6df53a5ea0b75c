//! Commands and answers of servers, which can be replayed against other servers.

use super::ids::{ConnectionId, NodeId};
use super::wire::{Words, pack};

/// One event, in the server's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The server took up a command.
    Send { connection: ConnectionId, node: NodeId, words: Words },
    /// It answered the first command of that connection that it had not answered yet.
    Hear { connection: ConnectionId, reply: Vec<u8> },
    /// A script turned it busy.
    Busy { node: NodeId },
}

/// Servers to replay a trace against.
pub trait Peer {
    /// Sends these bytes on a connection to a node, and opens it first where it is new.
    fn send(&mut self, connection: ConnectionId, node: NodeId, bytes: &[u8]);
    /// The next reply in full; empty, if the server ended the connection or says nothing.
    fn hear(&mut self, connection: ConnectionId) -> Vec<u8>;
    /// Waits until a node answers BUSY; `false`: it does not.
    fn until_busy(&mut self, node: NodeId) -> bool;
    /// The words as these servers need them: node ids differ, for example.
    fn translate(&self, words: &Words) -> Words {
        words.clone()
    }
}

/// The first difference between a peer's answer and the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub words: Words,
    pub expected: Vec<u8>,
    pub heard: Vec<u8>,
}

/// Replays a trace, whose beginning was the servers' beginning, up to where the peer falls silent. `normal` makes a
/// reply to a command comparable.
pub fn replay(trace: &[Act], peer: &mut impl Peer, normal: impl Fn(&Words, &[u8]) -> Vec<u8>) -> Vec<Difference> {
    let mut unanswered: Vec<(ConnectionId, Words)> = Vec::new();
    let mut differences = Vec::new();
    for act in trace {
        match act {
            Act::Send { connection, node, words } => {
                peer.send(*connection, *node, &pack(&peer.translate(words)));
                unanswered.push((*connection, words.clone()));
            }
            Act::Busy { node } if peer.until_busy(*node) => {}
            Act::Busy { .. } => {
                let words = unanswered.pop().map(|(_, words)| words).unwrap_or_default();
                differences.push(Difference { words, expected: b"BUSY".to_vec(), heard: Vec::new() });
                break;
            }
            Act::Hear { connection, reply } => {
                let Some(at) = unanswered.iter().position(|(other, _)| other == connection) else { continue };
                let (_, words) = unanswered.remove(at);
                let (expected, heard) = (normal(&words, reply), normal(&words, &peer.hear(*connection)));
                if expected != heard {
                    let is_silent = heard.is_empty();
                    differences.push(Difference { words, expected, heard });
                    if is_silent {
                        break;
                    }
                }
            }
        }
    }
    differences
}

/// The first whole reply among these bytes.
pub fn first_reply(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    skip(bytes, &mut at)?;
    bytes.get(..at)
}

fn skip(bytes: &[u8], at: &mut usize) -> Option<()> {
    let end = *at + bytes.get(*at..)?.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &bytes[*at..end];
    let length = || std::str::from_utf8(line.get(1..)?).ok()?.parse::<i64>().ok();
    *at = end + 2;
    match line.first()? {
        b'$' | b'=' => {
            if let Ok(length) = usize::try_from(length()?) {
                *at += length + 2;
            }
            (*at <= bytes.len()).then_some(())
        }
        b'*' | b'~' | b'>' => (0..length()?).try_for_each(|_| skip(bytes, at)),
        b'%' => (0..length()? * 2).try_for_each(|_| skip(bytes, at)),
        _ => Some(()),
    }
}

/// Bytes in readable form, on one line.
pub fn readable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
