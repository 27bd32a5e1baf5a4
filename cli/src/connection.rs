//! The options of every command that dials: the own identity, and whom to expect at the other end.
//!
//! The authority in `--ca` is trusted for parties, nodes and coordinators alike, which is right for a process that only
//! dials: whoever answers must be the one peer that the command expects, and prove it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use lingqu_core::id::IdPrefix;
use lingqu_core::{Clock, CoordinatorId, ErrorCode, NodeId, PartyId};
use lingqu_transport::reload::{AuthorityFile, LoadError};
use lingqu_transport::{ClientTls, PeerId, TlsFiles};
use tonic::transport::Channel;

use crate::failure::Failure;

/// The TLS identity to show, and who may vouch for the other end.
#[derive(Args, Clone, Debug)]
pub(crate) struct Identity {
    /// Own certificate and intermediate ones, PEM · 本方证书
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// Private key of the certificate, PEM · 证书私钥
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Certificates of the authority that vouches for the other end, PEM · 受信任的签发机构
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
}

/// The same where `--key` is the key that signs: TLS and signing keys are different keys.
#[derive(Args, Clone, Debug)]
pub(crate) struct SigningIdentity {
    /// Own certificate and intermediate ones, PEM · 本方证书
    #[arg(long, value_name = "FILE")]
    tls_cert: PathBuf,
    /// Private key of the certificate, PEM · 证书私钥
    #[arg(long, value_name = "FILE")]
    tls_key: PathBuf,
    /// Certificates of the authority that vouches for the other end, PEM · 受信任的签发机构
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
}

/// Which coordinator.
#[derive(Args, Clone, Debug)]
pub(crate) struct CoordinatorAt {
    /// Where the coordinator is, `https://host:port` · 协调端地址
    #[arg(long = "coordinator", value_name = "URL")]
    url: String,
    /// The id that its certificate must carry, `coord_…` · 协调端标识
    #[arg(long, value_name = "COORD_ID")]
    id: CoordinatorId,
}

impl From<SigningIdentity> for Identity {
    fn from(identity: SigningIdentity) -> Identity {
        Identity {
            cert: identity.tls_cert,
            key: identity.tls_key,
            ca: identity.ca,
        }
    }
}

impl Identity {
    /// Reads the files.
    pub(crate) fn load(&self, clock: &Arc<dyn Clock>) -> Result<ClientTls, Failure> {
        let prefixes = [PartyId::PREFIX, NodeId::PREFIX, CoordinatorId::PREFIX];
        let prefix = |text: &str| text.parse::<IdPrefix>().expect("each is a kind's prefix");
        let files = TlsFiles {
            cert_chain: self.cert.clone(),
            key: self.key.clone(),
            authorities: vec![AuthorityFile {
                name: "--ca".to_owned(),
                path: self.ca.clone(),
                prefixes: prefixes.into_iter().map(prefix).collect(),
            }],
            allow_tls12: false,
        };
        ClientTls::load(files, Arc::clone(clock))
            .map_err(|error| Failure::local(code_of(&error), error))
    }
}

/// What is wrong with TLS files, under the code by which `lingqu doctor` knows it.
pub(crate) fn code_of(error: &LoadError) -> ErrorCode {
    match error {
        LoadError::Authorities(_) | LoadError::Certificates(_) => ErrorCode::CertUnreadable,
        LoadError::IdChanged { .. } | LoadError::Identity(_) => ErrorCode::CertOtherId,
        LoadError::Key(_) => ErrorCode::KeyUnreadable,
        LoadError::Read { .. } => ErrorCode::FileUnreadable,
        LoadError::Tls(_) => ErrorCode::CertKeyMismatch,
    }
}

impl CoordinatorAt {
    /// The coordinator `id` at `url`.
    pub(crate) fn new(url: String, id: CoordinatorId) -> CoordinatorAt {
        CoordinatorAt { url, id }
    }

    /// Connects to the coordinator, which must be the expected one.
    pub(crate) async fn dial(&self, tls: &ClientTls) -> Result<Channel, Failure> {
        let expected = PeerId::Coordinator(self.id.clone());
        Ok(lingqu_transport::connect(&self.url, tls, expected).await?)
    }

    /// The id that was expected.
    pub(crate) fn id(&self) -> &CoordinatorId {
        &self.id
    }
}
