//! `lingqu audit trust`: a trust file with the streams that follow those it has, once every step to them is proven.
//!
//! The file is given back as it is, with a `log` line for each later stream. So a reader keeps a trust file up to date
//! without asking anybody for a key: no key is added without the proof that the stream before has named it.

use std::path::PathBuf;

use clap::Args;
use lingqu_client::succession::{Step, forked, trust_lines};
use lingqu_client::{Node, archive};
use lingqu_core::NodeId;
use lingqu_core::trust::Trust;
use lingqu_tlog::Intl;

use super::archive::failed;
use super::links::{self, Named, UnitKeys, tell};
use crate::connection::Identity;
use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};

/// `audit trust --trust FILE (--archive DIR | --proof FILE | --node URL …)… [--head-trust FILE]… [--unit-key PARTY_ID=HEX]… [--out FILE]`
#[derive(Args, Debug)]
pub(crate) struct TrustCommand {
    /// The trust file to begin with · 现有信任文件
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    #[command(flatten)]
    from: From,
    /// Trust file of the head logs in an archive; several · 归档中头部日志的信任文件，可多个
    #[arg(long = "head-trust", value_name = "FILE", requires = "archives")]
    head_trusts: Vec<PathBuf>,
    /// The id that the node's certificate must carry, `node_…` · 节点标识
    #[arg(long, value_name = "NODE", requires = "node")]
    node_id: Option<NodeId>,
    /// Own certificate and intermediate ones, PEM; for --node · 本方证书
    #[arg(long, value_name = "FILE", requires = "node")]
    cert: Option<PathBuf>,
    /// Private key of the certificate, PEM; for --node · 证书私钥
    #[arg(long, value_name = "FILE", requires = "node")]
    key: Option<PathBuf>,
    /// Certificates of the authority that vouches for the node, PEM · 受信任的签发机构
    #[arg(long, value_name = "FILE", requires = "node")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    units: UnitKeys,
    /// Where the new file goes, which must not exist yet; otherwise to standard output · 输出文件（须为新文件）
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct From {
    /// An archive with streams that follow trusted ones; all of it must hold; several · 含后续日志流的归档，可多个
    #[arg(long = "archive", value_name = "DIR", id = "archives")]
    archives: Vec<PathBuf>,
    /// Receipt of the first record of such a stream; several · 后续日志流首条记录的回执，可多个
    #[arg(long = "proof", value_name = "FILE")]
    proofs: Vec<PathBuf>,
    /// A node, which hands out how its streams follow each other; with --node-id, --cert, --key and --ca · 节点地址，由其给出衔接证明
    #[arg(long = "node", value_name = "URL", requires_all = ["node_id", "cert", "key", "ca"])]
    node: Option<String>,
}

impl TrustCommand {
    pub(super) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let text = written::text(&self.trust)?;
        let trust = self.units.read(&self.trust)?;
        let mut named = Named::default();
        for path in &self.from.proofs {
            if path.is_dir() {
                return Err(Failure::file(
                    path,
                    "is a directory: give it with `--archive`",
                ));
            }
            named.read(path)?;
        }
        let (mut trusts, mut steps) = named.follow(std::slice::from_ref(&trust))?;
        for head_trust in &self.head_trusts {
            trusts.push(self.units.read(head_trust)?);
        }
        for dir in &self.from.archives {
            let verified = archive::verify(dir, &trusts, &named.records).map_err(failed)?;
            for end in &verified.dropped {
                links::check_dropped(end, session)?;
                links::tell_dropped(end, session);
            }
            links::check_on_record(verified.off_record.iter().map(String::as_str))?;
            trusts = verified.trusts;
            steps.extend(verified.steps);
        }
        steps.extend(self.ask_node(&trust, session)?);
        if let Some(ended) = forked(&steps) {
            return Err(Failure::CheckFailed {
                en: format!(
                    "two ends of the stream `{ended}` are shown: its key has signed two histories"
                ),
                zh: "同一日志流出现两个终点：其密钥签署了两份历史",
            });
        }
        let (added, more) = trust_lines(&trust, &steps);
        tell(&added, session);
        match added.len() {
            0 => session.say(
                "nothing was added: the file has every stream that is proven there",
                "无需补充：信任文件已含其中可证明的全部日志流",
            ),
            count => session.say(
                format_args!("{count} streams were added, each proven by the one before"),
                format_args!("新增 {count} 个日志流，均由前序流证明"),
            ),
        }
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        let text = format!("{text}{newline}{more}");
        // What is written reads back: a file that was full before is not made unreadable.
        Trust::<Intl>::parse(&text).map_err(|error| Failure::Unusable(error.to_string()))?;
        match &self.out {
            Some(path) => written::create(path, text.as_bytes(), Access::Everybody),
            None => session.line(text.trim_end_matches('\n')),
        }
    }
}

impl TrustCommand {
    /// The steps that a node's own links prove; none if no node was named.
    fn ask_node(
        &self,
        trust: &Trust<Intl>,
        session: &mut Session<'_>,
    ) -> Result<Vec<Step>, Failure> {
        let (Some(url), Some(id)) = (&self.from.node, &self.node_id) else {
            return Ok(Vec::new());
        };
        let (Some(cert), Some(key), Some(ca)) = (&self.cert, &self.key, &self.ca) else {
            return Ok(Vec::new());
        };
        let identity = Identity {
            cert: cert.clone(),
            key: key.clone(),
            ca: ca.clone(),
        };
        let tls = identity.load(&session.clock)?;
        session.wait(async {
            let node = Node::connect(url, &tls, id.clone(), trust.clone()).await?;
            Ok::<_, Failure>(node.follow().await?)
        })?
    }
}

#[cfg(test)]
mod tests;
