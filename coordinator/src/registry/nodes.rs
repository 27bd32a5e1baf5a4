//! Nodes: entered with a code, each with the stream that it will write.

use lingqu_core::{ErrorCode, NodeId, Timestamp};

use super::{Directory, Registry};
use crate::mirror::streams::Stream;
use crate::mirror::succession::Unit;
use crate::refusal::Refusal;
use crate::store::Writing;
use crate::store::codes::Code;
use crate::store::nodes::{self, Node};

impl Registry {
    pub(super) async fn enter_node(
        &self,
        tx: &mut Writing,
        id: NodeId,
        code: Code,
        log_key: Vec<u8>,
        now: Timestamp,
    ) -> Result<Node, Refusal> {
        if self.node(&id).is_ok() || self.mirrored.contains(&id) {
            return Err(ErrorCode::AlreadyEnrolled.into());
        }
        let unit = code.unit.ok_or(ErrorCode::CodeInvalid)?;
        let node = Node {
            // Fixed once: the entries of a stream carry its origin's digest.
            origin: self
                .names
                .stream(id.as_str(), &code.region, &now.half_year()),
            id,
            unit,
            region: code.region,
            display_name: code.display_name,
            log_key,
            enrolled: now,
        };
        nodes::insert(tx, &node).await?;
        Ok(node)
    }

    pub(super) fn register_stream(&self, node: &Node) -> Result<(), Refusal> {
        let directory = self.directory.load();
        let stream = stream_of(node, &directory).ok_or(ErrorCode::Internal)?;
        self.mirror.shared.register(stream);
        Ok(())
    }
}

/// The first stream of an enrolled node, with the key of the unit that can order its end; nothing if its key or origin
/// cannot be those of a stream. The streams that follow it are in the mirror's own log.
pub(crate) fn stream_of(node: &Node, directory: &Directory) -> Option<Stream> {
    let stream = Stream::new(&node.origin, node.id.as_str(), &node.region, &node.log_key)?;
    match directory.parties.get(&node.unit) {
        Some(unit) => Some(stream.of_unit(Unit {
            id: unit.id.clone(),
            approval_key: unit.approval_key.clone(),
        })),
        // Nobody could order its end then.
        None => Some(stream),
    }
}
