//! `lingqu witness`: runs a witness until it is told to end, or makes its state first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use lingqu_core::ErrorCode;
use lingqu_core::id::IdPrefix;
use lingqu_tlog::{Ed25519Signer, Intl, Signer, VerifierKey};
use lingqu_transport::reload::AuthorityFile;
use lingqu_transport::{Connections, Limits, ReloadableTls, TlsFiles, signing_key};
use lingqu_witness::{
    Config, ConfigError, SetupError, Store, StoreError, TlsConfig, Witness as Cosigner, router,
    serve_loopback,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::connection::code_of;
use crate::failure::Failure;
use crate::interrupt;
use crate::session::Session;

/// `witness --config FILE`, or `witness init …`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Witness {
    /// The witness's configuration · 见证服务配置文件
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<WitnessCommand>,
}

#[derive(Subcommand, Debug)]
enum WitnessCommand {
    /// Make the state of logs that this witness has never cosigned · 为从未见证过的日志建立状态
    Init(Init),
}

/// `witness init --config FILE`
#[derive(Args, Debug)]
struct Init {
    /// The witness's configuration · 见证服务配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Witness {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match (self.command, self.config) {
            (Some(WitnessCommand::Init(init)), _) => init.run(session),
            (None, Some(config)) => serve(&config, session),
            (None, None) => Err(Failure::local(
                ErrorCode::UsageInvalid,
                "`--config` is missing",
            )),
        }
    }
}

/// The configuration, the key, and the verifier key that others know this witness by.
fn read(path: &Path) -> Result<(Config, Ed25519Signer, VerifierKey<Intl>), Failure> {
    let config = Config::load(path).map_err(|error| refused(path, &error))?;
    let key = signing_key::read(&config.key).map_err(Failure::key)?;
    let name = config.key_name().map_err(|error| refused(path, &error))?;
    let vkey = VerifierKey::cosignature(name, key.public_key())
        .map_err(|error| Failure::local(ErrorCode::KeyRefused, error))?;
    Ok((config, key, vkey))
}

fn serve(path: &Path, session: &mut Session<'_>) -> Result<(), Failure> {
    let (config, key, vkey) = read(path)?;
    let keys = config.keys().map_err(|error| refused(path, &error))?;
    let clock = Arc::clone(&session.clock);
    let store = Store::open(&config.state_dir, &vkey.to_string()).map_err(unusable)?;
    let witness = Cosigner::open(
        store,
        Arc::clone(&clock),
        vkey.name().clone(),
        Arc::new(key),
        keys,
        config.evidence_max,
    );
    let witness = witness.map_err(|error| match error {
        SetupError::Key => Failure::local(ErrorCode::KeyShared, error),
        SetupError::Store(error) => unusable(error),
    })?;
    let router = router(Arc::new(witness), config.in_flight_max);
    session.wait(async {
        let ended = interrupt::interrupted()?;
        let listen = config.listen;
        let unusable =
            |error| Failure::local(ErrorCode::ListenUnusable, format_args!("{listen}: {error}"));
        let listener = TcpListener::bind(listen).await.map_err(unusable)?;
        tracing::info!(witness = %vkey, %listen, "serving");
        match &config.tls {
            None => serve_loopback(listener, router, ended)
                .await
                .map_err(unusable),
            Some(files) => {
                let tls = ReloadableTls::load(tls_files(files), Arc::clone(&clock))
                    .map_err(|error| Failure::local(code_of(&error), error))?;
                let (limits, connections) = (Limits::default(), Connections::new());
                let tls = Arc::new(tls);
                lingqu_transport::serve(listener, tls, limits, clock, router, connections, ended)
                    .await;
                Ok(())
            }
        }
    })?
}

/// Whoever submits needs no identity beyond the log's signature, but only coordinators have a reason to.
fn tls_files(files: &TlsConfig) -> TlsFiles {
    let prefix: IdPrefix = "coord_".parse().expect("it is a kind's prefix");
    TlsFiles {
        cert_chain: files.cert.clone(),
        key: files.key.clone(),
        authorities: vec![AuthorityFile {
            name: "tls.ca".to_owned(),
            path: files.ca.clone(),
            prefixes: vec![prefix],
        }],
        allow_tls12: false,
    }
}

impl Init {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (config, _, vkey) = read(&self.config)?;
        let keys = config
            .keys()
            .map_err(|error| refused(&self.config, &error))?;
        let origins: Vec<String> = keys.iter().map(|key| key.name().to_string()).collect();
        let made = Store::init(&config.state_dir, &vkey.to_string(), &origins).map_err(unusable)?;
        let count = made.len();
        session.say(
            format_args!("state made for {count} logs; this is the witness's verifier key"),
            format_args!("已为 {count} 个日志建立状态；见证方验证密钥如下"),
        );
        session.answer(&vkey, &json!({ "vkey": vkey.to_string(), "new": made }))
    }
}

fn refused(path: &Path, error: &ConfigError) -> Failure {
    match error {
        ConfigError::File { .. } => Failure::local(ErrorCode::FileUnreadable, error),
        _ => Failure::config(format_args!("`{}`: {error}", path.display())),
    }
}

/// A state that cannot be used, under the code by which it is known elsewhere.
fn unusable(error: StoreError) -> Failure {
    let code = match &error {
        StoreError::Damaged(_) => ErrorCode::JournalDamaged,
        StoreError::Foreign(_) => ErrorCode::KeyRefused,
        StoreError::Io { .. } | StoreError::Locked(_) => ErrorCode::DataDirUnusable,
        StoreError::Missing(_) => ErrorCode::WitnessStateMissing,
    };
    Failure::local(code, error)
}
