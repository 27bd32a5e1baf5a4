//! `lingqu audit evidence make`: takes receipts, and records out of an archive, verifies each, and writes the package.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use lingqu_client::archive::{Headed, LogFiles, LogKind, ProveFailed, head_log_beside, receipt_of};
use lingqu_core::CallId;
use lingqu_core::receipt::Receipt;
use lingqu_core::record::{Field, Record};
use lingqu_core::trust::Trust;
use lingqu_tlog::{Intl, KeyName, Note, sign_note};
use lingqu_transport::signing_key;
use serde_json::json;

use super::manifest::{Manifest, digest, is_line};
use super::policies::Policies;
use super::report::{Item, chinese, english};
use super::{HEADS, LINKS, MANIFEST, RECEIPTS, RECEIPTS_MAX, REPORTS};
use crate::command::audit::archive;
use crate::command::audit::links::{Links, Named, tell};
use crate::command::audit::verify::{parse_all, pick, prove_receipt};
use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};

/// `audit evidence make --case N --document N --by WHO --key FILE --name NAME --trust FILE… [--receipt FILE]… [--archive DIR [--call ID]… [--grant ID]…] --out DIR`
#[derive(Args, Debug)]
pub(super) struct Make {
    /// Number of the case · 案件编号
    #[arg(long, value_name = "NUMBER")]
    pub(super) case: String,
    /// Number of the document that orders the extraction · 调取文书编号
    #[arg(long, value_name = "NUMBER")]
    pub(super) document: String,
    /// Who extracts, with office and name · 提取人（单位及姓名）
    #[arg(long, value_name = "WHO")]
    pub(super) by: String,
    /// The extractor's signing key · 提取人签名密钥
    #[arg(long, value_name = "FILE")]
    pub(super) key: PathBuf,
    /// The name under which that key signs · 签名密钥名称
    #[arg(long, value_name = "NAME")]
    pub(super) name: KeyName,
    /// Whose logs and cosignatures are believed; several · 信任文件，可多个
    #[arg(long = "trust", value_name = "FILE", required = true)]
    pub(super) trusts: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) links: Links,
    /// Also take a record that the mirror does not have, if the record says that the unit allows it · 接受滞后存证的记录
    #[arg(long)]
    pub(super) accept_lagged: bool,
    /// A receipt, or a file of receipts, to take; several · 收录的回执，可多个
    #[arg(long = "receipt", value_name = "FILE")]
    pub(super) receipts: Vec<PathBuf>,
    /// An archive to take records from · 审计日志归档
    #[arg(long, value_name = "DIR")]
    pub(super) archive: Option<PathBuf>,
    /// Take the records of this call; several · 收录该次调用的记录，可多个
    #[arg(long = "call", value_name = "CALL_ID", requires = "archive")]
    pub(super) calls: Vec<CallId>,
    /// Take every record of this grant; several · 收录该授权令牌的全部记录，可多个
    #[arg(long = "grant", value_name = "GRANT_ID", requires = "archive")]
    pub(super) grants: Vec<String>,
    /// Where the package goes; it must not exist yet · 证据包目录（须为新目录）
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

/// Files of a package: path and text.
type Files = Vec<(String, String)>;

