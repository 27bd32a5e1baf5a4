//! `lingqu source`: the resources that a node would read, described by what their files say of themselves.

mod conformance;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lingqu_core::ErrorCode;
use lingqu_node::NodeConfig;
use lingqu_node::config::ResourceSection;
use serde_json::json;

use crate::doctor;
use crate::failure::Failure;
use crate::session::Session;

/// What to do with them.
#[derive(Args, Debug)]
pub(crate) struct Source {
    #[command(subcommand)]
    command: SourceCommand,
}

#[derive(Subcommand, Debug)]
enum SourceCommand {
    /// Open each resource and list its columns; no row is read · 打开各数据资源并列出字段，不读取任何行
    Check(Check),
}

/// `source check --config node.toml [--name RESOURCE]`, `source check --conformance --config FILE [--name SOURCE]`
#[derive(Args, Debug)]
struct Check {
    /// The node's configuration · 节点配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only the resource of this name; with `--conformance` the source · 仅检查该名称的资源或数据源
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    kit: conformance::Kit,
}

impl Source {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            SourceCommand::Check(check) => check.run(session),
        }
    }
}

impl Check {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if self.kit.conformance {
            return self.kit.run(&self.config, self.name.as_deref(), session);
        }
        let config = NodeConfig::read(&self.config)?;
        let wanted = |resource: &&ResourceSection| {
            self.name.as_ref().is_none_or(|name| *name == resource.name)
        };
        let resources: Vec<_> = config.resources.iter().filter(wanted).collect();
        if resources.is_empty() {
            let name = self.name.unwrap_or_default();
            return Err(Failure::config(format_args!(
                "there is no resource `{name}`"
            )));
        }
        let rows_max = config.limits.rows_max as u64;
        // Each resource has its say; the last failure is the command's.
        let mut last = Ok(());
        for resource in resources {
            let Err(failure) = show(resource, rows_max, session) else {
                continue;
            };
            if let Err(before) = std::mem::replace(&mut last, Err(failure)) {
                session.complain(&before);
            }
        }
        last
    }
}

fn show(
    resource: &ResourceSection,
    rows_max: u64,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let refused = |code: ErrorCode, why: &dyn std::fmt::Display| Failure::Refused {
        code,
        detail: format!("`{}`: {why}", resource.name),
    };
    let found = doctor::read(resource).map_err(|error| refused(error.code(), &error))?;
    if session.as_json {
        let columns: Vec<_> = found
            .columns
            .iter()
            .map(|(name, kind)| json!({ "name": name, "type": kind.to_string() }))
            .collect();
        session.json(&json!({
            "resource": resource.name,
            "environments": resource.environments,
            "as_of": found.as_of.to_string(),
            "rows": found.rows,
            "columns": columns,
        }))?;
    } else {
        session.line(format_args!(
            "{} ({}): {} rows, as of {} · {} 行，数据日期 {}",
            resource.name,
            resource.environments.join(", "),
            found.rows,
            found.as_of,
            found.rows,
            found.as_of
        ))?;
        for (name, kind) in &found.columns {
            session.line(format_args!(
                "  {}: {kind}",
                crate::failure::printable(name)
            ))?;
        }
    }
    if found.rows > rows_max {
        let why = format!("{} rows, at most {rows_max} are allowed", found.rows);
        return Err(refused(ErrorCode::ResourceTooLarge, &why));
    }
    Ok(())
}
