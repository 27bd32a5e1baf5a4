//! The coordinator's pushes: revocation epochs and filed objects. Whatever arrives is checked as if a stranger had sent
//! it; the connection's identity makes nothing true.

use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_proto::{envelope_from_pb, pb};
use lingqu_transport::ClientTls;
use tokio_stream::StreamExt;

use super::{MESSAGE_LEN_MAX, Pause, dial};
use crate::Node;

/// Watches for ever; connects again whenever the stream ends.
pub(crate) async fn run(node: Arc<Node>, tls: ClientTls) {
    let mut pause = Pause::new();
    loop {
        if let Err(reason) = watch(&node, &tls, &mut pause).await {
            tracing::info!(%reason, "no pushes from the coordinator");
        }
        pause.wait().await;
    }
}

async fn watch(node: &Arc<Node>, tls: &ClientTls, pause: &mut Pause) -> Result<(), String> {
    let channel = dial(&node.config.coordinator, tls).await?;
    let mut client =
        pb::sync_client::SyncClient::new(channel).max_decoding_message_size(MESSAGE_LEN_MAX);
    let request = pb::WatchRequest {
        epoch_seen: node.epochs.floor(),
    };
    let mut updates = client
        .watch(request)
        .await
        .map_err(|status| status.to_string())?
        .into_inner();
    while let Some(update) = updates.next().await {
        let update = update.map_err(|status| status.to_string())?.update;
        pause.reset();
        take_in(node, update).await;
        node.record_pending().await;
    }
    Err("the stream ended".to_owned())
}

/// Takes one push in. A refused one is logged with its code and changes nothing.
async fn take_in(node: &Arc<Node>, update: Option<pb::watch_response::Update>) {
    let tracker = node.blocking.clone();
    let node = Arc::clone(node);
    // Files are written and registers read: not on a task that others wait for.
    let taken = tracker.spawn_blocking(move || {
        let parse = |envelope| envelope_from_pb(envelope).map_err(|_| ErrorCode::ObjectInvalid);
        match update {
            Some(pb::watch_response::Update::Epoch(epoch)) => node.adopt_epoch(&parse(epoch)?),
            Some(pb::watch_response::Update::Object(filed)) => {
                let object = parse(filed.object.ok_or(ErrorCode::ObjectInvalid)?)?;
                let filing = filed.filing.map(parse).transpose()?;
                node.adopt_push(&object, filing.as_ref())
            }
            None => Err(ErrorCode::ObjectInvalid),
        }
    });
    if let Ok(Err(code)) = taken.await {
        tracing::warn!(%code, "a push of the coordinator was refused");
    }
}
