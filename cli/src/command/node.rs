//! `lingqu node`: runs a node until it is told to end, enrols it first, or looks after its state directory.

mod bodies;
mod init;
mod state;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use clap::{Args, Subcommand};
use lingqu_core::{Clock, ErrorCode};
use lingqu_journal::FatalHook;
use lingqu_node::loads::LoaderRefused;
use lingqu_node::serve::Served;
use lingqu_node::{NodeConfig, OpenError};
use lingqu_transport::{ClientTls, PeerId, signing_key};
use serde_json::json;
use tokio::net::TcpListener;

use crate::connection::code_of;
use crate::failure::Failure;
use crate::session::Session;
use crate::{enrolment, interrupt};

/// `node --config FILE`, or `node enrol …`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Node {
    /// The node's configuration · 节点配置文件
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<NodeCommand>,
}

#[derive(Subcommand, Debug)]
enum NodeCommand {
    /// Kept details of calls: how many, and the erasure of their keys · 留存的调用内容：状态与删除
    Bodies(bodies::BodiesArguments),
    /// Draft a configuration and a policy after a look at a table · 查看数据表并生成配置与策略草稿
    Init(init::Init),
    /// Enrol the node with its one-time code · 使用准入码登记节点
    Enrol(Enrol),
    /// The state directory: its key, its seal, a drill with a backup · 状态目录：密钥、加密与恢复演练
    State(state::StateArguments),
}

/// `node enrol --config FILE --code CODE`
#[derive(Args, Debug)]
struct Enrol {
    /// The node's configuration · 节点配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The one-time code · 准入码
    #[arg(long, value_name = "CODE")]
    code: String,
}

impl Node {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match (self.command, self.config) {
            (Some(NodeCommand::Bodies(bodies)), _) => bodies.run(session),
            (Some(NodeCommand::Enrol(enrol)), _) => enrol.run(session),
            (Some(NodeCommand::Init(init)), _) => init.run(session),
            (Some(NodeCommand::State(state)), _) => state.run(session),
            (None, Some(config)) => serve(&config, session),
            (None, None) => Err(Failure::local(
                ErrorCode::UsageInvalid,
                "`--config` is missing",
            )),
        }
    }
}

fn read(path: &std::path::Path) -> Result<NodeConfig, Failure> {
    NodeConfig::read(path).map_err(Failure::from)
}

fn serve(config: &std::path::Path, session: &mut Session<'_>) -> Result<(), Failure> {
    let config = read(config)?;
    let clock = Arc::clone(&session.clock);
    session.wait(async {
        let mut ended = pin!(interrupt::interrupted()?);
        // A stream that has ended is followed by another: the node opens anew on it.
        while serve_one(config.clone(), Arc::clone(&clock), ended.as_mut()).await?
            == Served::Succeeded
        {}
        Ok(())
    })?
}

/// Serves the stream that is written now, until its end or that of the process.
async fn serve_one(
    config: NodeConfig,
    clock: Arc<dyn Clock>,
    ended: impl Future<Output = ()> + Send,
) -> Result<Served, Failure> {
    let listen = config.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::local(ErrorCode::ListenUnusable, format_args!("{listen}: {error}"))
    })?;
    let open = move || lingqu_node::Node::open(config, clock, FatalHook::default());
    let opened = tokio::task::spawn_blocking(open).await;
    let node = opened
        .map_err(|error| Failure::local(ErrorCode::SystemRefused, error))?
        .map_err(not_opened)?;
    tracing::info!(node = %node.id(), %listen, "serving");
    let served = lingqu_node::serve::serve(node, listener, ended).await;
    served.map_err(|error| Failure::Unusable(error.to_string()))
}

/// Each reason for which a node does not open, under the code by which `lingqu doctor` knows it.
fn not_opened(error: OpenError) -> Failure {
    use lingqu_journal::{HeadTermsRefused, OpenError as Journal};
    let code = match &error {
        OpenError::State(_) | OpenError::Store(_) | OpenError::Sealing(_) => {
            ErrorCode::DataDirUnusable
        }
        OpenError::NotEnrolled => ErrorCode::NotEnrolled,
        OpenError::Key(_) | OpenError::LogKey(_) | OpenError::StateKey(_) => {
            ErrorCode::KeyUnreadable
        }
        OpenError::Journal(Journal::Corrupt(_) | Journal::OtherStream) => ErrorCode::JournalDamaged,
        OpenError::Journal(Journal::Clear | Journal::Sealed | Journal::Store(_)) => {
            ErrorCode::DataDirUnusable
        }
        OpenError::Journal(Journal::Thread(_)) => ErrorCode::SystemRefused,
        OpenError::Journal(
            Journal::Limits(_) | Journal::MirrorKey | Journal::Mirrors | Journal::Origin,
        )
        | OpenError::Heads(
            HeadTermsRefused::Key | HeadTermsRefused::Twice | HeadTermsRefused::Witnesses,
        )
        | OpenError::Observe(_)
        | OpenError::Setting(_)
        | OpenError::Sources(_) => ErrorCode::ConfigInvalid,
        OpenError::Loader(LoaderRefused::Threads(_)) => ErrorCode::SystemRefused,
        OpenError::Heads(HeadTermsRefused::Accepted)
        | OpenError::Loader(LoaderRefused::State(_))
        | OpenError::Object(_)
        | OpenError::Stops(_) => ErrorCode::FileInvalid,
    };
    Failure::local(code, error)
}

impl Enrol {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config = read(&self.config)?;
        let key = signing_key::read(&config.keys.log).map_err(Failure::key)?;
        let tls = ClientTls::load(config.tls.clone(), Arc::clone(&session.clock))
            .map_err(|error| Failure::local(code_of(&error), error))?;
        let id = PeerId::Node(config.id.clone());
        if tls.id() != id {
            let found = tls.id();
            return Err(Failure::local(
                ErrorCode::CertOtherId,
                format_args!("the certificate is for `{found}`, the configuration for `{id}`"),
            ));
        }
        let origin = session.wait(async {
            let expected = PeerId::Coordinator(config.coordinator.id.clone());
            let channel =
                lingqu_transport::connect(&config.coordinator.url, &tls, expected).await?;
            enrolment::enrol(channel, &self.code, &id, "log", &key).await
        })??;
        if origin.is_empty() {
            return Err(Failure::CheckFailed {
                en: "the coordinator named no stream for the node to write".to_owned(),
                zh: "协调端未返回该节点的日志流名称",
            });
        }
        // The code is used up now: whoever cannot write the file must be told what belongs into it.
        lingqu_node::Node::write_origin(&config, &origin).map_err(|error| {
            let why = format_args!("enrolled, but the origin `{origin}` is not written: {error}");
            Failure::unwritable(&config.data_dir, why)
        })?;
        session.say(
            format_args!("{id} is enrolled; this is the stream that it writes"),
            format_args!("{id} 已登记，其日志流名称如下"),
        );
        session.answer(
            &origin,
            &json!({ "enrolled": id.to_string(), "stream": origin }),
        )
    }
}
