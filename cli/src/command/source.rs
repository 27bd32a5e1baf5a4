//! `lingqu source`: the sources and resources of a node, as it would read them and as it reads them.
//!
//! `add`, `check` and `sample` look at a source themselves, with the node's configuration; the others ask the running
//! node over its local control.

mod accept;
pub(crate) mod add;
mod check;
mod conformance;
mod load;
mod running;
mod sample;
mod status;
mod stop;
mod watch;

use clap::{Args, Subcommand};

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
    /// Confirm a table that has changed, as the unit · 数源单位确认已变化的表结构
    Accept(accept::Accept),
    /// Write the sections of a source and a resource, checked · 生成并检查数据源与数据资源配置
    Add(add::Add),
    /// Open each resource and list its columns; no row is read · 打开各数据资源并列出字段，不读取任何行
    Check(check::Check),
    /// Read a resource again; `--corrects` marks a load as wrong · 重新装载；`--corrects` 将某次装载标记为有误
    Load(load::Load),
    /// Show what the columns look like, with made-up values · 展示字段与虚构样例值
    Sample(sample::Sample),
    /// How resources, loads and sources are · 查看数据资源、装载与数据源状态
    Status(status::Status),
    /// End a load that is under way · 中止正在进行的装载
    Stop(stop::Stop),
    /// Follow a load until it ends · 跟踪装载进度
    Watch(watch::Watch),
}

impl Source {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            SourceCommand::Accept(accept) => accept.run(session),
            SourceCommand::Add(add) => add.run(session),
            SourceCommand::Check(check) => check.run(session),
            SourceCommand::Load(load) => load.run(session),
            SourceCommand::Sample(sample) => sample.run(session),
            SourceCommand::Status(status) => status.run(session),
            SourceCommand::Stop(stop) => stop.run(session),
            SourceCommand::Watch(watch) => watch.run(session),
        }
    }
}
