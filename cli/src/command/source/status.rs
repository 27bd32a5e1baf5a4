//! `lingqu source status`: what each resource answers from, and how each source was when it was last looked at.

use std::path::PathBuf;

use clap::Args;
use lingqu_node::admin::AdminRequest;

use super::running::{line, sources};
use crate::failure::{Failure, printable};
use crate::local_control;
use crate::session::Session;

/// `source status --socket S [--look]`
#[derive(Args, Debug)]
pub(super) struct Status {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// Have the node look at every source and table first; ask again a little later · 让节点立即检查各数据源，稍后再次查询
    #[arg(long)]
    look: bool,
}

impl Status {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if self.look {
            let request = AdminRequest::LookAtSources;
            session.wait(local_control::response(&self.socket, &request))??;
        }
        let found = session.wait(sources(&self.socket))??;
        if session.as_json {
            return session.json(&found);
        }
        for resource in &found.resources {
            session.line(printable(&line(resource)))?;
        }
        for (name, health) in &found.sources {
            let server = health.server.as_deref().unwrap_or("?");
            let state = match &health.failure {
                Some(why) => format!("DOWN 不可用: {why}"),
                None if health.may_write.is_empty() => format!("up 正常: {server}"),
                None => format!(
                    "up 正常: {server}; MAY WRITE 具有写权限: {}",
                    health.may_write.join(", ")
                ),
            };
            session.line(printable(&format!(
                "source {name}: {state} ({})",
                health.looked
            )))?;
        }
        Ok(())
    }
}
