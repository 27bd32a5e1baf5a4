//! What the settings say of tables that are files.

use std::sync::Arc;
use std::time::Duration;

use lingqu_connector_sdk::{SettingsRefused, TableName};
use serde::Deserialize;

use super::csv::CsvForm;
use super::json::JsonForm;
use super::text::TextEncoding;
use super::{FileLimits, Pattern};
use crate::declared::{ColumnSettings, Columns};

/// Keys that files on disk and objects in a store have in common.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FilesSettings {
    /// Most files of one table; 1,000 unless said otherwise.
    files_max: usize,
    /// Most uncompressed bytes of one column in one row group of Parquet, or of one batch of an Arrow file; 1 GiB.
    block_bytes_max: u64,
    /// Most bytes of one record of CSV or JSON lines; 1 MiB.
    record_bytes_max: usize,
    /// Seconds for listing files and looking at their columns; 30.
    look_time_max_s: u64,
}

impl Default for FilesSettings {
    fn default() -> Self {
        FilesSettings {
            files_max: 1_000,
            block_bytes_max: 1 << 30,
            record_bytes_max: 1 << 20,
            look_time_max_s: 30,
        }
    }
}

/// One table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableSettings {
    /// What the table is called.
    name: String,
    /// Its files: a relative path that may have `*` and `?`; several are read in the order of their names.
    files: String,
    /// `parquet`, `arrow`, `csv` or `json`.
    format: FormatName,
    /// Columns of CSV and JSON lines.
    #[serde(default)]
    columns: Vec<ColumnSettings>,
    /// Of CSV and JSON lines: `utf-8`, `gbk` or `gb18030`; UTF-8 unless said otherwise.
    encoding: Option<TextEncoding>,
    /// Of CSV: one ASCII character between fields; a comma.
    delimiter: Option<char>,
    /// Of CSV: the character around fields, or empty for none; `"`.
    quote: Option<String>,
    /// Of CSV: whether the first record names the columns; true.
    header: Option<bool>,
    /// Of CSV: the unquoted text of a missing value; empty.
    null: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    Arrow,
    Csv,
    Json,
    Parquet,
}

/// How the bytes of a table are read.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Arrow,
    Csv(Arc<CsvForm>),
    Json(Arc<JsonForm>),
    Parquet,
}

/// A table: which files it is made of, and what they hold.
#[derive(Clone, Debug)]
pub(crate) struct TableRule {
    pub(crate) name: TableName,
    pub(crate) pattern: Pattern,
    pub(crate) format: Format,
}

impl TableRule {
    /// The table that a Parquet or Arrow file is without any rule: named like it, without the ending.
    pub(crate) fn of_file(name: &str) -> Option<TableRule> {
        let (stem, ending) = name.rsplit_once('.')?;
        let format = match ending {
            "parquet" => Format::Parquet,
            "arrow" => Format::Arrow,
            _ => return None,
        };
        // A name with wildcards in it would stand for other files too.
        let plain = !name.contains(['*', '?']);
        Some(TableRule {
            name: TableName::new([stem.to_owned()]).ok()?,
            pattern: Pattern::parse(name).filter(|_| plain)?,
            format,
        })
    }
}

/// Checks limits and tables.
pub(crate) fn parse(
    limits: &FilesSettings,
    tables: Vec<TableSettings>,
) -> Result<(Vec<TableRule>, FileLimits), SettingsRefused> {
    let limits = FileLimits {
        files_max: at_least_one("files_max", limits.files_max)?,
        block_bytes_max: at_least_one("block_bytes_max", limits.block_bytes_max)?,
        record_bytes_max: at_least_one("record_bytes_max", limits.record_bytes_max)?,
        look_time_max: Duration::from_secs(at_least_one(
            "look_time_max_s",
            limits.look_time_max_s,
        )?),
    };
    let rule = |settings| rule(settings, limits);
    let rules: Vec<TableRule> = tables.into_iter().map(rule).collect::<Result<_, _>>()?;
    for (at, rule) in rules.iter().enumerate() {
        if rules[..at].iter().any(|other| other.name == rule.name) {
            return Err(SettingsRefused::Unusable {
                key: "tables",
                why: format!("name `{}` twice", rule.name),
            });
        }
    }
    Ok((rules, limits))
}

fn at_least_one<T: PartialEq + Default>(key: &'static str, value: T) -> Result<T, SettingsRefused> {
    if value == T::default() {
        let why = "must be at least 1".to_owned();
        return Err(SettingsRefused::Unusable { key, why });
    }
    Ok(value)
}

fn rule(settings: TableSettings, limits: FileLimits) -> Result<TableRule, SettingsRefused> {
    let refused = |key, why: &str| SettingsRefused::Unusable {
        key,
        why: format!("of table `{}` {why}", settings.name),
    };
    let name =
        TableName::new([settings.name.clone()]).map_err(|error| SettingsRefused::Unusable {
            key: "name",
            why: format!("is unusable: {error}"),
        })?;
    let pattern = Pattern::parse(&settings.files)
        .ok_or_else(|| refused("files", "is no relative path within the directory"))?;
    let only_csv = settings.delimiter.is_some()
        || settings.quote.is_some()
        || settings.header.is_some()
        || settings.null.is_some();
    let declares = !settings.columns.is_empty() || settings.encoding.is_some();
    let format = match settings.format {
        FormatName::Arrow | FormatName::Parquet if declares || only_csv => {
            return Err(refused("format", "has columns and an encoding of its own"));
        }
        FormatName::Json if only_csv => {
            return Err(refused(
                "format",
                "has no delimiter, quote, header or null text",
            ));
        }
        FormatName::Arrow => Format::Arrow,
        FormatName::Parquet => Format::Parquet,
        FormatName::Json => Format::Json(Arc::new(JsonForm {
            columns: Columns::parse(settings.columns)?,
            encoding: settings.encoding.unwrap_or_default(),
            record_bytes_max: limits.record_bytes_max,
        })),
        FormatName::Csv => Format::Csv(Arc::new(csv_form(settings, limits)?)),
    };
    Ok(TableRule {
        name,
        pattern,
        format,
    })
}

fn csv_form(settings: TableSettings, limits: FileLimits) -> Result<CsvForm, SettingsRefused> {
    let refused = |key, why: &str| SettingsRefused::Unusable {
        key,
        why: format!("of table `{}` {why}", settings.name),
    };
    let one_byte = |character: char| {
        let fits = character.is_ascii() && !matches!(character, '\r' | '\n' | '\0');
        u8::try_from(character).ok().filter(|_| fits)
    };
    let delimiter = one_byte(settings.delimiter.unwrap_or(','))
        .ok_or_else(|| refused("delimiter", "is no ASCII character"))?;
    let quote = match settings.quote.as_deref() {
        None => Some(b'"'),
        Some("") => None,
        Some(text) => {
            let mut characters = text.chars();
            let only = characters.next().filter(|_| characters.next().is_none());
            let byte = only.and_then(one_byte).filter(|byte| *byte != delimiter);
            Some(byte.ok_or_else(|| refused("quote", "is no ASCII character of its own"))?)
        }
    };
    Ok(CsvForm {
        columns: Columns::parse(settings.columns)?,
        encoding: settings.encoding.unwrap_or_default(),
        delimiter,
        quote,
        header: settings.header.unwrap_or(true),
        null: settings.null.unwrap_or_default(),
        record_bytes_max: limits.record_bytes_max,
    })
}
