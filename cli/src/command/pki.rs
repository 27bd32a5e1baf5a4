//! `lingqu pki`: a certificate authority for development, signing keys, and the text form of verifier keys.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use lingqu_client::bodies::SealingKey;
use lingqu_core::ErrorCode;
use lingqu_tlog::{Intl, KeyName, Signer, VerifierKey};
use lingqu_transport::pki::{DevAuthority, PkiError};
use lingqu_transport::{PeerId, signing_key};
use serde_json::json;

use crate::failure::Failure;
use crate::session::Session;
use crate::written::{self, Access};

/// What to make.
#[derive(Args, Debug)]
pub(crate) struct Pki {
    #[command(subcommand)]
    command: PkiCommand,
}

#[derive(Subcommand, Debug)]
enum PkiCommand {
    /// Make an authority for development; production uses authorities of its own · 建立开发用签发机构
    Init(Init),
    /// Issue a certificate · 签发证书
    Issue(Issue),
    /// Make an Ed25519 signing key and print its public half in hexadecimal · 生成签名密钥
    Key(Key),
    /// Make a regulator's X25519 key for sealed bodies and print its public half · 生成监管部门的封装密钥
    SealingKey(Key),
    /// Print the verifier key (vkey) of a signing key · 输出验证密钥
    Vkey(Vkey),
}

#[derive(Args, Debug)]
struct Init {
    /// Directory for ca.pem and ca.key · 目录
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The authority's name · 机构名称
    #[arg(long, value_name = "NAME", default_value = "Lingqu development")]
    name: String,
}

#[derive(Args, Debug)]
struct Issue {
    /// Directory of the authority · 签发机构目录
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Whom the certificate names, `party_…`, `node_…` or `coord_…` · 证书标识
    #[arg(long, value_name = "ID")]
    id: PeerId,
    /// Directory for ID.pem and ID.key · 输出目录
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A host name or address, for clients that check it; may be given several times · 主机名，可多次
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// For how many days it holds · 有效天数
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    days: u32,
}

#[derive(Args, Debug)]
struct Key {
    /// The key's file; must not exist yet · 密钥文件
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct Vkey {
    /// The signing key · 签名密钥文件
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The name that it signs under, for a stream its origin · 密钥名称
    #[arg(long, value_name = "NAME")]
    name: KeyName,
    /// What it signs · 密钥用途
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Kind,
}

/// What a verifier key verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Timestamped cosignatures: mirrors and witnesses.
    Cosignature,
    /// Notes: checkpoints of a log by its own key.
    Note,
}

impl Pki {
    pub(crate) fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self.command {
            PkiCommand::Init(init) => init.run(session),
            PkiCommand::Issue(issue) => issue.run(session),
            PkiCommand::Key(key) => key.run(session),
            PkiCommand::SealingKey(key) => key.make_sealing(session),
            PkiCommand::Vkey(vkey) => vkey.run(session),
        }
    }
}

impl Init {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        make_dir(&self.dir)?;
        let authority = DevAuthority::create(&self.name, session.clock.as_ref());
        let written = authority.and_then(|authority| authority.write(&self.dir));
        written.map_err(pki_failed)?;
        session.say(
            "for development only: the key lies in a plain file",
            "仅供开发使用：私钥以明文文件保存",
        );
        let certificate = self.dir.join("ca.pem");
        let shown = certificate.display().to_string();
        session.answer(&shown, &json!({ "certificate": shown }))
    }
}

impl Issue {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        make_dir(&self.out)?;
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let issued = DevAuthority::load(&self.dir)
            .and_then(|ca| ca.issue(&self.id, &hosts, self.days, session.clock.as_ref()))
            .and_then(|issued| issued.write(&self.out));
        let files = issued.map_err(pki_failed)?;
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let value = json!({ "certificate": certificate.to_string(), "key": key.to_string() });
        session.answer(format_args!("{certificate}\n{key}"), &value)
    }
}

impl Key {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let key = signing_key::create(&self.out)
            .map_err(|error| Failure::unwritable(&self.out, error))?;
        let public_key = hex::encode(key.public_key());
        session.answer(&public_key, &json!({ "public_key": public_key }))
    }
}

impl Key {
    fn make_sealing(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let key = SealingKey::generate();
        written::create(&self.out, key.to_text().as_bytes(), Access::Owner)?;
        let public_key = hex::encode(key.public_key());
        session.answer(&public_key, &json!({ "public_key": public_key }))
    }
}

impl Vkey {
    fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let key = signing_key::read(&self.key).map_err(Failure::key)?;
        let vkey = match self.kind {
            Kind::Cosignature => VerifierKey::<Intl>::cosignature(self.name, key.public_key()),
            Kind::Note => VerifierKey::<Intl>::note(self.name, key.public_key()),
        };
        let vkey = vkey.map_err(|error| Failure::Unusable(error.to_string()))?;
        session.answer(&vkey, &json!({ "vkey": vkey.to_string() }))
    }
}

/// Private keys go there: it is made for the owner alone.
fn make_dir(dir: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| Failure::unwritable(dir, error))
}

fn pki_failed(error: PkiError) -> Failure {
    match &error {
        PkiError::File { path, source } => match source.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::unwritable(path, source),
            _ => Failure::unreadable(path, source),
        },
        PkiError::Foreign(_) => Failure::local(ErrorCode::FileInvalid, error),
        PkiError::Certificate(_) | PkiError::Host(_) => Failure::Unusable(error.to_string()),
    }
}
