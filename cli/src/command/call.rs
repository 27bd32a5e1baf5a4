//! `lingqu call`: calls a product at a node, and gives the answer only with a receipt that proves its record.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use lingqu_client::{Answered, Question};
use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_core::product::ProductRef;
use lingqu_core::receipt::Level;
use lingqu_core::{CallId, GrantId, NodeId, ProductId, Timestamp};
use lingqu_proto::{ClaimValue, Verdict, product_call, product_ref, verify_request};
use serde_json::json;

use crate::claim::{self, Claim};
use crate::connection::Identity;
use crate::failure::Failure;
use crate::session::Session;
use crate::trust_file;
use crate::written::{self, Access};

/// Which kind of product.
#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(subcommand)]
    command: CallCommand,
}

#[derive(Subcommand, Debug)]
enum CallCommand {
    /// Verify a claim · 核验
    Verify(Box<Verify>),
}

#[derive(Args, Debug)]
struct Verify {
    /// Where the node is, `https://host:port` · 节点地址
    #[arg(long = "node", value_name = "URL")]
    url: String,
    /// The id that its certificate must carry, `node_…` · 节点标识
    #[arg(long, value_name = "NODE")]
    node_id: NodeId,
    #[command(flatten)]
    identity: Identity,
    /// Whose logs and cosignatures are believed · 信任文件
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// `unit.product`, or `unit.product@version` · 数据产品
    #[arg(long, value_name = "PRODUCT", value_parser = product)]
    product: (ProductId, Option<u32>),
    /// The stated purpose · 使用目的
    #[arg(long, value_name = "PURPOSE")]
    purpose: String,
    /// The stated scenario · 应用场景
    #[arg(long, value_name = "SCENARIO")]
    scenario: String,
    /// For whom the answer is finally meant: a unified social credit code · 数据使用方统一社会信用代码
    #[arg(long, value_name = "CODE")]
    end_user: String,
    /// The grant; may be left out if exactly one fits · 授权令牌
    #[arg(long, value_name = "GRANT")]
    grant: Option<GrantId>,
    /// TEST, PROD_DEBUG or PROD · 环境
    #[arg(long, value_name = "ENV", default_value = "PROD", value_parser = environment)]
    env: Environment,
    /// `name=text` or `name:=integer`; several · 核验字段，可多次
    #[arg(
        long = "claim",
        value_name = "CLAIM",
        required_unless_present = "claims"
    )]
    claim: Vec<Claim>,
    /// A JSON object of claims; keeps them out of the list of processes · 核验字段文件
    #[arg(long, value_name = "FILE", conflicts_with = "claim")]
    claims: Option<PathBuf>,
    /// Answer only from data as of this date or later · 数据日期下限
    #[arg(long, value_name = "DATE")]
    as_of_min: Option<Timestamp>,
    /// Also accept an answer whose record the mirror does not have yet, if its unit allows it: that is the node's word
    /// alone · 接受尚未镜像的记录
    #[arg(long)]
    accept_lagged: bool,
    /// The same id again for a retry; by default a new one · 调用标识，重试时保持不变
    #[arg(long, value_name = "call_…")]
    call_id: Option<CallId>,
    /// Where the receipt goes; OUT.opening opens its commitments · 回执输出文件
    #[arg(long, value_name = "OUT")]
    receipt: Option<PathBuf>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
}

fn product(text: &str) -> Result<(ProductId, Option<u32>), String> {
    if text.contains('@') {
        let ProductRef { id, version } = product_ref(text).map_err(|error| error.to_string())?;
        return Ok((id, Some(version)));
    }
    let id = text.parse::<ProductId>();
    id.map(|id| (id, None)).map_err(|error| error.to_string())
}

fn environment(word: &str) -> Result<Environment, &'static str> {
    [Environment::Test, Environment::ProdDebug, Environment::Prod]
        .into_iter()
        .find(|environment| environment.as_str() == word)
        .ok_or("expected TEST, PROD_DEBUG or PROD")
}

