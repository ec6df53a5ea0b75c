//! A cluster changes while its clients work: slots move, one of them has no server for a while, and a node leaves.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::servers::{NodeId, slot};
use crate::work::Callers;
use crate::world::World;

/// Does so with a cluster at rest. Returns what its clients could not do in the meantime.
pub(crate) async fn reshape(world: &Rc<World>, all: &[Rc<Callers>]) -> Vec<String> {
    let slots: Vec<u16> = (0..4).map(|key| slot(format!("{{k{key}}}").as_bytes())).collect();
    let mut violations = Vec::new();

    world.log(format_args!("slots move"));
    world.with_model(|model| {
        for &slot in &slots {
            // What began under the faults ends first.
            model.finish_migration(slot);
            let owner = model.topology().owner(slot);
            if let Some(to) = model.topology().primaries().into_iter().find(|&node| Some(node) != owner) {
                model.begin_migration(slot, to);
            }
        }
    });
    violations.extend(serve(all, "while slots move").await);
    world.with_model(|model| slots.iter().for_each(|&slot| model.finish_migration(slot)));
    violations.extend(serve(all, "after slots moved").await);

    let owner = world.deployment.borrow().topology().owner(slots[0]);
    world.log(format_args!("a slot has no server"));
    world.with_model(|model| model.drop_slot(slots[0]));
    let (waiting, world_then, slot) = (all.to_vec(), world.clone(), slots[0]);
    spawn_local(async move {
        sleep(Duration::from_millis(300)).await;
        world_then.with_model(|model| model.assign_slot(slot, owner));
    });
    violations.extend(serve(&waiting, "after a slot had no server for 300 ms").await);
    sleep(Duration::from_millis(300)).await;

    let primaries: Vec<NodeId> = world.deployment.borrow().topology().primaries().into_iter().collect();
    if let [gone, to, ..] = primaries[..] {
        world.log(format_args!("{gone} leaves"));
        world.with_model(|model| model.give_up_slots(gone, to));
        violations.extend(serve(all, "after a node left").await);
    }
    violations
}

/// Whether each client can write, all at the same time.
async fn serve(all: &[Rc<Callers>], when: &str) -> Vec<String> {
    let probing: Vec<_> =
        all.iter().cloned().map(|callers| spawn_local(async move { callers.probe_writes().await })).collect();
    let mut violations = Vec::new();
    for (probed, callers) in probing.into_iter().zip(all) {
        if let Ok(Err(error)) = probed.await {
            violations.push(format!("client {} cannot write {when}: {error}", callers.number));
        }
    }
    violations
}
