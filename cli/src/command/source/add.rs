//! `lingqu source add`: the sections of a new source and of one of its tables, checked against the source, to be put into
//! `node.toml`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_core::ErrorCode;
use lingqu_node::NodeConfig;
use lingqu_node::config::ResourceSection;
use serde_json::json;

use crate::doctor;
use crate::failure::Failure;
use crate::session::Session;

/// `source add --config node.toml --source NAME --kind KIND --settings FILE --name RESOURCE --table TABLE … [--write]`
#[derive(Args, Debug)]
pub(super) struct Add {
    /// The node's configuration · 节点配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    drafted: Drafted,
    /// Append the sections to the configuration instead of only printing them · 直接追加到配置文件
    #[arg(long)]
    write: bool,
}

/// A source and one of its tables.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drafted {
    /// Name of the source; one that is configured already needs no kind and settings · 数据源名称
    #[arg(long, value_name = "NAME")]
    pub(crate) source: String,
    /// Its connector · 连接器类型
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// TOML file with its settings; secrets are named in it, never written · 连接器设置（TOML），不得包含秘密本身
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// Name of the resource in products and policies · 数据资源名称
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) name: String,
    /// What the source calls the table · 数据源中的表名
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: String,
    /// Environments that it serves · 适用环境
    #[arg(
        long,
        value_name = "ENVIRONMENT",
        default_value = "PROD",
        value_delimiter = ','
    )]
    pub(crate) environments: Vec<String>,
    /// The date that the data speaks for, or `load` · 数据日期，或 `load`
    #[arg(long, value_name = "DATE", conflicts_with = "as_of_column")]
    pub(crate) as_of: Option<String>,
    /// The column whose latest date it is · 取最大值作为数据日期的字段
    #[arg(long, value_name = "COLUMN")]
    pub(crate) as_of_column: Option<String>,
    /// `manual`, or for example `every 24h` · 刷新方式
    #[arg(long, value_name = "RULE", default_value = "manual")]
    pub(crate) refresh: String,
    /// How often the unit brings the data up to date, in days · 更新周期（日）
    #[arg(long, value_name = "DAYS")]
    pub(crate) update_cycle_days: Option<u32>,
}

impl Drafted {
    /// The sections as they stand in a configuration.
    pub(crate) fn toml(&self) -> Result<String, Failure> {
        let mut text = String::new();
        if let Some(kind) = &self.kind {
            let _ = write!(
                text,
                "[[source]]\nname = {}\nkind = {}\n",
                quoted(&self.source),
                quoted(kind)
            );
            if let Some(path) = &self.settings {
                let settings = settings(path)?;
                let mut nested = toml::Table::new();
                nested.insert("settings".to_owned(), toml::Value::Table(settings));
                let mut whole = toml::Table::new();
                whole.insert("source".to_owned(), toml::Value::Table(nested));
                let written =
                    toml::to_string(&whole).map_err(|error| Failure::file(path, error))?;
                text += &written.replace("[source]\n", "");
            }
            text += "\n";
        }
        let environments: Vec<String> = self.environments.iter().map(|one| quoted(one)).collect();
        let _ = write!(
            text,
            "[[resource]]\nname = {}\nsource = {}\ntable = {}\nenvironments = [{}]\n",
            quoted(&self.name),
            quoted(&self.source),
            quoted(&self.table),
            environments.join(", ")
        );
        if let Some(as_of) = &self.as_of {
            let _ = writeln!(text, "as_of = {}", quoted(as_of));
        }
        if let Some(column) = &self.as_of_column {
            let _ = writeln!(text, "as_of_column = {}", quoted(column));
        }
        let _ = writeln!(text, "refresh = {}", quoted(&self.refresh));
        if let Some(days) = self.update_cycle_days {
            let _ = writeln!(text, "update_cycle_days = {days}");
        }
        Ok(text)
    }
}

impl Add {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let path = &self.config;
        let before = std::fs::read_to_string(path).map_err(|why| Failure::unreadable(path, why))?;
        let sections = self.drafted.toml()?;
        let whole = format!("{}\n\n{sections}", before.trim_end());
        let config = parsed(path, &whole)?;
        let resource = last_section(&config)?;
        let found = doctor::read(&config, resource).map_err(|error| Failure::Refused {
            code: error.code(),
            detail: format!("`{}`: {error}", self.drafted.name),
        })?;
        session.say(
            format_args!("the table is there, with {} columns", found.columns.len()),
            format_args!("表可读取，共 {} 个字段", found.columns.len()),
        );
        if self.write {
            replace(path, &whole)?;
            session.say(
                "written; it holds from the node's next start on",
                "已写入，节点下次启动后生效",
            );
        }
        session.answer(
            sections.trim_end(),
            &json!({ "sections": sections, "written": self.write }),
        )
    }
}

/// The configuration that `text` would be at `path`.
pub(crate) fn parsed(path: &Path, text: &str) -> Result<NodeConfig, Failure> {
    let mut config = NodeConfig::parse(text).map_err(|error| {
        // Its own text would quote the line, which may hold what should stand elsewhere.
        Failure::config(format_args!("`{}`: {}", path.display(), error.message()))
    })?;
    config.resolve(path.parent().unwrap_or(Path::new(".")));
    Ok(config)
}

/// The one resource of this name.
pub(super) fn section<'a>(
    config: &'a NodeConfig,
    name: &str,
) -> Result<&'a ResourceSection, Failure> {
    let found = config.resources.iter().find(|one| one.name == name);
    found.ok_or_else(|| Failure::config(format_args!("there is no resource `{name}`")))
}

pub(crate) fn last_section(config: &NodeConfig) -> Result<&ResourceSection, Failure> {
    let last = config.resources.last();
    last.ok_or_else(|| Failure::refused(ErrorCode::ResourceUnknown))
}

fn settings(path: &Path) -> Result<toml::Table, Failure> {
    let text = std::fs::read_to_string(path).map_err(|why| Failure::unreadable(path, why))?;
    text.parse::<toml::Table>()
        .map_err(|error| Failure::file(path, error.message()))
}

/// As a TOML string of one line, which can be a key too, whatever stands in it: JSON's escapes are TOML's, which also
/// wants the one control character escaped that JSON does not.
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::String(text.to_owned()).to_string();
    json.replace('\u{7f}', "\\u007F")
}

/// Whole, or not at all.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let temporary = path.with_extension("toml.new");
    let written = std::fs::write(&temporary, text).and_then(|()| {
        let permissions = std::fs::metadata(path)?.permissions();
        std::fs::set_permissions(&temporary, permissions)?;
        std::fs::rename(&temporary, path)
    });
    written.map_err(|why| Failure::unwritable(path, why))
}
