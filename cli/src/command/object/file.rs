//! `file`: files an object with the coordinator and keeps the filing beside it.

use std::path::PathBuf;

use clap::Args;
use lingqu_core::grant::Filing;
use lingqu_proto::pb::registry_client::RegistryClient;
use lingqu_proto::{envelope_from_pb, envelope_to_pb, open, pb};
use serde_json::json;

use crate::connection::{CoordinatorAt, Identity};
use crate::document::{self, Document};
use crate::failure::Failure;
use crate::session::Session;
use crate::{envelope_file, written};

/// `file X.env --coordinator URL --id COORD_ID --cert … --key … --ca …`
#[derive(Args, Debug)]
pub(crate) struct File {
    /// The signed object · 已签名对象
    #[arg(value_name = "X.env")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) coordinator: CoordinatorAt,
    #[command(flatten)]
    pub(super) identity: Identity,
}

impl File {
    pub(super) fn run<T: Document>(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let envelope = envelope_file::read(&self.file)?;
        document::open::<T>(&self.file, &envelope)?;
        let tls = self.identity.load(&session.clock)?;
        let response = session.wait(async {
            let mut registry = RegistryClient::new(self.coordinator.dial(&tls).await?);
            let request = pb::FileRequest {
                object: Some(envelope_to_pb(&envelope)),
            };
            let response = registry.file(request).await;
            response.map_err(|status| Failure::of_status(&status))
        })??;
        let sealed = envelope_from_pb(response.into_inner().filing.unwrap_or_default()).ok();
        let filing = sealed
            .as_ref()
            .and_then(|sealed| open::<Filing>(sealed).ok());
        let (Some(sealed), Some(filing)) = (sealed, filing) else {
            return Err(not_this_object());
        };
        let fits = filing.object_type == envelope.payload_type
            && filing.object_digest == envelope.digest()
            && filing.coordinator == *self.coordinator.id();
        if !fits {
            return Err(not_this_object());
        }
        let path = envelope_file::filing_of(&self.file);
        written::replace(&path, &lingqu_proto::encode_envelope(&sealed))?;
        session.say(
            format_args!("filed; `{}` is the filing", path.display()),
            format_args!("已备案，备案凭据见 `{}`", path.display()),
        );
        let value = json!({
            "number": filing.number,
            "filed": filing.filed.to_string(),
            "filing": path.display().to_string(),
        });
        session.answer(&filing.number, &value)
    }
}

fn not_this_object() -> Failure {
    Failure::CheckFailed {
        en: "what came back is not a filing of this object".to_owned(),
        zh: "返回的备案凭据与所提交对象不符",
    }
}
