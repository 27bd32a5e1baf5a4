//! What the commands that follow a region's feed share: who follows what, what is believed, which of the records are
//! wanted, and where to go on.

use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_client::{Feed, Outcome, Seen, Selection};
use lingqu_core::trust::Trust;
use lingqu_core::{NodeId, PartyId, Region};
use lingqu_tlog::{Intl, VerifierKey};
use tokio::runtime::Runtime;

use super::links::UnitKeys;
use crate::connection::{CoordinatorAt, Identity};
use crate::failure::Failure;
use crate::session::Session;
use crate::{trust_file, written};

/// Whose head logs are believed.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct HeadLogs {
    /// Verifier key of a region's head log; several · 区域头部日志验证密钥，可多次
    #[arg(long = "head-log-key", value_name = "VKEY", num_args = 1..)]
    head_log_keys: Vec<VerifierKey<Intl>>,
    /// Trust file of the head logs and of the witnesses that must have cosigned them · 头部日志及见证方信任文件
    #[arg(long = "head-trust", value_name = "FILE")]
    head_trust: Option<PathBuf>,
}

impl HeadLogs {
    /// The keys, and the quorum of witnesses if a file says so.
    pub(super) fn trust(&self) -> Result<Trust<Intl>, Failure> {
        match &self.head_trust {
            Some(path) => trust_file::read(path),
            None => Trust::of_logs(&self.head_log_keys)
                .map_err(|error| Failure::Unusable(format!("`--head-log-key`: {error}"))),
        }
    }
}

/// What is believed, and of which region.
#[derive(Args, Clone, Debug)]
pub(super) struct Believed {
    /// Whose logs and cosignatures are believed · 信任文件
    #[arg(long, value_name = "FILE")]
    pub(super) trust: PathBuf,
    #[command(flatten)]
    pub(super) units: UnitKeys,
    #[command(flatten)]
    pub(super) heads: HeadLogs,
    /// The region, with everything below it · 行政区划代码（含下级）
    #[arg(long, value_name = "REGION")]
    pub(super) region: Region,
}

impl Believed {
    /// The streams that are believed, with the units' keys.
    pub(super) fn trust(&self) -> Result<Trust<Intl>, Failure> {
        self.units.read(&self.trust)
    }
}

/// Who follows what, where, and what is believed.
#[derive(Args, Clone, Debug)]
pub(super) struct Subscription {
    #[command(flatten)]
    coordinator: CoordinatorAt,
    #[command(flatten)]
    identity: Identity,
    #[command(flatten)]
    pub(super) believed: Believed,
}

impl Subscription {
    /// Subscribes, after what was seen.
    pub(super) fn follow(
        &self,
        until_current: bool,
        seen: Seen,
        runtime: &Runtime,
        session: &Session<'_>,
    ) -> Result<Feed, Failure> {
        let trust = self.believed.trust()?;
        let heads = self.believed.heads.trust()?;
        let tls = self.identity.load(&session.clock)?;
        runtime.block_on(async {
            let channel = self.coordinator.dial(&tls).await?;
            let region = &self.believed.region;
            Ok(Feed::follow(channel, region, until_current, trust, heads, seen).await?)
        })
    }
}

/// Which of the verified records are wanted. The feed comes whole whatever is chosen here.
#[derive(Args, Clone, Debug)]
pub(super) struct Choice {
    /// Only records of this unit's nodes · 仅限该数源单位的节点
    #[arg(long, value_name = "PARTY_ID")]
    unit: Option<PartyId>,
    /// Only records of this node; several · 仅限该节点，可多次
    #[arg(long = "node", value_name = "NODE_ID")]
    nodes: Vec<NodeId>,
    /// Only records in which this party, or end user's code, takes part · 仅限涉及该主体或数据使用方代码的记录
    #[arg(long, value_name = "ID")]
    party: Option<String>,
    /// Only records of this product · 仅限该数据产品
    #[arg(long, value_name = "PRODUCT_ID")]
    product: Option<String>,
    /// Only records with this purpose · 仅限该用途
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// Only calls with this outcome: answered, refused, failed, or a code · 仅限该结果
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<Outcome>,
}

impl Choice {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            unit: self.unit.clone(),
            nodes: self.nodes.iter().cloned().collect(),
            party: self.party.clone(),
            product: self.product.clone(),
            purpose: self.purpose.clone(),
            outcome: self.outcome,
        }
    }
}

/// What was kept of an earlier run; nothing if there was none.
pub(super) fn read_seen(path: Option<&Path>) -> Result<Seen, Failure> {
    let Some(path) = path.filter(|path| path.exists()) else {
        return Ok(Seen::default());
    };
    Seen::parse(&written::text(path)?).map_err(|error| Failure::file(path, error))
}

/// Keeps what was verified: the next run goes on behind it, also after a crash. While a stream is bringing its balances
/// forward, what was kept before stays, and the next run goes over that beginning again.
pub(super) fn keep_seen(path: Option<&Path>, seen: &Seen) -> Result<(), Failure> {
    match path.filter(|_| seen.may_be_kept()) {
        Some(path) => written::replace(path, seen.to_text().as_bytes()),
        None => Ok(()),
    }
}
