//! `lingqu node init`: drafts a node's configuration and a policy over one of its tables, after a look at the table.
//!
//! The drafts open nothing: every column is forbidden until the officer gives it a use, and those that seem to hold what
//! is personal say so. Values are looked at on this machine and never written or shown. What is not given as an option
//! is asked for, where somebody sits at the terminal.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_core::{ErrorCode, NodeId, PartyId, Region};
use serde_json::json;

use crate::command::source::add::{Drafted, last_section, parsed, quoted};
use crate::failure::Failure;
use crate::inspection::{Inspected, inspect};
use crate::session::Session;

/// The commented sample that the draft is made from; a test parses it.
const SAMPLE: &str = include_str!("../../../../deploy/node.toml");
/// Where the sample's own resource begins and ends.
const RESOURCE: (&str, &str) = ("# Where the data is read", "# Bounds of everything");
/// Longest answer to a question, in bytes.
const ANSWER_LEN_MAX: usize = 4_096;

/// `node init --dir DIR [--id … --unit … --region … --source … --kind … --settings … --name … --table … --as-of …]`
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// Where the drafts are written; files that are there already stay · 草稿目录，已有文件不会被覆盖
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The node, `node_…` · 节点
    #[arg(long, value_name = "NODE")]
    id: Option<NodeId>,
    /// The unit, `party_…` · 数源单位
    #[arg(long, value_name = "PARTY")]
    unit: Option<PartyId>,
    /// Statistical division code of the unit · 行政区划代码
    #[arg(long, value_name = "CODE")]
    region: Option<Region>,
    /// Name of the source · 数据源名称
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Its connector · 连接器类型
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// TOML file with its settings · 连接器设置（TOML）
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A Parquet file in place of source, kind, settings and table · 直接使用 Parquet 文件
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "kind", "settings", "table"])]
    path: Option<PathBuf>,
    /// Name of the resource · 数据资源名称
    #[arg(long, value_name = "RESOURCE")]
    name: Option<String>,
    /// What the source calls the table · 数据源中的表名
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// The date that the data speaks for, or `load` · 数据日期，或 `load`
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
}

impl Init {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let asked = Asked::of(self, session)?;
        let resource = asked.sections()?;
        let node = asked.node_toml(&resource);
        let path = asked.dir.join("node.toml");
        let config = parsed(&path, &node)?;
        let found = inspect(&config, last_section(&config)?).map_err(|error| Failure::Refused {
            code: error.code(),
            detail: format!("`{}`: {error}", asked.name),
        })?;
        let policy = asked.policy_toml(&found);
        std::fs::create_dir_all(&asked.dir).map_err(|why| Failure::unwritable(&asked.dir, why))?;
        let policy_path = asked.dir.join(format!("policy-{}.toml", asked.name));
        write_new(&path, &node)?;
        write_new(&policy_path, &policy)?;
        let graded = found.columns.iter().filter(|column| column.grade.is_some());
        let graded = graded.count();
        let columns = found.columns.len();
        session.say(
            format_args!(
                "{columns} columns, all forbidden, {graded} of them graded as sensitive; next: put the keys of [trust], \
                 [tls] and [keys] into node.toml, open columns in the policy, then `lingqu doctor` and `lingqu policy check`"
            ),
            format_args!(
                "共 {columns} 个字段，全部禁止使用，其中 {graded} 个预判为敏感；下一步：在 node.toml 中填入 [trust]、[tls]、\
                 [keys] 的密钥，由负责人在策略中逐一开放字段，再运行 `lingqu doctor` 与 `lingqu policy check`"
            ),
        );
        for written in [&path, &policy_path] {
            let shown = written.display().to_string();
            session.answer(&shown, &json!({ "written": shown }))?;
        }
        Ok(())
    }
}

/// Everything that the drafts need.
struct Asked {
    dir: PathBuf,
    id: NodeId,
    unit: PartyId,
    region: Region,
    name: String,
    as_of: String,
    from: From,
}

enum From {
    File(PathBuf),
    Source {
        source: String,
        kind: String,
        settings: Option<PathBuf>,
        table: String,
    },
}

