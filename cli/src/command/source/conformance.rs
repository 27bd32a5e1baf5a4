//! `source check --conformance`: whether a connector keeps its contract against a real source, one's own database too.
//!
//! The file is a node's configuration with `[[source]]`, or a page of its own with one `[source]`. Only the kit's
//! readings touch the source; writing is tried only with `--probe-write`.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use lingqu_connector_sdk::conformance::{self, CHECKS, Options, Report};
use lingqu_connector_sdk::{Connector, Kinds, SourceError, TableName};
use serde::Deserialize;

use crate::failure::{Failure, printable};
use crate::session::Session;
use crate::written;

/// How to run the kit.
#[derive(Args, Debug)]
pub(super) struct Kit {
    /// Run the conformance kit on a source of the file instead · 对文件中的数据源运行符合性检查
    #[arg(long)]
    pub(super) conformance: bool,
    /// Only this table; may be repeated · 仅检查该表，可重复
    #[arg(long = "table", value_name = "TABLE", requires = "conformance")]
    tables: Vec<TableName>,
    /// Only this check; may be repeated · 仅运行该项检查，可重复
    #[arg(long = "check", value_name = "CHECK", requires = "conformance")]
    only: Vec<String>,
    /// Also try to write; whatever the source lets happen is undone · 同时尝试写入，若被接受即撤销
    #[arg(long, requires = "conformance")]
    probe_write: bool,
    /// Largest table in rows that is compared row by row · 逐行比对的最大行数
    #[arg(long, value_name = "ROWS", requires = "conformance", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
}

/// One `[source]` or `[[source]]`; what else a node's configuration says of it is the node's concern.
#[derive(Deserialize)]
struct Section {
    #[serde(default)]
    name: Option<String>,
    kind: String,
    #[serde(default)]
    settings: toml::Table,
}

impl Kit {
    /// Checks the source `name` of the file `path`; without a name the only one.
    pub(super) fn run(
        self,
        path: &Path,
        name: Option<&str>,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        self.run_with(&lingqu_connectors::kinds(), path, name, session)
    }

    fn run_with(
        self,
        kinds: &Kinds,
        path: &Path,
        name: Option<&str>,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let unknown = |id: &&String| CHECKS.iter().all(|check| check.id != **id);
        if let Some(id) = self.only.iter().find(unknown) {
            return Err(Failure::Unusable(format!("there is no check `{id}`")));
        }
        let section = section(&written::text(path)?, name)
            .map_err(|why| Failure::config(format_args!("`{}`: {why}", path.display())))?;
        let base = path.parent().unwrap_or(Path::new(""));
        let connector = kinds
            .configure(&section.kind, section.settings, base)
            .map_err(|why| Failure::config(format_args!("`{}`: {why}", path.display())))?;
        let report = self.report(connector, session)?;
        session.answer(printable(&report.to_string()), &report)?;
        if report.conforms() {
            return Ok(());
        }
        if let Some(why) = report.unusable.first() {
            return Err(Failure::Unusable(why.en.clone()));
        }
        let failed = report.count().failed;
        Err(Failure::CheckFailed {
            en: format!("{failed} checks of the source failed"),
            zh: "数据源未通过符合性检查",
        })
    }

    fn report(
        self,
        connector: Arc<dyn Connector>,
        session: &mut Session<'_>,
    ) -> Result<Report, Failure> {
        let mut options = Options {
            only: self.only,
            tables: self.tables,
            probe_write: self.probe_write,
            ..Options::default()
        };
        options.rows_compared_max = self.rows.unwrap_or(options.rows_compared_max);
        let runtime = session.runtime()?;
        // A source that is not there has not failed any check.
        if let Err(error) = runtime.block_on(connector.health()) {
            return Err(unreached(&error));
        }
        let told = |check: &conformance::Check| session.say(check.en, check.zh);
        Ok(runtime.block_on(conformance::check(connector, None, options, told)))
    }
}

/// Why nothing could be checked. Secrets are files of this machine, everything else is the source's.
fn unreached(error: &SourceError) -> Failure {
    match error {
        SourceError::Secret(_) => Failure::config(error),
        _ => Failure::Unreachable(error.to_string()),
    }
}

/// The wanted source of a file.
fn section(text: &str, name: Option<&str>) -> Result<Section, String> {
    let mut file: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The line itself may hold what should not be shown.
        format!("it is not TOML: {}", error.message())
    })?;
    let found = file.remove("source").ok_or("there is no `[source]`")?;
    let sections: Vec<Section> = match found {
        toml::Value::Array(sections) => sections.into_iter().map(one).collect::<Result<_, _>>()?,
        single => {
            // A page of its own holds nothing else, so that a mistyped key is not passed over.
            if let Some(key) = file.keys().next() {
                return Err(format!("`{key}` is not known beside `[source]`"));
            }
            vec![one(single)?]
        }
    };
    let names: Vec<String> = sections.iter().filter_map(|of| of.name.clone()).collect();
    let mut fitting = sections
        .into_iter()
        .filter(|section| name.is_none_or(|name| section.name.as_deref() == Some(name)));
    match (fitting.next(), fitting.next()) {
        (Some(section), None) => Ok(section),
        (None, _) => Err(format!(
            "there is no such source; there are: {}",
            names.join(", ")
        )),
        (Some(_), Some(_)) => Err(format!("choose one with `--name`: {}", names.join(", "))),
    }
}

fn one(value: toml::Value) -> Result<Section, String> {
    let section: Result<Section, toml::de::Error> = value.try_into();
    section.map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests;
