//! `lingqu coordinator`: runs a coordinator until it is told to end, or looks after the streams of its log.

mod past;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use lingqu_coordinator::{Config, ConfigError, KeysError, OpenError};
use lingqu_core::ErrorCode;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::interrupt;
use crate::session::Session;

/// `coordinator --config FILE`, `coordinator past …`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Coordinator {
    #[command(subcommand)]
    command: Option<CoordinatorCommand>,
    /// The coordinator's configuration · 协调端配置文件
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum CoordinatorCommand {
    /// The streams that have ended: until when they are kept · 已结束日志流的留存状态
    Past(past::Past),
}

impl Coordinator {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(CoordinatorCommand::Past(past)) = self.command {
            return past.run(session);
        }
        let path = self.config.unwrap_or_default();
        let config = Config::load(&path).map_err(|error| refused(&path, &error))?;
        let clock = Arc::clone(&session.clock);
        session.wait(async {
            let ended = interrupt::interrupted()?;
            let listen = config.listen;
            let listener = TcpListener::bind(listen).await.map_err(|error| {
                Failure::local(ErrorCode::ListenUnusable, format_args!("{listen}: {error}"))
            })?;
            let coordinator = lingqu_coordinator::Coordinator::open(config, clock)
                .await
                .map_err(not_opened)?;
            tracing::info!(coordinator = %coordinator.id(), %listen, "serving");
            coordinator.serve(listener, ended).await;
            coordinator.close().await;
            Ok(())
        })?
    }
}

/// A configuration that cannot be used; the error alone does not always name the file.
fn refused(path: &Path, error: &ConfigError) -> Failure {
    match error {
        ConfigError::File { .. } => Failure::local(ErrorCode::FileUnreadable, error),
        _ => Failure::config(format_args!("`{}`: {error}", path.display())),
    }
}

/// Each reason for which a coordinator does not open, under the code by which `lingqu doctor` knows it.
fn not_opened(error: OpenError) -> Failure {
    let code = match &error {
        OpenError::Config(_) | OpenError::Founding(_) => ErrorCode::ConfigInvalid,
        OpenError::DataDir { .. } | OpenError::Files(_) | OpenError::Store(_) => {
            ErrorCode::DataDirUnusable
        }
        OpenError::Identity { .. } => ErrorCode::CertOtherId,
        OpenError::Keys(KeysError::Equal(..)) => ErrorCode::KeyShared,
        OpenError::Keys(_) => ErrorCode::KeyUnreadable,
        OpenError::Mirror(_) | OpenError::Settle(_) => ErrorCode::JournalDamaged,
        OpenError::Observe(_) => ErrorCode::ListenUnusable,
        OpenError::Task => ErrorCode::SystemRefused,
        OpenError::Tls(_) => ErrorCode::CertUnreadable,
    };
    Failure::local(code, error)
}
