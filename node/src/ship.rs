//! What the node exchanges with its coordinator and its other mirrors; the node dials, in both directions of content.

pub(crate) mod lost;
mod past;
pub mod replicate;
pub mod watch;

use std::time::Duration;

use lingqu_proto::pb;
use lingqu_transport::{ClientTls, PeerId};
use tonic::transport::Channel;

use crate::config::CoordinatorSection;

/// Pause before the next attempt after a lost connection; doubled up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// See [`PAUSE_FIRST`].
const PAUSE_LONGEST: Duration = Duration::from_secs(5);
/// Largest message from the coordinator, in bytes.
const MESSAGE_LEN_MAX: usize = 8 << 20;

/// Growing pauses between attempts.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Pause(PAUSE_FIRST)
    }

    fn reset(&mut self) {
        self.0 = PAUSE_FIRST;
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(PAUSE_LONGEST);
    }
}

async fn dial(coordinator: &CoordinatorSection, tls: &ClientTls) -> Result<Channel, String> {
    let expected = PeerId::Coordinator(coordinator.id.clone());
    lingqu_transport::connect(&coordinator.url, tls, expected)
        .await
        .map_err(|error| error.to_string())
}

fn mirror_client(channel: Channel) -> pb::mirror_client::MirrorClient<Channel> {
    pb::mirror_client::MirrorClient::new(channel).max_decoding_message_size(MESSAGE_LEN_MAX)
}
