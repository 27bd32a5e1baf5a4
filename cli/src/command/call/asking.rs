//! What every call states, and what is done with every answer, whatever it is: it is shown with the place of its record,
//! and its receipt is kept where the caller wants it.

use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_client::succession::{Step, trust_lines};
use lingqu_client::{Answered, CallFailed, Node, Question};
use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_core::product::ProductRef;
use lingqu_core::receipt::Level;
use lingqu_core::trust::Trust;
use lingqu_core::{CallId, GrantId, NodeId, ProductId, Timestamp};
use lingqu_proto::{CallRequest, ClaimValue, product_call, product_ref};
use lingqu_tlog::Intl;
use serde_json::{Value, json};

use crate::claim::{self, Claim};
use crate::command::audit::links::{UnitKeys, tell};
use crate::connection::Identity;
use crate::failure::Failure;
use crate::session::Session;
use crate::trust_file;
use crate::written::{self, Access};

/// Whom to ask, as whom, under which terms.
#[derive(Args, Debug)]
pub(super) struct Asking {
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
    /// Add to the trust file the streams that follow those in it, once the node has proven them · 将已证明的后续日志流补入信任文件
    #[arg(long)]
    update_trust: bool,
    #[command(flatten)]
    units: UnitKeys,
    /// Whose head logs and witnesses are believed: needed where the product's terms are `witnessed` · 头部日志信任文件
    #[arg(long, value_name = "FILE")]
    head_trust: Option<PathBuf>,
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

/// The request that goes over the wire for a question.
pub(super) type Wire<R> = fn(CallId, &Asked, &[(String, ClaimValue)], Option<Timestamp>) -> R;

impl Asking {
    /// Asks. `arguments` are the product's, `wire` and `ask` the kind's own request and method.
    pub(super) fn ask<R: CallRequest, T>(
        &self,
        arguments: Vec<Claim>,
        wire: Wire<R>,
        ask: impl AsyncFnOnce(Node, &Question) -> Result<Answered<T>, CallFailed>,
        session: &mut Session<'_>,
    ) -> Result<(Question, Answered<T>), Failure> {
        // An answer that was charged for must not be lost because its receipt has no place.
        if let Some(path) = &self.receipt {
            written::must_be_new(path)?;
            written::must_be_new(&written::beside(path, "opening"))?;
        }
        let trust = self.units.read(&self.trust)?;
        let heads = self
            .head_trust
            .as_deref()
            .map(trust_file::read)
            .transpose()?;
        let question = self.question(arguments);
        // What no node could read is refused here, where the words are, and not sent.
        let request = wire(
            question.id,
            &question.asked,
            &question.arguments,
            question.as_of_min,
        );
        product_call(&request).map_err(|error| Failure::Unusable(error.to_string()))?;
        let tls = self.identity.load(&session.clock)?;
        session.say(
            format_args!("{}; give it as --call-id to retry", question.id),
            format_args!("{}；重试时请以 --call-id 指定", question.id),
        );
        let node_id = self.node_id.clone();
        let answered = session.wait(async {
            let node = Node::connect(&self.url, &tls, node_id, trust).await?;
            let node = match heads {
                Some(heads) => node.with_heads(heads),
                None => node,
            };
            let followed = node.clone();
            let answered = ask(node, &question).await;
            // What was proven of the streams is told whatever came of the call.
            Ok::<_, Failure>((answered, followed.followed()))
        })??;
        let (answered, steps) = answered;
        tell(&steps, session);
        let answered = answered?;
        // The answer is paid for: what becomes of the file must not take it away.
        if self.update_trust
            && let Err(failure) = self.update(&steps, session)
        {
            let reason = failure.reason();
            session.say(
                format_args!("the trust file is as it was: {reason}"),
                format_args!("信任文件未改动：{reason}"),
            );
        }
        Ok((question, answered))
    }