impl Make {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        written::must_be_new(&self.out)?;
        for (name, text) in [
            ("--case", &self.case),
            ("--document", &self.document),
            ("--by", &self.by),
        ] {
            if !is_line(text) {
                return Err(Failure::Unusable(format!(
                    "`{name}` must be one line of text"
                )));
            }
        }
        let key = signing_key::read(&self.key).map_err(Failure::key)?;
        let mut links = self.links.read()?;
        let (trusts, steps) = links.follow(&self.links.trusts(&self.trusts)?)?;
        tell(&steps, session);
        let (receipts, trusts) = self.collect(&trusts, &mut links)?;
        let policies = Policies::used(&self.trusts, &receipts)?;
        let (mut files, items) = self.prove(&receipts, &trusts, &policies)?;
        files.extend(policies.files());
        files.extend(links.receipts().iter().zip(1..).map(|(link, number)| {
            let path = format!("{LINKS}/{number:05}.txt");
            (path, link.tlog_proof().to_string())
        }));
        let extracted_at = session.clock.now().to_string();
        let (files, manifest) = self.describe(files, &items, extracted_at);
        let text = manifest.to_text();
        let signature = sign_note::<Intl>(&text, &self.name, &key)
            .map_err(|error| Failure::Unusable(error.to_string()))?;
        let signatures = vec![signature];
        write(&self.out, &files, &Note { text, signatures })?;
        let count = items.len();
        session.answer(
            format_args!("{}", self.out.display()),
            &json!({ "records": count, "out": self.out.display().to_string() }),
        )?;
        session.say(
            format_args!("{count} records, each proven"),
            format_args!("共 {count} 条记录，均已证明"),
        );
        Ok(())
    }

    /// Each receipt as a file of the package, and what it proves.
    fn prove(
        &self,
        receipts: &[Receipt],
        trusts: &[Trust<Intl>],
        policies: &Policies,
    ) -> Result<(Files, Vec<Item>), Failure> {
        let mut files = Files::new();
        let mut items = Vec::with_capacity(receipts.len());
        for (receipt, number) in receipts.iter().zip(1..) {
            if pick(trusts, &receipt.checkpoint.origin).is_none() {
                return Err(Failure::Unusable("`--trust` is missing".to_owned()));
            }
            let path = format!("{RECEIPTS}/{number:05}.txt");
            items.push(Item {
                path: path.clone(),
                stream: receipt.checkpoint.origin.clone(),
                proven: prove_receipt(receipt, trusts, self.accept_lagged)?,
                witnessed: policies.witnessed(receipt, trusts)?,
            });
            files.push((path, receipt.to_text()));
        }
        Ok((files, items))
    }

    /// Adds the reports, and lists everything in the manifest.
    fn describe(
        &self,
        mut files: Files,
        items: &[Item],
        extracted_at: String,
    ) -> (Files, Manifest) {
        let mut manifest = Manifest {
            case: self.case.clone(),
            document: self.document.clone(),
            extracted_by: self.by.clone(),
            extracted_at,
            files: Vec::new(),
        };
        files.push((REPORTS[0].to_owned(), english(&manifest, items)));
        files.push((REPORTS[1].to_owned(), chinese(&manifest, items)));
        files.sort();
        let digests = files
            .iter()
            .map(|(path, text)| (path.clone(), digest(text.as_bytes())));
        manifest.files = digests.collect();
        (files, manifest)
    }

    /// The receipts that were named, and those that the archive proves; the trust after it, and the links in it.
    fn collect(
        &self,
        trusts: &[Trust<Intl>],
        links: &mut Named,
    ) -> Result<(Vec<Receipt>, Vec<Trust<Intl>>), Failure> {
        let mut trusts = trusts.to_vec();
        let mut receipts = Vec::new();
        for path in &self.receipts {
            let bytes = fs::read(path).map_err(|error| Failure::unreadable(path, error))?;
            receipts.extend(parse_all(&bytes)?);
        }
        if let Some(dir) = &self.archive {
            // The whole archive must hold, or "every record of this grant" would mean nothing.
            let verified = archive::check(dir, &trusts, &links.records)?;
            let logs = verified.logs.iter();
            for report in logs.filter(|report| report.kind == LogKind::Stream) {
                self.take_from(&dir.join(&report.origin), &mut receipts)?;
            }
            for step in &verified.steps {
                let log = dir.join(step.next.name().as_str());
                // A step that a link of the command line proved has its receipt already.
                if log.is_dir() && !links.lead_to(step) {
                    let log = LogFiles::open(&log).map_err(archive::failed)?;
                    // A link is a step between streams, which no head log has a part in.
                    let link = receipt_of(&log, None, 0);
                    links.push(link.map_err(|error| Failure::Unusable(error.to_string()))?)?;
                }
            }
            trusts = verified.trusts;
        }
        if receipts.is_empty() {
            return Err(Failure::Unusable(
                "no record was named, or none was found".to_owned(),
            ));
        }
        if receipts.len() > RECEIPTS_MAX {
            return Err(Failure::Unusable(format!(
                "more than {RECEIPTS_MAX} records"
            )));
        }
        Ok((receipts, trusts))
    }

    fn take_from(&self, dir: &Path, receipts: &mut Vec<Receipt>) -> Result<(), Failure> {
        let log = LogFiles::open(dir).map_err(archive::failed)?;
        let mut wanted = Vec::new();
        let found = log.check(|index, entry, _| {
            if Record::decode::<Intl>(entry).is_ok_and(|record| self.wants(&record)) {
                wanted.push(index);
            }
            Ok(())
        });
        found.map_err(archive::failed)?;
        // One more than there may be is enough to refuse.
        wanted.truncate((RECEIPTS_MAX + 1).saturating_sub(receipts.len()));
        receipts.extend(receipts_of(dir, &log, &wanted)?);
        Ok(())
    }

    fn wants(&self, record: &Record) -> bool {
        let grant = record.draft.clear.get_text(Field::Grant);
        let is_call = record.draft.call != CallId::NONE && self.calls.contains(&record.draft.call);
        is_call || grant.is_some_and(|grant| self.grants.iter().any(|wanted| wanted == grant))
    }
}

/// The receipts of records that the archive has, with the head log's proofs where it has those too.
fn receipts_of(dir: &Path, log: &LogFiles, wanted: &[u64]) -> Result<Vec<Receipt>, Failure> {
    let unusable = |error: ProveFailed| Failure::Unusable(error.to_string());
    let headed = head_log_beside(dir, log).map(|heads| Headed::newest(&heads, log));
    let headed = headed.transpose().map_err(unusable)?.flatten();
    let receipts = wanted
        .iter()
        .map(|index| receipt_of(log, headed.as_ref(), *index));
    receipts.collect::<Result<_, _>>().map_err(unusable)
}

/// Writes the package; the manifest last, without which it is none.
fn write(out: &Path, files: &[(String, String)], manifest: &Note) -> Result<(), Failure> {
    let has_links = files.iter().any(|(path, _)| path.starts_with(LINKS));
    let links = has_links.then_some(LINKS);
    let has_heads = files.iter().any(|(path, _)| path.starts_with(HEADS));
    let heads = has_heads.then_some(HEADS);
    for dir in [Some(RECEIPTS), links, heads].into_iter().flatten() {
        let dir = out.join(dir);
        fs::create_dir_all(&dir).map_err(|error| Failure::unwritable(&dir, error))?;
    }
    for (path, text) in files {
        written::create(&out.join(path), text.as_bytes(), Access::Everybody)?;
    }
    let path = out.join(MANIFEST);
    written::create(&path, manifest.to_string().as_bytes(), Access::Everybody)
}
