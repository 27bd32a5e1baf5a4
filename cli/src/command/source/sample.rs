//! `lingqu source sample`: what the columns of a resource look like, with values that are made up.
//!
//! There is no way to have rows shown: whoever may see them has the source itself.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::add::section;
use crate::failure::{Failure, printable};
use crate::inspection::inspect;
use crate::session::Session;
use lingqu_node::NodeConfig;

/// `source sample --config node.toml --name RESOURCE`
#[derive(Args, Debug)]
pub(super) struct Sample {
    /// The node's configuration · 节点配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The resource · 数据资源名称
    #[arg(long, value_name = "RESOURCE")]
    name: String,
}

impl Sample {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config = NodeConfig::read(&self.config)?;
        let resource = section(&config, &self.name)?;
        let found = inspect(&config, resource).map_err(|error| Failure::Refused {
            code: error.code(),
            detail: format!("`{}`: {error}", self.name),
        })?;
        session.say(
            format_args!(
                "{} values of each column were looked at; the examples are made up",
                found.looked
            ),
            format_args!("每个字段查看了 {} 个取值；样例均为虚构", found.looked),
        );
        for column in &found.columns {
            let reason = column.reason();
            let text = format!(
                "{}: {} e.g. {}{}",
                column.name,
                column.data_type,
                column.made_up(),
                reason
                    .as_deref()
                    .map_or(String::new(), |why| format!("  # {why}"))
            );
            session.answer(
                printable(&text),
                &json!({
                    "column": column.name,
                    "type": column.data_type.to_string(),
                    "made_up": column.made_up(),
                    "sensitive": reason,
                }),
            )?;
        }
        Ok(())
    }
}
