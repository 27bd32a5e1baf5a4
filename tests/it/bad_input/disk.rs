//! The disk is full: the node ends at once rather than answer what it could not write down, and what it answered before
//! is all there.

use lingqu_core::ErrorCode;
use lingqu_demo::cast::Party;

use super::child::{ChildNode, caller, on_record, refused};
use crate::network::World;

/// Room in the journal's file, in KiB, for some dozens of calls.
const ROOM_KIB: u64 = 400;
/// More calls than fit.
const CALLS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_node_and_loses_nothing_that_was_answered() {
    let mut world = World::ready().await;
    let node = ChildNode::instead(&mut world, Some(ROOM_KIB)).await;
    let bank = caller(&world, Party::Bank).await;
    let mut answered = Vec::new();
    let mut ended_with = None;
    for _ in 0..CALLS {
        match refused(&bank).await {
            Ok(id) => answered.push(id),
            Err(code) => {
                ended_with = Some(code);
                break;
            }
        }
    }
    let ended_with = ended_with.expect("the disk was never full");
    assert!(
        answered.len() > 10,
        "only {} calls were answered",
        answered.len()
    );
    // Either the call was told why, or the process was gone before it could be.
    assert!(
        matches!(ended_with, None | Some(ErrorCode::AuditUnavailable)),
        "{ended_with:?}"
    );
    let status = node.ended().await;
    assert!(!status.success(), "{status}");

    // With room again it opens, and nothing that was answered is missing; a call that was not is not charged twice.
    world.start_node().await;
    let records = world.records().await;
    on_record(&records, &answered);
    let bank = world.caller(Party::Bank).await;
    assert!(refused(&bank).await.is_ok());
    world.mirrored().await;
    world.end().await;
}
