//! `lingqu adopt`: the unit gives its own node a signed object without the coordinator, for example a narrower policy.

use std::path::PathBuf;

use clap::Args;
use lingqu_node::admin::AdminRequest;
use lingqu_proto::encode_envelope;
use serde_json::json;

use crate::failure::Failure;
use crate::session::Session;
use crate::{envelope_file, local_control};

/// `adopt --socket S X.env`
#[derive(Args, Debug)]
pub(crate) struct Adopt {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// The signed object; X.filing goes with it if it is there, as a grant needs · 已签名对象
    #[arg(value_name = "X.env")]
    file: PathBuf,
}

impl Adopt {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let envelope = envelope_file::read(&self.file)?;
        let filing = envelope_file::filing_beside(&self.file)?;
        let request = AdminRequest::Adopt {
            object: hex::encode(encode_envelope(&envelope)),
            filing: filing.map(|filing| hex::encode(encode_envelope(&filing))),
        };
        session.wait(local_control::request(&self.socket, &request))??;
        session.say("the node has taken it in", "节点已采纳");
        let digest = envelope.digest();
        session.answer(digest, &json!({ "adopted": digest.to_string() }))
    }
}
