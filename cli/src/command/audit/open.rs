//! `lingqu audit open`: a regulator has the node open what it keeps of a grant's calls.
//!
//! The order is signed with the regulator's approval key, the answer opened with its sealing key. The node records the
//! order first; that it did is checked here. Each body is then held against the call's record in an archive: one that the
//! record does not commit to is not shown.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_client::archive::{LogFiles, LogKind};
use lingqu_client::bodies::{self, Compared, OpenFailed, SealingKey};
use lingqu_core::body::{Body, BodyAct, BodyOrder, Day};
use lingqu_core::record::Record;
use lingqu_core::{GrantId, NodeId, PartyId};
use lingqu_tlog::Intl;
use lingqu_transport::{PeerId, signing_key};
use serde_json::json;

use super::archive;
use super::disclose::{shown_answer, shown_request};
use crate::connection::SigningIdentity;
use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};
use crate::{body_order, record_json, trust_file};

/// `audit open --node URL --node-id NODE --by PARTY --key approval.key --sealing-key FILE … --grant G --from DAY --to DAY`
#[derive(Args, Debug)]
pub(super) struct Open {
    /// Where the node is, `https://host:port` · 节点地址
    #[arg(long = "node", value_name = "URL")]
    url: String,
    /// The id that its certificate must carry, `node_…` · 节点标识
    #[arg(long, value_name = "NODE_ID")]
    node_id: NodeId,
    /// The regulator, `party_…` · 监管部门标识
    #[arg(long, value_name = "PARTY")]
    by: PartyId,
    /// Its approval key, which signs the order · 签署指令的审批密钥
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its sealing key, to which the node has sealed · 封装密钥
    #[arg(long, value_name = "FILE")]
    sealing_key: PathBuf,
    #[command(flatten)]
    identity: SigningIdentity,
    /// Whose logs and cosignatures are believed · 信任文件
    #[arg(long = "trust", value_name = "FILE", required = true)]
    trusts: Vec<PathBuf>,
    /// An archive with the node's stream, as `audit export` writes it · 含该节点日志流的归档
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The grant · 授权
    #[arg(long, value_name = "GRANT")]
    grant: GrantId,
    /// First day of the calls, in UTC+8 · 起始日
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Day,
    /// Last day of the calls · 截止日
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Day,
    /// Why, for example the case's number; stands in the record · 事由（如案号），将写入日志
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Where the opened calls go; it must not exist yet · 输出目录（须为新目录）
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Open {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        written::must_be_new(&self.out)?;
        let signer = signing_key::read(&self.key).map_err(Failure::key)?;
        let sealing = SealingKey::parse(&written::text(&self.sealing_key)?).map_err(|error| {
            Failure::key(format_args!("`{}`: {error}", self.sealing_key.display()))
        })?;
        let trusts: Vec<_> = self
            .trusts
            .iter()
            .map(|path| trust_file::read(path))
            .collect::<Result<_, Failure>>()?;
        let order = BodyOrder {
            by: self.by.clone(),
            node: self.node_id.clone(),
            issued: session.clock.now(),
            grant: self.grant.clone(),
            days: body_order::days(self.from, self.to)?,
            act: BodyAct::Open,
            reason: self.reason.clone(),
        };
        // The whole archive must hold before anything is held against it, and before the order is given.
        let verified = archive::check(&self.archive, &trusts, &[])?;
        let (reports, trusts) = (verified.logs, verified.trusts);
        let envelope = body_order::sign(&order, &signer)?;
        let tls = crate::connection::Identity::from(self.identity.clone()).load(&session.clock)?;
        let handed = session.wait(async {
            let expected = PeerId::Node(self.node_id.clone());
            let channel = lingqu_transport::connect(&self.url, &tls, expected).await?;
            bodies::order(channel, &envelope).await.map_err(failed)
        })??;
        let origin = handed.receipt.checkpoint.origin.clone();
        let refused = |why: &dyn std::fmt::Display| Failure::CheckFailed {
            en: format!("the opening is not proven to be on record: {why}"),
            zh: "无法证明本次调阅已记录在案",
        };
        let trust = super::verify::pick(&trusts, &origin)
            .ok_or_else(|| refused(&"no trust file has the stream"))?;
        handed
            .check_receipt(trust, &envelope)
            .map_err(|why| refused(&why))?;
        let is_there = |report: &lingqu_client::archive::LogReport| {
            report.kind == LogKind::Stream && report.origin == origin
        };
        if !reports.iter().any(is_there) {
            return Err(Failure::Unusable(format!(
                "the archive has no stream `{origin}`"
            )));
        }
        let log = LogFiles::open(&self.archive.join(&origin)).map_err(archive::failed)?;
        let records = records(&log)?;
        let compared = bodies::compare(&order, handed.open(&order, &sealing), &records);
        make_dir(&self.out)?;
        let receipt = handed.receipt.tlog_proof().to_string();
        written::create(
            &self.out.join("order.receipt"),
            receipt.as_bytes(),
            Access::Owner,
        )?;
        for (record, body) in &compared.proven {
            write(&self.out, &log, record, body)?;
        }
        self.report(&compared, session)
    }

