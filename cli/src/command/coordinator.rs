//! `lingqu coordinator`: runs a coordinator until it is told to end.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use lingqu_coordinator::Config;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::interrupt;
use crate::session::Session;

/// `coordinator --config FILE`
#[derive(Args, Debug)]
pub(crate) struct Coordinator {
    /// The coordinator's configuration · 协调端配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Coordinator {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config =
            Config::load(&self.config).map_err(|error| Failure::file(&self.config, error))?;
        let clock = Arc::clone(&session.clock);
        session.wait(async {
            let ended = interrupt::interrupted()?;
            let listen = config.listen;
            let listener = TcpListener::bind(listen)
                .await
                .map_err(|error| Failure::Unusable(format!("`listen` {listen}: {error}")))?;
            let coordinator = lingqu_coordinator::Coordinator::open(config, clock)
                .await
                .map_err(|error| Failure::Unusable(error.to_string()))?;
            tracing::info!(coordinator = %coordinator.id(), %listen, "serving");
            coordinator.serve(listener, ended).await;
            coordinator.close().await;
            Ok(())
        })?
    }
}
