//! Nodes: entered with a code, each with the stream that it will write.

use lingqu_core::{ErrorCode, NodeId, Timestamp};

use super::Registry;
use crate::mirror::streams::Stream;
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
        if self.node(&id).is_ok() {
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
        self.mirror
            .shared
            .register(stream_of(node).ok_or(ErrorCode::Internal)?);
        Ok(())
    }
}

/// The stream of an enrolled node; nothing if its key or origin cannot be those of a stream.
pub(crate) fn stream_of(node: &Node) -> Option<Stream> {
    Stream::new(&node.origin, node.id.as_str(), &node.region, &node.log_key)
}
