//! What Sentinels say unasked: that a service has another primary, or that one of its servers has come or gone. Each of
//! them is listened to, since a Sentinel learns of a failover as late as seconds after the others.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::connection::connect::{Connection, Purpose, connect};
use crate::connection::ping::ping;
use crate::model::unreachable::{Refused, Unreachable};
use crate::servers::directory::Servers;
use crate::servers::sentinel::Sentinel;
use crate::wire::pack;
use crate::wire::resp::Reply;

/// What changes the primary, or the replicas that serve reads. Of a failover the Sentinel that leads it says the last of
/// these, `+switch-master`, when all replicas have followed it.
const EVENTS: [&[u8]; 7] = [
    b"+failover-state-wait-promotion",
    b"+promoted-slave",
    b"+switch-master",
    b"+slave",
    b"+sdown",
    b"-sdown",
    b"+role-change",
];

/// How long to wait before a Sentinel that refuses the subscription is asked again.
const REFUSED: Duration = Duration::from_secs(5);

/// Listens to a Sentinel, and again whenever the connection is lost.
pub(crate) async fn keep(servers: Rc<Servers>, sentinel: Rc<Sentinel>) {
    let mut failures = 0;
    let mut last_reason = None;
    servers.learned_since(0).await;
    loop {
        sleep(sentinel.config.backoff.pause(failures)).await;
        failures += 1;
        let reason = match subscribe(&sentinel).await {
            Ok(mut connection) => {
                (failures, last_reason) = (0, None);
                // What it said before is not known.
                servers.heard_of_change();
                listen(&servers, &mut connection).await
            }
            Err(reason) => reason,
        };
        let reason = reason.to_string();
        if last_reason.as_ref() != Some(&reason) {
            log::info!("the Sentinel at {} is not listened to: {reason}", sentinel.address);
        }
        last_reason = Some(reason);
    }
}

async fn subscribe(sentinel: &Sentinel) -> Result<Connection, Unreachable> {
    let mut connection = connect(&sentinel.address, &sentinel.config, Purpose::Sentinel).await?;
    connection.send(&pack::command(&[&[&b"SUBSCRIBE"[..]], &EVENTS[..]].concat())).await?;
    let bound = sentinel.config.timeout;
    for _ in EVENTS {
        let confirmed = timeout(bound, connection.receive()).await;
        let confirmed = confirmed.unwrap_or(Err(Unreachable::NoReplyTo("SUBSCRIBE")))?;
        if let Some(error) = confirmed.error() {
            sleep(REFUSED).await;
            let (command, answer) = ("SUBSCRIBE", error.clone());
            return Err(Unreachable::Refused(Refused { command, answer, wants_credentials: false }));
        }
    }
    Ok(connection)
}

/// Passes on what it says, until the connection is lost.
async fn listen(servers: &Servers, connection: &mut Connection) -> Unreachable {
    let interval = servers.config.heartbeat.unwrap_or(Duration::MAX);
    let mut is_asked = false;
    loop {
        let heard = match timeout(interval, connection.receive()).await {
            Ok(Ok(message)) => {
                is_asked = false;
                if servers.service().is_some_and(|service| concerns(message, service)) {
                    servers.heard_of_change();
                }
                Ok(())
            }
            Ok(Err(reason)) => Err(reason),
            Err(_) if is_asked => Err(Unreachable::NoReplyInTime { command: "PING", within: interval }),
            Err(_) => {
                is_asked = true;
                connection.send(&ping()).await
            }
        };
        if let Err(reason) = heard {
            return reason;
        }
    }
}

/// Whether a message is about a service: its name is among the words.
fn concerns(message: Reply, service: &str) -> bool {
    let parts = message.into_elements().unwrap_or_default();
    let [kind, _, text] = parts.as_slice() else { return false };
    let text = text.as_bytes().unwrap_or_default();
    kind.as_bytes() == Some(b"message") && text.split(|byte| *byte == b' ').any(|word| word == service.as_bytes())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::resp::Item;

    #[test]
    fn only_news_of_the_service_count() {
        let said = |words: &[&str]| {
            let items = words.iter().map(|word| Item::Bulk(Bytes::copy_from_slice(word.as_bytes()).into()));
            Reply::Nested(std::iter::once(Item::Array(words.len())).chain(items).collect())
        };
        let switched = "main 127.0.0.1 1 127.0.0.1 2";
        assert!(concerns(said(&["message", "+switch-master", switched]), "main"));
        assert!(concerns(said(&["message", "+slave", "slave 127.0.0.1:2 127.0.0.1 2 @ main 127.0.0.1 1"]), "main"));
        assert!(!concerns(said(&["message", "+switch-master", switched]), "mai"));
        assert!(!concerns(said(&["pong", ""]), "main"));
        assert!(!concerns(said(&["subscribe", "+sdown", "main"]), "main"));
    }
}
