//! `lingqu node state`: the key that seals a node's state directory, the way into the seal, rotation, and the drill that
//! shows what a backup is worth. The node must not run on the directory that is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use lingqu_core::ErrorCode;
use lingqu_core::record::StreamId;
use lingqu_journal::{
    FatalHook, Journal, JournalOptions, LogId, ReconcileRefused, Reconciled, StateKey,
};
use lingqu_node::state::State;
use lingqu_node::state::migrating::{MigrateFailed, rewrite};
use lingqu_node::{CurrentStream, NodeConfig, OpenError};
use lingqu_tlog::Intl;
use serde_json::json;

use super::not_opened;
use crate::doctor::read_only::ReadOnly;
use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};

/// `node state key|seal|rotate|drill`
#[derive(Args, Debug)]
pub(super) struct StateArguments {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Subcommand, Debug)]
enum StateCommand {
    /// Read a backup of the state directory as a node would, and say how far behind the mirror it is
    /// · 演练恢复：按节点启动方式读取备份，并说明落后镜像多少
    Drill(Drill),
    /// Make a new state key · 生成新的状态密钥
    Key(Key),
    /// Wrap the state's keys with another state key, and seal with a new one from now on · 轮换状态密钥
    Rotate(Rotate),
    /// Seal a state directory that is in clear, or seal it anew under fresh keys · 加密（或重新加密）状态目录
    Seal(Seal),
}

/// `node state key --out FILE`
#[derive(Args, Debug)]
struct Key {
    /// The new file; outside the state directory · 新密钥文件，须位于状态目录之外
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `node state seal --config FILE [--old-key FILE]`
#[derive(Args, Debug)]
struct Seal {
    /// The node's configuration, with the new state key · 节点配置文件，其中已写入新状态密钥
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The state key that it is sealed with now; none if it is in clear · 当前状态密钥，未加密时省略
    #[arg(long, value_name = "FILE")]
    old_key: Option<PathBuf>,
}

/// `node state rotate --config FILE --old-key FILE`
#[derive(Args, Debug)]
struct Rotate {
    /// The node's configuration, with the new state key · 节点配置文件，其中已写入新状态密钥
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The state key until now · 此前的状态密钥
    #[arg(long, value_name = "FILE")]
    old_key: PathBuf,
}

/// `node state drill --config FILE --backup DIR [--checkpoint FILE]`
#[derive(Args, Debug)]
struct Drill {
    /// The node's configuration · 节点配置文件
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The copy of the state directory; it is only read · 状态目录的备份，只读
    #[arg(long, value_name = "DIR")]
    backup: PathBuf,
    /// The newest checkpoint that the mirror cosigned of this stream, from the coordinator or an export
    /// · 镜像对该日志流最新联署的检查点
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

impl StateArguments {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            StateCommand::Drill(drill) => drill.run(session),
            StateCommand::Key(key) => key.run(session),
            StateCommand::Rotate(rotate) => rotate.run(session),
            StateCommand::Seal(seal) => seal.run(session),
        }
    }
}

impl Key {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let key = StateKey::generate();
        written::create(&self.out, key.to_text().as_bytes(), Access::Owner)?;
        session.say(
            "name it as `state` in the section `[keys]` of node.toml, and keep a copy elsewhere: without it the state cannot be read",
            "请在 node.toml 的 `[keys]` 一节以 `state` 引用该文件，并在别处保存副本：丢失后状态无法读取",
        );
        session.answer(self.out.display(), &json!({ "key": self.out }))
    }
}

impl Seal {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config = NodeConfig::read(&self.config)?;
        let key = wanted_key(&config)?;
        let old = self.old_key.as_deref().map(read_key).transpose()?;
        let origin = lingqu_node::Node::read_origin(&config)
            .ok_or_else(|| not_opened(OpenError::NotEnrolled))?;
        let limits = config.limits.journal();
        let layout = (
            LogId(StreamId::of::<Intl>(&origin).0),
            limits.segment_len,
            limits.frame_bytes_max,
        );
        let migrated = rewrite(&config.data_dir, old.as_ref(), &key, layout).map_err(failed)?;
        let kept = migrated.kept.display();
        session.say(
            format_args!(
                "sealed: {} frames of the journal, {} files. What was there before is still at `{kept}`: remove it when the node has run",
                migrated.frames, migrated.files
            ),
            format_args!(
                "已加密：日志 {} 帧，文件 {} 个。原目录保留在 `{kept}`，请在节点正常运行后删除",
                migrated.frames, migrated.files
            ),
        );
        session.answer(
            kept,
            &json!({ "kept": migrated.kept, "frames": migrated.frames, "files": migrated.files }),
        )
    }
}