    fn report(&self, compared: &Compared, session: &mut Session<'_>) -> Result<(), Failure> {
        let (proven, missing, stray) = (
            compared.proven.len(),
            compared.missing.len(),
            compared.stray,
        );
        session.answer(
            format_args!("{}", self.out.display()),
            &json!({
                "opened": proven,
                "missing": compared.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "stray": stray,
                "out": self.out.display().to_string(),
            }),
        )?;
        session.say(
            format_args!("{proven} calls opened, each held against its record; {missing} missing, {stray} without a record"),
            format_args!("已调阅 {proven} 次调用，均与日志记录核对一致；缺失 {missing} 次，无对应记录 {stray} 次"),
        );
        if missing == 0 {
            return Ok(());
        }
        // The record says that a body is kept: it was erased, its key is lost, or the node withholds it.
        Err(Failure::CheckFailed {
            en: format!("{missing} calls whose records say that a body is kept were not opened"),
            zh: "部分调用的记录载明已留存内容，但未能打开（已删除、密钥遗失或节点未提供）",
        })
    }
}

fn records(log: &LogFiles) -> Result<Vec<Record>, Failure> {
    let mut records = Vec::new();
    let read = log.check(|_, entry, _| {
        if let Ok(record) = Record::decode::<Intl>(entry) {
            records.push(record);
        }
        Ok(())
    });
    read.map_err(archive::failed)?;
    Ok(records)
}

/// `CALL.json` with everything, and `CALL.receipt`: for the owner alone.
fn write(out: &Path, log: &LogFiles, record: &Record, body: &Body) -> Result<(), Failure> {
    let call = record.draft.call.to_string();
    let value = json!({
        "record": record_json::of(record),
        "opening_key": hex::encode(body.opening_key),
        "request_hex": hex::encode(&body.request),
        "answer_hex": hex::encode(&body.answer),
        "request": shown_request(&body.request),
        "answer": shown_answer(record, &body.answer),
    });
    let text = format!("{value:#}\n");
    written::create(
        &out.join(format!("{call}.json")),
        text.as_bytes(),
        Access::Owner,
    )?;
    let proof = log.prove_entry(record.index);
    let proof = proof.map_err(|error| Failure::Unusable(error.to_string()))?;
    let path = out.join(format!("{call}.receipt"));
    written::create(&path, proof.to_string().as_bytes(), Access::Owner)
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::unwritable(path, error))
}

fn failed(error: OpenFailed) -> Failure {
    match error {
        OpenFailed::Refused { code } => Failure::refused(code),
        OpenFailed::Broken(why) => Failure::Unreachable(why),
        OpenFailed::TooMuch => Failure::Unusable(error.to_string()),
    }
}
