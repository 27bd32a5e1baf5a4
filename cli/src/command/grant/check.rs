//! `lingqu grant check`: which signatures hold against the keys that a node pinned, and what the node would say.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Grant;
use lingqu_node::NodeConfig;
use lingqu_node::admission::holdings::{Holdings, Pinned};
use serde_json::json;

use crate::document;
use crate::envelope_file;
use crate::failure::Failure;
use crate::session::Session;

/// `grant check X.env --node node.toml [--filing X.filing] [--json]`
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The grant · 授权令牌文件
    #[arg(value_name = "X.env")]
    file: PathBuf,
    /// The node's configuration, for the keys that it pins · 节点配置文件
    #[arg(long, value_name = "node.toml")]
    node: PathBuf,
    /// The filing; by default X.filing if it is there · 备案凭据
    #[arg(long, value_name = "X.filing")]
    filing: Option<PathBuf>,
    /// One JSON object · 输出 JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let config =
            NodeConfig::read(&self.node).map_err(|error| Failure::Unusable(error.to_string()))?;
        let pinned = pinned(&config);
        let envelope = envelope_file::read(&self.file)?;
        let grant: Grant = document::open(&self.file, &envelope)?;
        let filing = self.read_filing()?;
        let signatures = signatures(&pinned, &envelope, &grant, filing.as_ref());
        let verdict = Holdings::default().adopt(&pinned, &envelope, filing.as_ref());
        let code = verdict.err();
        if self.json {
            let signatures: serde_json::Map<_, _> = signatures
                .into_iter()
                .map(|(who, word)| (who.to_owned(), word.into()))
                .collect();
            session.json(&json!({
                "grant": grant.id.as_str(),
                "node": pinned.node.as_str(),
                "signatures": signatures,
                "code": code.map(|code| code.as_str()),
            }))?;
        } else {
            for (who, word) in signatures {
                session.line(format_args!("{who}: {word}"))?;
            }
            let verdict = code.map_or("ACCEPTED", |code| code.as_str());
            session.line(format_args!("{}: {verdict}", pinned.node))?;
        }
        match code {
            None => Ok(()),
            Some(code) => Err(Failure::refused(code)),
        }
    }

    fn read_filing(&self) -> Result<Option<Envelope>, Failure> {
        match &self.filing {
            Some(path) => envelope_file::read(path).map(Some),
            None => envelope_file::filing_beside(&self.file),
        }
    }
}

/// The keys that the node pinned.
fn pinned(config: &NodeConfig) -> Pinned {
    let agencies = config.trust.agencies.iter();
    Pinned {
        node: config.id.clone(),
        unit: config.unit.clone(),
        unit_key: config.trust.unit_key.clone(),
        agencies: agencies
            .map(|agency| (agency.id.clone(), agency.key.clone()))
            .collect(),
        coordinator_key: config.trust.coordinator_key.clone(),
    }
}

/// Who must have signed, and whether it did.
fn signatures(
    pinned: &Pinned,
    envelope: &Envelope,
    grant: &Grant,
    filing: Option<&Envelope>,
) -> [(&'static str, &'static str); 4] {
    let agency = match pinned.agencies.get(&grant.agency) {
        Some(key) => envelope_file::word(envelope.signed_by(key)),
        None => "not an agency that the node accepts",
    };
    let filing = match filing {
        Some(filing) => envelope_file::word(filing.signed_by(&pinned.coordinator_key)),
        None => "missing",
    };
    [
        (
            "unit",
            envelope_file::word(envelope.signed_by(&pinned.unit_key)),
        ),
        ("agency", agency),
        (
            "licensee",
            envelope_file::word(envelope.signed_by(&grant.licensee_key)),
        ),
        ("filing", filing),
    ]
}

#[cfg(test)]
mod tests;