impl Rotate {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config = NodeConfig::read(&self.config)?;
        let key = wanted_key(&config)?;
        let old = read_key(&self.old_key)?;
        let generation = State::rotate(&config.data_dir, &old, &key)
            .map_err(|error| not_opened(error.into()))?;
        session.say(
            "rotated; backups from before still need the old state key",
            "已轮换；此前的备份仍需旧状态密钥",
        );
        session.answer(generation, &json!({ "generation": generation }))
    }
}

impl Drill {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config = NodeConfig::read(&self.config)?;
        let begun = session.clock.monotonic();
        let journal = self.open(&config, session)?;
        let took_ms = session.clock.monotonic().saturating_sub(begun).as_millis();
        let size = journal.size();
        let shown = journal.checkpoint();
        let note = self.checkpoint.as_deref().map(written::text).transpose()?;
        let behind = note.as_deref().map(|note| compare(&journal, note));
        journal.close();
        let behind = behind.transpose()?;
        let outcome = match behind {
            None => ("not compared with the mirror", "未与镜像比对"),
            Some(0) => ("nothing that the mirror has is missing", "镜像所有记录均在"),
            Some(_) => (
                "what is missing comes back from the mirror before the node signs anything",
                "缺失部分将在节点签名之前从镜像取回",
            ),
        };
        let missing = behind.unwrap_or(0);
        session.say(
            format_args!("{size} records, every frame whole and signed, read in {took_ms} ms; {missing} behind the mirror: {}", outcome.0),
            format_args!("共 {size} 条记录，各帧完整且签名有效，读取用时 {took_ms} 毫秒；落后镜像 {missing} 条：{}", outcome.1),
        );
        session.answer(
            size,
            &json!({
                "records": size,
                "behind": behind,
                "read_ms": u64::try_from(took_ms).unwrap_or(u64::MAX),
                "checkpoint": shown,
            }),
        )
    }

    /// Opens the backup with the code that the node opens with, over files that are only read.
    fn open(&self, config: &NodeConfig, session: &Session<'_>) -> Result<Journal, Failure> {
        let mut of_backup = config.clone();
        of_backup.data_dir.clone_from(&self.backup);
        let stream = CurrentStream::read(&of_backup.data_dir)
            .map_err(|error| not_opened(error.into()))?
            .ok_or_else(|| not_opened(OpenError::NotEnrolled))?;
        let key = config.state_key().map_err(not_opened)?;
        let keys =
            State::keys_of(&self.backup, key.as_ref()).map_err(|error| not_opened(error.into()))?;
        let options = JournalOptions {
            signer: Arc::new(stream.signer(config).map_err(not_opened)?),
            follows: stream.key.is_some(),
            origin: stream.origin,
            mirrors: config.mirror_terms().map_err(not_opened)?,
            lost: false,
            clock: Arc::clone(&session.clock),
            limits: config.limits.journal(),
            on_fatal: FatalHook::default(),
        };
        let store = ReadOnly::new(&self.backup.join("journal"));
        Journal::open_with(options, Box::new(store), keys).map_err(|error| not_opened(error.into()))
    }
}

/// How many records the backup lacks.
fn compare(journal: &Journal, note: &str) -> Result<u64, Failure> {
    // The checkpoint may be of any mirror that the node pins.
    let places = 0..journal.mirror_figures().len();
    let mut compared = places.map(|mirror| journal.reconcile(mirror, Some(note)));
    let is_of_it = |compared: &Result<_, _>| *compared != Err(ReconcileRefused::Cosignature);
    let compared = compared.find(is_of_it);
    match compared.unwrap_or(Err(ReconcileRefused::Cosignature)) {
        Ok(Reconciled::Ready | Reconciled::Waiting) => Ok(0),
        Ok(Reconciled::MirrorAhead { from }) => Ok(journal.ahead_to().saturating_sub(from)),
        Err(ReconcileRefused::Fork) => Err(Failure::CheckFailed {
            en: "the backup and the mirror hold two histories of this stream".to_owned(),
            zh: "备份与镜像中的日志流内容相互矛盾",
        }),
        Err(refused) => Err(Failure::CheckFailed {
            en: format!("the mirror's checkpoint is not usable: {refused}"),
            zh: "镜像检查点不可用",
        }),
    }
}

fn wanted_key(config: &NodeConfig) -> Result<StateKey, Failure> {
    let key = config.state_key().map_err(not_opened)?;
    key.ok_or_else(|| Failure::config("`keys.state` is missing"))
}

fn read_key(path: &Path) -> Result<StateKey, Failure> {
    StateKey::read(path).map_err(Failure::key)
}

fn failed(error: MigrateFailed) -> Failure {
    let code = match &error {
        MigrateFailed::Journal(_) => ErrorCode::JournalDamaged,
        MigrateFailed::Io(_)
        | MigrateFailed::Kept(_)
        | MigrateFailed::State(_)
        | MigrateFailed::Store(_)
        | MigrateFailed::Stranger(_) => ErrorCode::DataDirUnusable,
    };
    Failure::local(code, error)
}
