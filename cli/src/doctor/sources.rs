//! The sources and resources of a node: each opens, can only be read, its table's columns are there, it is not larger than
//! allowed and not too old.
//!
//! Only what a source says of its tables is read, never a row.

use std::collections::BTreeSet;
use std::time::Duration;

use arrow_schema::DataType;
use lingqu_core::{ErrorCode, Timestamp};
use lingqu_node::NodeConfig;
use lingqu_node::config::ResourceSection;
use lingqu_node::sources::reading::describe;
use lingqu_node::sources::sdk::Health;
use lingqu_node::sources::{AsOf, NamedSource, Resource, configure};

use super::Findings;

/// Data older than this should be explained, where no update cycle is configured.
const OLD_DAYS: u64 = 366;
/// Longest look at one source.
const LOOK_TIME: Duration = Duration::from_secs(30);

/// What a resource's source says of its table.
#[derive(Debug)]
pub(crate) struct Read {
    /// How many rows there are, if the source knows.
    pub(crate) rows: Option<u64>,
    /// The date that it speaks for, if that is known without reading it.
    pub(crate) as_of: Option<Timestamp>,
    /// How often it is brought up to date, if that is configured.
    pub(crate) cycle_days: Option<u32>,
    /// The source that answered.
    pub(crate) source: String,
    /// Each column's name and type.
    pub(crate) columns: Vec<(String, DataType)>,
}

/// Why a resource does not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFailed {
    /// `as_of` is no date.
    #[error("`as_of`: {0}")]
    AsOf(lingqu_core::time::TimestampRefused),
    /// Its sections do not fit.
    #[error(transparent)]
    Configured(#[from] lingqu_node::sources::SourcesRefused),
    /// The source cannot be read.
    #[error("{0}")]
    Source(String),
    /// No thread could be started to look at it.
    #[error("no runtime: {0}")]
    Runtime(std::io::ErrorKind),
}

impl ReadFailed {
    /// The code under which it is reported.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            ReadFailed::AsOf(_) => ErrorCode::ResourceDateInvalid,
            ReadFailed::Configured(_) => ErrorCode::ConfigInvalid,
            ReadFailed::Source(_) => ErrorCode::ResourceUnavailable,
            ReadFailed::Runtime(_) => ErrorCode::SystemRefused,
        }
    }
}

/// The one resource of a section, over its sources.
///
/// # Errors
/// [`ReadFailed::AsOf`], [`ReadFailed::Configured`].
pub(crate) fn resource(
    config: &NodeConfig,
    section: &ResourceSection,
) -> Result<Resource, ReadFailed> {
    if let Some(date) = section.as_of.as_deref().filter(|date| *date != "load") {
        date.parse::<Timestamp>().map_err(ReadFailed::AsOf)?;
    }
    let mut alone = config.clone();
    alone.resources = vec![section.clone()];
    let configured = configure::configure(&alone, &configure::kinds())?;
    let resource = configured.resources.into_iter().next();
    Ok(Resource::clone(&resource.expect("each section makes one")))
}

/// Runs what needs a runtime, on one of its own.
pub(crate) fn waiting<T>(work: impl Future<Output = T>) -> Result<T, ReadFailed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ReadFailed::Runtime(error.kind()))?;
    Ok(runtime.block_on(work))
}

/// What the first source that answers says of a resource's table.
///
/// # Errors
/// [`ReadFailed`].
pub(crate) fn read(config: &NodeConfig, section: &ResourceSection) -> Result<Read, ReadFailed> {
    let resource = resource(config, section)?;
    let mut last = String::new();
    for source in &resource.sources {
        let looked =
            waiting(async { tokio::time::timeout(LOOK_TIME, describe(&resource, source)).await })?;
        match looked {
            Ok(Ok((info, _))) => {
                let fields = info.schema.fields().iter();
                return Ok(Read {
                    rows: info.rows,
                    as_of: match resource.as_of {
                        AsOf::Fixed(date) => Some(date),
                        AsOf::Column(_) | AsOf::Load => None,
                    },
                    cycle_days: section.update_cycle_days,
                    source: source.name.clone(),
                    columns: fields
                        .map(|field| (field.name().clone(), field.data_type().clone()))
                        .collect(),
                });
            }
            Ok(Err(failed)) => last = failed.to_string(),
            Err(_) => last = format!("source `{}`: it did not answer in time", source.name),
        }
    }
    Err(ReadFailed::Source(match &section.path {
        Some(path) => format!("`{}`: {last}", path.display()),
        None => last,
    }))
}