    /// Adds the streams that were followed to the trust file. The file is replaced as a whole, so that none ever reads half.
    fn update(&self, steps: &[Step], session: &mut Session<'_>) -> Result<(), Failure> {
        let text = written::text(&self.trust)?;
        let trust = trust_file::read(&self.trust)?;
        let (added, more) = trust_lines(&trust, steps);
        if added.is_empty() {
            return Ok(());
        }
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        let text = format!("{text}{newline}{more}");
        // What is written reads back.
        Trust::<Intl>::parse(&text).map_err(|error| Failure::file(&self.trust, error))?;
        written::replace(&self.trust, text.as_bytes())?;
        let (count, file) = (added.len(), self.trust.display());
        session.say(
            format_args!("{count} streams were added to `{file}`, each proven by the one before"),
            format_args!("已向 `{file}` 补入 {count} 个日志流，均由前序流证明"),
        );
        Ok(())
    }

    fn question(&self, arguments: Vec<Claim>) -> Question {
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
        let arguments = arguments
            .into_iter()
            .map(|claim| (claim.field, claim.value));
        let mut question = Question::new(asked, arguments.collect());
        question.id = self.call_id.unwrap_or(question.id);
        question.as_of_min = self.as_of_min;
        question.lagged_accepted = self.accept_lagged;
        question
    }

    /// Keeps the receipt if that was asked for; what became of that is told after the answer, which must not be lost.
    pub(super) fn keep<T>(&self, answered: &Answered<T>) -> Result<(), Failure> {
        match &self.receipt {
            Some(path) => keep(path, answered),
            None => Ok(()),
        }
    }
}

/// Says from which data an answer is, and how well its record is proven.
pub(super) fn say_where<T>(answered: &Answered<T>, session: &mut Session<'_>) {
    let (as_of, index) = (oldest(answered), answered.proven.record.index);
    let level = level(answered.proven.level);
    session.say(
        format_args!("data as of {as_of}; record {index} proven at level {level}"),
        format_args!("数据日期 {as_of}；第 {index} 号记录已证明，级别 {level}"),
    );
}

/// The same for programs, to which each kind adds its answer.
pub(super) fn place<T>(question: &Question, answered: &Answered<T>) -> Value {
    let proven = &answered.proven;
    json!({
        "as_of": oldest(answered),
        "load": answered.loads.first().map(|load| load.id.as_str()),
        "call_id": question.id.to_string(),
        "stream": answered.receipt.checkpoint.origin,
        "index": proven.record.index,
        "level": level(proven.level),
        "mirrored_at": proven.mirrored_at.map(|time| time.to_string()),
    })
}

/// The date that the oldest of the loads speaks for.
fn oldest<T>(answered: &Answered<T>) -> String {
    let oldest = answered.loads.iter().map(|load| load.as_of).min();
    oldest.map_or_else(String::new, |as_of| as_of.to_string())
}

/// The arguments of a call, from the command line or from a file.
pub(super) fn arguments(words: &[Claim], file: Option<&Path>) -> Result<Vec<Claim>, Failure> {
    match file {
        Some(path) => {
            claim::from_json(&written::text(path)?).map_err(|error| Failure::file(path, error))
        }
        None => Ok(words.to_vec()),
    }
}

/// `R1`, `R2` or `R3`.
pub(crate) fn level(level: Level) -> &'static str {
    match level {
        Level::Local => "R1",
        Level::Mirrored => "R2",
        Level::Witnessed => "R3",
    }
}

/// The receipt, and beside it the key that opens its commitments: for the owner alone, since with the claims it shows
/// what was asked about whom.
fn keep<T>(path: &Path, verified: &Answered<T>) -> Result<(), Failure> {
    let text = verified.receipt.to_text();
    written::create(path, text.as_bytes(), Access::Everybody)?;
    let key = hex::encode(verified.opening_key) + "\n";
    written::create(
        &written::beside(path, "opening"),
        key.as_bytes(),
        Access::Owner,
    )
}