impl Asked {
    fn of(init: Init, session: &mut Session<'_>) -> Result<Asked, Failure> {
        let id = given(init.id, "--id", "the node's id, node_… · 节点标识", session)?;
        let unit = given(
            init.unit,
            "--unit",
            "the unit, party_… · 数源单位标识",
            session,
        )?;
        let region = given(
            init.region,
            "--region",
            "division code · 行政区划代码",
            session,
        )?;
        let name = given(
            init.name,
            "--name",
            "name of the resource · 数据资源名称",
            session,
        )?;
        let as_of = "the date that the data speaks for, YYYY-MM-DD, or load · 数据日期，或 load";
        let as_of = given(init.as_of, "--as-of", as_of, session)?;
        let from = match init.path {
            Some(path) => From::File(path),
            None => From::Source {
                source: given(
                    init.source,
                    "--source",
                    "name of the source · 数据源名称",
                    session,
                )?,
                kind: given(init.kind, "--kind", "its connector · 连接器类型", session)?,
                settings: init.settings,
                table: given(init.table, "--table", "the table · 表名", session)?,
            },
        };
        Ok(Asked {
            dir: init.dir,
            id,
            unit,
            region,
            name,
            as_of,
            from,
        })
    }

    fn sections(&self) -> Result<String, Failure> {
        match &self.from {
            From::File(path) => {
                let path =
                    std::path::absolute(path).map_err(|why| Failure::unreadable(path, why))?;
                let path = path.display().to_string();
                Ok(format!(
                    "[[resource]]\nname = {}\npath = {}\nas_of = {}\n",
                    quoted(&self.name),
                    quoted(&path),
                    quoted(&self.as_of)
                ))
            }
            From::Source {
                source,
                kind,
                settings,
                table,
            } => Drafted {
                source: source.clone(),
                kind: Some(kind.clone()),
                settings: settings.clone(),
                name: self.name.clone(),
                table: table.clone(),
                environments: vec!["PROD".to_owned()],
                as_of: Some(self.as_of.clone()),
                as_of_column: None,
                refresh: "manual".to_owned(),
                update_cycle_days: None,
            }
            .toml(),
        }
    }

    /// The sample with this node's names and this resource in the place of the sample's.
    fn node_toml(&self, resource: &str) -> String {
        let begin = SAMPLE.find(RESOURCE.0).unwrap_or(SAMPLE.len());
        let end = SAMPLE.find(RESOURCE.1).unwrap_or(SAMPLE.len());
        let (head, tail) = (&SAMPLE[..begin], &SAMPLE[end.max(begin)..]);
        let mut text = String::new();
        for line in head.lines() {
            let own = match line.split(" = ").next() {
                Some("id") if line.contains("\"node_") => Some(("id", self.id.as_str())),
                Some("unit") => Some(("unit", self.unit.as_str())),
                Some("region") => Some(("region", self.region.as_str())),
                _ => None,
            };
            match own {
                Some((key, value)) => {
                    let _ = writeln!(text, "{key} = {}", quoted(value));
                }
                None => {
                    let _ = writeln!(text, "{line}");
                }
            }
        }
        format!("{text}{resource}\n{tail}")
    }

    /// A policy that allows nothing.
    fn policy_toml(&self, found: &Inspected) -> String {
        let mut text = String::from(
            "# Drafted by lingqu node init. Everything is forbidden until a use is given:\n\
             # 由 lingqu node init 生成的草稿。未列明用途前一律禁止：\n\
             # aggregate, entity, filter, group, link, model, show, verify\n",
        );
        let _ = write!(
            text,
            "id = {}\nversion = 1\nunit = {}\nresource = {}\n\
             # Purposes that calls may state; none allows no call · 允许的用途，留空则不允许任何调用\n\
             purposes = []\nepoch_age_max_s = 3600\n\n\
             [audit]\nmode = \"mirrored\"\nwait_ms_max = 5000\n\n[columns]\n",
            quoted(&self.name.replace('_', "-")),
            quoted(self.unit.as_str()),
            quoted(&self.name)
        );
        for column in &found.columns {
            let reason = column.reason();
            let why = reason.map_or(String::new(), |why| format!("  # {why}"));
            let _ = writeln!(text, "{} = []{why}", quoted(&column.name));
        }
        text
    }
}

/// What was given, or what somebody at the terminal answers.
fn given<T>(
    value: Option<T>,
    option: &str,
    question: &str,
    session: &mut Session<'_>,
) -> Result<T, Failure>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if let Some(value) = value {
        return Ok(value);
    }
    let missing = || {
        Failure::local(
            ErrorCode::UsageInvalid,
            format_args!("`{option}` is missing"),
        )
    };
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(missing());
    }
    session.say(question, question);
    let mut answer = String::new();
    let read = input.lock().read_line(&mut answer).map_err(|_| missing())?;
    if read == 0 || read > ANSWER_LEN_MAX {
        return Err(missing());
    }
    let refused = |error: T::Err| Failure::Unusable(format!("`{option}`: {error}"));
    answer.trim().parse().map_err(refused)
}

/// Only where nothing is.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|why| Failure::unwritable(path, why))
}

#[cfg(test)]
mod tests;
