//! `lingqu-odbc`: reads databases through vendors' ODBC drivers, in a process of its own.
//!
//! An ODBC driver is C code of somebody else that is loaded into whoever uses it. This program keeps it out of the node
//! (001 Art. 25: 库表): it serves upstream Flight SQL on one Unix socket per source, and does every piece of work with a
//! driver in a worker process that lives for this one piece. A driver that crashes, hangs, leaks or lies costs one
//! query, which ends with an error; nothing of it reaches the node but checked Arrow batches.
//!
//! In scope: declared tables of declared sources, columns of them, simple typed predicates, limits, strict conversion
//! of types. Out of scope: SQL of a caller's, writing, anything but reading; policies, loads and digests are the node's.
//!
//! Start reading at [`supervise`] for the two kinds of process, at [`worker`] for what is done with a driver.

mod child;
mod config;
mod dialect;
mod failure;
mod frame;
mod job;
mod request;
mod secret;
mod serve;
mod supervise;
mod types;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Serves databases behind ODBC drivers as upstream Flight SQL, on Unix sockets.
#[derive(Parser)]
#[command(name = "lingqu-odbc", version)]
struct Arguments {
    /// The configuration; relative paths in it are relative to its directory.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Reads the configuration, connects to each source, describes each table, prints what was found, and serves
    /// nothing.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    // The first argument alone decides, before anything else is parsed or logged: a worker has no other input than its
    // job, and no output that a driver could spoil.
    if std::env::args_os().nth(1).as_deref() == Some(child::WORKER_ARGUMENT.as_ref()) {
        return worker::main();
    }
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the process ends.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Config(#[from] config::ConfigRefused),
    #[error("the runtime cannot start: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
}

fn run(arguments: &Arguments) -> Result<ExitCode, RunError> {
    let config = config::Config::read(&arguments.config)?;
    // Workers are killed by the kernel when the thread that started them ends; a runtime's own threads live as long as
    // the process.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(async {
        if arguments.check {
            return Ok(serve::check(config).await);
        }
        serve::serve(config).await?;
        Ok(ExitCode::SUCCESS)
    })
}
