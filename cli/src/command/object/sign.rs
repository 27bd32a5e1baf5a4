//! `sign`: adds a signature to an object, in place.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::PartyId;
use lingqu_core::envelope::SignedBy;
use lingqu_tlog::Signer;
use lingqu_transport::signing_key;
use serde_json::json;

use crate::document::{self, Document};
use crate::envelope_file;
use crate::failure::Failure;
use crate::session::Session;

/// `sign X.env --key approval.key --as party_id`
#[derive(Args, Debug)]
pub(crate) struct Sign {
    /// The object · 对象文件
    #[arg(value_name = "X.env")]
    pub(super) file: PathBuf,
    /// The party's approval key · 审批密钥
    #[arg(long, value_name = "FILE")]
    pub(super) key: PathBuf,
    /// The party that signs, `party_…` · 签名方
    #[arg(long = "as", value_name = "PARTY")]
    pub(super) signer: PartyId,
}

impl Sign {
    pub(crate) fn run<T: Document>(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let mut envelope = envelope_file::read(&self.file)?;
        // Nobody signs what could not be read back as what it was called.
        document::open::<T>(&self.file, &envelope)?;
        let key = signing_key::read(&self.key).map_err(Failure::key)?;
        let digest = envelope.digest();
        if envelope.signed_by(key.public_key()) == SignedBy::Yes {
            session.say("signed with this key already", "该密钥已签名");
            return session.answer(
                digest,
                &json!({ "digest": digest.to_string(), "signed": false }),
            );
        }
        // A signature by this key that does not fit is replaced by one that does.
        envelope
            .signatures
            .retain(|signature| signature.public_key != key.public_key());
        envelope.sign(self.signer.as_str(), &key);
        envelope_file::replace(&self.file, &envelope)?;
        session.say(
            format_args!("signed as {}", self.signer),
            format_args!("已以 {} 的名义签名", self.signer),
        );
        session.answer(
            digest,
            &json!({ "digest": digest.to_string(), "signed": true }),
        )
    }
}