impl Call {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            CallCommand::Verify(verify) => verify.run(session),
        }
    }
}

impl Verify {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        // An answer that was charged for must not be lost because its receipt has no place.
        if let Some(path) = &self.receipt {
            written::must_be_new(path)?;
            written::must_be_new(&written::beside(path, "opening"))?;
        }
        let trust = trust_file::read(&self.trust)?;
        let call = self.call()?;
        let tls = self.identity.load(&session.clock)?;
        session.say(
            format_args!("{}; give it as --call-id to retry", call.id),
            format_args!("{}；重试时请以 --call-id 指定", call.id),
        );
        let node_id = self.node_id.clone();
        let verified = session.wait(async {
            let node = lingqu_client::Node::connect(&self.url, &tls, node_id, trust).await?;
            Ok::<Answered<Verdict>, Failure>(node.verify(&call).await?)
        })??;
        let kept = match &self.receipt {
            Some(path) => keep(path, &verified),
            None => Ok(()),
        };
        self.print(&verified, call.id, session)?;
        kept
    }

    fn call(&self) -> Result<Question, Failure> {
        let claims = match &self.claims {
            Some(path) => claim::from_json(&written::text(path)?)
                .map_err(|error| Failure::file(path, error))?,
            None => self.claim.clone(),
        };
        let (product, version) = self.product.clone();
        let asked = Asked {
            grant: self.grant.clone(),
            product,
            version,
            purpose: self.purpose.clone(),
            scenario: self.scenario.clone(),
            end_user: self.end_user.clone(),
            environment: self.env,
        };
        let claims: Vec<(String, ClaimValue)> = claims
            .into_iter()
            .map(|claim| (claim.field, claim.value))
            .collect();
        let mut call = Question::new(asked, claims);
        call.id = self.call_id.unwrap_or(call.id);
        call.as_of_min = self.as_of_min;
        call.lagged_accepted = self.accept_lagged;
        // What no node could read is refused here, where the words are, and not sent.
        let request = verify_request(call.id, &call.asked, &call.arguments, call.as_of_min);
        product_call(&request).map_err(|error| Failure::Unusable(error.to_string()))?;
        Ok(call)
    }

    fn print(
        &self,
        verified: &Answered<Verdict>,
        id: CallId,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let proven = &verified.proven;
        let level = level(proven.level);
        let mirrored = proven.mirrored_at.map(|time| time.to_string());
        let verdict = verified.value;
        if self.json {
            return session.json(&json!({
                "verdict": verdict.as_str(),
                "as_of": verified.loads[0].as_of.to_string(),
                "load": verified.loads[0].id.as_str(),
                "call_id": id.to_string(),
                "stream": verified.receipt.checkpoint.origin,
                "index": proven.record.index,
                "level": level,
                "mirrored_at": mirrored,
            }));
        }
        session.say(
            format_args!(
                "data as of {}; record {} proven at level {level}",
                verified.loads[0].as_of, proven.record.index
            ),
            format_args!(
                "数据日期 {}；第 {} 号记录已证明，级别 {level}",
                verified.loads[0].as_of, proven.record.index
            ),
        );
        session.line(verdict.as_str())
    }
}

/// `R1` or `R2`.
pub(crate) fn level(level: Level) -> &'static str {
    match level {
        Level::Local => "R1",
        Level::Mirrored => "R2",
    }
}

/// The receipt, and beside it the key that opens its commitments: for the owner alone, since with the claims it shows
/// what was asked about whom.
fn keep(path: &Path, verified: &Answered<Verdict>) -> Result<(), Failure> {
    let text = verified.receipt.tlog_proof().to_string();
    written::create(path, text.as_bytes(), Access::Everybody)?;
    let key = hex::encode(verified.opening_key) + "\n";
    written::create(
        &written::beside(path, "opening"),
        key.as_bytes(),
        Access::Owner,
    )
}
