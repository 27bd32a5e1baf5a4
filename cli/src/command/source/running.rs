//! How the commands reach the running node, and name a resource of it.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::ErrorCode;
use lingqu_core::grant::Environment;
use lingqu_node::admin::{AdminRequest, Sources};
use lingqu_node::loads::status::ResourceStatus;

use crate::failure::Failure;
use crate::local_control;
use crate::session::Session;

/// A resource of the running node.
#[derive(Args, Debug)]
pub(super) struct Named {
    /// The node's admin socket · 节点本地控制套接字
    #[arg(long, value_name = "SOCKET")]
    pub(super) socket: PathBuf,
    /// The resource · 数据资源名称
    #[arg(value_name = "RESOURCE")]
    pub(super) resource: String,
    /// An environment that it serves, if there are several of the name · 适用环境，同名资源多于一个时必填
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(super) environment: Option<Environment>,
}

impl Named {
    pub(super) fn word(&self) -> Option<String> {
        self.environment.map(|one| one.as_str().to_owned())
    }

    /// How the node's resources are, and this one of them.
    pub(super) async fn status(&self) -> Result<(Sources, ResourceStatus), Failure> {
        let sources = sources(&self.socket).await?;
        let is_meant = |status: &&ResourceStatus| {
            let word = self.word();
            status.resource == self.resource
                && word.is_none_or(|word| status.environments.contains(&word))
        };
        let mut meant = sources.resources.iter().filter(is_meant);
        match (meant.next().cloned(), meant.next()) {
            (Some(status), None) => Ok((sources, status)),
            (_, _) => Err(Failure::Refused {
                code: ErrorCode::ResourceUnknown,
                detail: format!("`{}`", self.resource),
            }),
        }
    }
}

/// How the resources and sources of the node at `socket` are.
pub(super) async fn sources(socket: &std::path::Path) -> Result<Sources, Failure> {
    let response = local_control::response(socket, &AdminRequest::Sources).await?;
    response
        .sources
        .ok_or_else(|| Failure::Unreachable(format!("`{}`: no sources", socket.display())))
}

/// One line on a resource, for people.
pub(super) fn line(status: &ResourceStatus) -> String {
    let name = format!("{} ({})", status.resource, status.environments.join(", "));
    let mut line = match &status.load {
        Some(load) => format!(
            "{name}: {} · {} rows · as of {} · from {}",
            load.id, load.rows, load.as_of, load.source
        ),
        None if status.asked => format!("{name}: no load · 无可用装载"),
        None => format!("{name}: no product asks it · 没有产品使用"),
    };
    if status.stale {
        line += " · STALE 已超过更新周期";
    }
    if let Some(changed) = &status.changed {
        line += &format!(
            "\n  CHANGED 表结构已变化: {}\n  columns digest · 字段摘要: {}",
            changed.differences.join(", "),
            changed.columns_digest
        );
    }
    if let Some(failed) = &status.failed {
        line += &format!("\n  {}: {}", failed.code, failed.why);
    }
    if let Some(progress) = &status.progress {
        let expected = progress
            .expected
            .map_or(String::new(), |rows| format!(" / {rows}"));
        line += &format!("\n  loading · 装载中: {}{expected} rows", progress.rows);
    }
    line
}

/// Says something about a resource, for people or programs.
pub(super) fn tell(status: &ResourceStatus, session: &mut Session<'_>) -> Result<(), Failure> {
    session.answer(crate::failure::printable(&line(status)), status)
}