/// How a source is now.
///
/// # Errors
/// [`ReadFailed::Source`].
fn health(source: &NamedSource) -> Result<Health, ReadFailed> {
    let looked =
        waiting(async { tokio::time::timeout(LOOK_TIME, source.connector.health()).await })?;
    match looked {
        Ok(Ok(health)) => Ok(health),
        Ok(Err(error)) => Err(ReadFailed::Source(error.to_string())),
        Err(_) => Err(ReadFailed::Source("it did not answer in time".to_owned())),
    }
}

pub(crate) fn examine(node: &NodeConfig, now: Timestamp, findings: &mut Findings) {
    if node.resources.is_empty() {
        findings.warn(
            "source",
            ErrorCode::ResourceUnavailable,
            "no resource is configured",
            "未配置数据资源",
        );
    }
    examine_sources(node, findings);
    for section in &node.resources {
        let name = format!("{} ({})", section.name, section.environments.join(", "));
        match read(node, section) {
            Ok(found) => judge(&name, &found, node.limits.rows_max as u64, now, findings),
            Err(error) => findings.fail(
                "source",
                error.code(),
                format!("{name}: {error}"),
                format!("{name}：{error}"),
            ),
        }
    }
}

/// Whether each named source can be reached, and can only be read.
fn examine_sources(node: &NodeConfig, findings: &mut Findings) {
    let mut alone = node.clone();
    alone.resources.clear();
    let sources = match configure::configure(&alone, &configure::kinds()) {
        Ok(configured) => configured.sources,
        Err(error) => {
            let (en, zh) = (error.to_string(), error.to_string());
            return findings.fail("source", ErrorCode::ConfigInvalid, en, zh);
        }
    };
    let mut seen = BTreeSet::new();
    for source in sources
        .iter()
        .filter(|source| seen.insert(source.name.clone()))
    {
        let name = &source.name;
        match health(source) {
            Ok(health) if health.may_write.is_empty() => findings.ok(
                "source",
                format!("{name}: {}, read only", health.server),
                format!("{name}：{}，仅可读取", health.server),
            ),
            Ok(health) => {
                let may = health.may_write.join(", ");
                findings.warn(
                    "source",
                    ErrorCode::SourceWritable,
                    format!("{name}: {may}"),
                    format!("{name}：{may}"),
                );
            }
            Err(error) => findings.fail(
                "source",
                ErrorCode::SourceUnavailable,
                format!("{name}: {error}"),
                format!("{name}：{error}"),
            ),
        }
    }
}

fn judge(name: &str, found: &Read, rows_max: u64, now: Timestamp, findings: &mut Findings) {
    let columns = found.columns.len();
    let rows = found.rows.map_or("?".to_owned(), |rows| rows.to_string());
    let Some(as_of) = found.as_of else {
        return findings.ok(
            "source",
            format!("{name}: {rows} rows, {columns} columns; its date is known when it is read"),
            format!("{name}：{rows} 行，{columns} 列，数据日期在读取时确定"),
        );
    };
    let age_days = now.since(as_of).as_secs() / 86_400;
    let old_days = found
        .cycle_days
        .map_or(OLD_DAYS, |days| u64::from(days) + 1);
    if found.rows.is_some_and(|rows| rows > rows_max) {
        findings.fail(
            "source",
            ErrorCode::ResourceTooLarge,
            format!("{name}: {rows} rows, at most {rows_max} are allowed"),
            format!("{name}：{rows} 行，上限为 {rows_max}"),
        );
    } else if as_of > now {
        findings.fail(
            "source",
            ErrorCode::ResourceDateInvalid,
            format!("{name}: speaks for {as_of}"),
            format!("{name}：数据日期为 {as_of}"),
        );
    } else if age_days >= old_days {
        findings.warn(
            "source",
            ErrorCode::ResourceStale,
            format!("{name}: {rows} rows, {columns} columns, {age_days} days old"),
            format!("{name}：{rows} 行，{columns} 列，距今 {age_days} 日"),
        );
    } else {
        findings.ok(
            "source",
            format!("{name}: {rows} rows, {columns} columns, {age_days} days old"),
            format!("{name}：{rows} 行，{columns} 列，距今 {age_days} 日"),
        );
    }
}
