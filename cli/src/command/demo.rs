//! `lingqu demo`: a whole network on this machine, and the story that it tells.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lingqu_core::ErrorCode;
use lingqu_demo::{Options, StoryFailed};

use crate::failure::Failure;
use crate::interrupt;
use crate::session::Session;

/// `demo [--dir DIR] [--serve] [--json] [--patience-s SECONDS] [--postgres]`
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Where the network's files go; empty or absent; a temporary directory by default · 网络文件目录
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Stay up after the story until interrupted · 演示结束后继续运行
    #[arg(long)]
    serve: bool,
    /// One JSON object a line · 每行一个 JSON 对象
    #[arg(long)]
    json: bool,
    /// Seconds to wait for a node before giving up, 120 by default; more on a slow machine · 等待节点的秒数
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    patience_s: Option<u64>,
    /// Keep the social-security register in a PostgreSQL server that the demo starts for itself · 社保数据存于演示自启的 PostgreSQL
    #[arg(long)]
    postgres: bool,
}

impl Demo {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let options = Options {
            dir: self.dir,
            json: self.json,
            serve: self.serve,
            patience: self.patience_s.map(Duration::from_secs),
            postgres: self.postgres,
        };
        // The signals are listened for only once the story is told: until then they end the process as usual.
        let ended = async {
            match interrupt::interrupted() {
                Ok(ended) => ended.await,
                Err(failure) => tracing::error!("{}", failure.reason()),
            }
        };
        let runtime = session.runtime()?;
        let told = runtime
            .block_on(lingqu_demo::run(options, session.out, ended))
            .map_err(failed)?;
        if told {
            Ok(())
        } else {
            Err(Failure::CheckFailed {
                en: "a step of the story did not go as it must".to_owned(),
                zh: "演示中有步骤未达预期",
            })
        }
    }
}

fn failed(error: StoryFailed) -> Failure {
    match error {
        StoryFailed::DirNotEmpty(_) => Failure::local(ErrorCode::FileUnwritable, error),
        StoryFailed::Network(_) => Failure::CheckFailed {
            en: error.to_string(),
            zh: "演示中断",
        },
        StoryFailed::Report(error) => Failure::Output(error),
    }
}
