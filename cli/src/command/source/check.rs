//! `lingqu source check`: each resource opened through its connector, and its columns listed. No row is read.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::ErrorCode;
use lingqu_node::NodeConfig;
use lingqu_node::config::ResourceSection;
use serde_json::json;

use crate::doctor;
use crate::failure::{Failure, printable};
use crate::session::Session;

/// `source check --config node.toml [--name RESOURCE]`, `source check --conformance --config FILE [--name SOURCE]`
#[derive(Args, Debug)]
pub(super) struct Check {
    /// The node's configuration · 节点配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only the resource of this name; with `--conformance` the source · 仅检查该名称的资源或数据源
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    kit: super::conformance::Kit,
}

impl Check {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
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
        // Each resource has its say; the last failure is the command's.
        let mut last = Ok(());
        for resource in resources {
            let Err(failure) = show(&config, resource, session) else {
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
    config: &NodeConfig,
    resource: &ResourceSection,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let rows_max = config.limits.rows_max as u64;
    let refused = |code: ErrorCode, why: &dyn std::fmt::Display| Failure::Refused {
        code,
        detail: format!("`{}`: {why}", resource.name),
    };
    let found = doctor::read(config, resource).map_err(|error| refused(error.code(), &error))?;
    let as_of = found.as_of.map(|as_of| as_of.to_string());
    if session.as_json {
        let columns: Vec<_> = found
            .columns
            .iter()
            .map(|(name, kind)| json!({ "name": name, "type": kind.to_string() }))
            .collect();
        session.json(&json!({
            "resource": resource.name,
            "environments": resource.environments,
            "source": found.source,
            "as_of": as_of,
            "rows": found.rows,
            "columns": columns,
        }))?;
    } else {
        let rows = found.rows.map_or("?".to_owned(), |rows| rows.to_string());
        let as_of = as_of.unwrap_or_else(|| "?".to_owned());
        session.line(format_args!(
            "{} ({}): {rows} rows, as of {as_of} · {rows} 行，数据日期 {as_of}",
            resource.name,
            resource.environments.join(", "),
        ))?;
        for (name, kind) in &found.columns {
            session.line(format_args!("  {}: {kind}", printable(name)))?;
        }
    }
    match found.rows.filter(|rows| *rows > rows_max) {
        Some(rows) => {
            let why = format!("{rows} rows, at most {rows_max} are allowed");
            Err(refused(ErrorCode::ResourceTooLarge, &why))
        }
        None => Ok(()),
    }
}
