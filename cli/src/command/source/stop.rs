//! `lingqu source stop`: ends a load that is under way; what answered before goes on.

use clap::Args;
use lingqu_node::admin::AdminRequest;
use serde_json::json;

use super::running::Named;
use crate::failure::Failure;
use crate::local_control;
use crate::session::Session;

/// `source stop --socket S RESOURCE`
#[derive(Args, Debug)]
pub(super) struct Stop {
    #[command(flatten)]
    named: Named,
}

impl Stop {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let request = AdminRequest::StopLoad {
            resource: self.named.resource.clone(),
            environment: self.named.word(),
        };
        session.wait(local_control::response(&self.named.socket, &request))??;
        session.say(
            "stopped; what answered before goes on",
            "已中止，继续使用原有装载",
        );
        let resource = &self.named.resource;
        session.answer(resource, &json!({ "resource": resource, "stopped": true }))
    }
}
