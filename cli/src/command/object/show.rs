//! `show`: what an object says and who signed it. The TOML that it prints says the same object again.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::envelope::Envelope;
use lingqu_core::grant::Filing;
use serde_json::{Value, json};

use crate::document::{self, Document};
use crate::envelope_file;
use crate::failure::Failure;
use crate::session::Session;

/// `show X.env [--json]`
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The object · 对象文件
    #[arg(value_name = "X.env")]
    pub(super) file: PathBuf,
    /// One JSON object instead of TOML · 输出 JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Show {
    pub(crate) fn run<T: Document>(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let envelope = envelope_file::read(&self.file)?;
        let object: T = document::open(&self.file, &envelope)?;
        let filing = self.filing(&envelope)?;
        session.say(
            "`fits` says that a signature belongs to the key beside it; whose key that is, only pinned keys say",
            "fits 仅表示签名与所附公钥相符；公钥属于谁，须以预置密钥核对",
        );
        let written = object.to_written();
        if self.json {
            return session.json(&json!({
                "type": envelope.payload_type,
                "digest": envelope.digest().to_string(),
                "payload": written,
                "signatures": signatures(&envelope),
                "filing": filing,
            }));
        }
        session.line(format_args!("# {}", envelope.payload_type))?;
        session.line(format_args!("# digest {}", envelope.digest()))?;
        for signature in &envelope.signatures {
            let fits = if envelope_file::fits(&envelope, signature) {
                "fits"
            } else {
                "DOES NOT FIT"
            };
            let key = hex::encode(&signature.public_key);
            session.line(format_args!(
                "# signature by {} with key {key}: {fits}",
                signature.signer
            ))?;
        }
        if let Some(filing) = filing {
            session.line(format_args!("# filing {filing}"))?;
        }
        let text = toml::to_string(&written).map_err(|error| Failure::file(&self.file, error))?;
        session.line(text.trim_end())
    }

    /// The filing beside the object, if there is one. Its signature is for `grant check` to check.
    fn filing(&self, envelope: &Envelope) -> Result<Option<Value>, Failure> {
        let Some(sealed) = envelope_file::filing_beside(&self.file)? else {
            return Ok(None);
        };
        let filing: Filing = lingqu_proto::open(&sealed)
            .map_err(|error| Failure::file(&envelope_file::filing_of(&self.file), error))?;
        let of_this = filing.object_digest == envelope.digest();
        Ok(Some(json!({
            "number": filing.number,
            "filed": filing.filed.to_string(),
            "coordinator": filing.coordinator.as_str(),
            "of_this_object": of_this,
        })))
    }
}

fn signatures(envelope: &Envelope) -> Vec<Value> {
    let signature = |signature| {
        let fits = envelope_file::fits(envelope, signature);
        json!({
            "signer": signature.signer,
            "public_key": hex::encode(&signature.public_key),
            "fits": fits,
        })
    };
    envelope.signatures.iter().map(signature).collect()
}
