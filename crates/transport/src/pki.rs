//! A certificate authority for development, demonstrations and tests: ECDSA P-256, one level, keys in plain files.
//!
//! Production uses the authorities that its parties already trust; this one exists so that nobody is tempted to
//! switch verification off. Private key files are created with mode 0600, never widened and narrowed later.

use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lingqu_core::{Clock, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::identity::PeerId;

const DAY: Duration = Duration::from_secs(86_400);
/// Life of an authority, days.
const AUTHORITY_DAYS: u32 = 3_650;
/// Certificates begin this much before the clock that issues them, for machines whose clock is behind.
const BACKDATED: Duration = Duration::from_secs(300);
/// Organisation in the subject of authorities and of leaves. They differ whatever the names are: OpenSSL takes a leaf
/// whose subject equals its issuer for a self-signed certificate.
const AUTHORITY_ORGANISATION: &str = "Lingqu development authority";
const LEAF_ORGANISATION: &str = "Lingqu development";
const CA_CERTIFICATE: &str = "ca.pem";
const CA_KEY: &str = "ca.key";

/// Why the development PKI failed.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// rcgen refused.
    #[error("certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A file cannot be read or written.
    #[error("`{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Not made by [`DevAuthority::create`].
    #[error("`{0}` is not a development authority's certificate")]
    Foreign(PathBuf),
    /// A host that is neither a DNS name nor an IP address.
    #[error("`{0}` is neither a dns name nor an ip address")]
    Host(String),
}

/// A development certificate authority.
pub struct DevAuthority {
    name: String,
    issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
    certificate_pem: String,
    key_pem: String,
}

/// A leaf certificate and its key.
pub struct Issued {
    /// Whom it names.
    pub id: PeerId,
    /// The certificate, PEM.
    pub certificate_pem: String,
    key_pem: String,
}

/// Where [`Issued::write`] put things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedFiles {
    /// `<id>.pem`.
    pub certificate: PathBuf,
    /// `<id>.key`.
    pub key: PathBuf,
}

impl DevAuthority {
    /// Makes a new authority; `name` becomes its common name.
    ///
    /// # Errors
    /// [`PkiError::Certificate`].
    pub fn create(name: &str, clock: &dyn Clock) -> Result<Self, PkiError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let not_before = before(clock.now(), BACKDATED);
        let not_after = clock.now().plus(DAY * AUTHORITY_DAYS);
        let params = authority_params(name, not_before, not_after);
        let certificate_pem = params.self_signed(&key)?.pem();
        let key_pem = key.serialize_pem();
        let issuer = Issuer::new(params, key);
        Ok(DevAuthority {
            name: name.to_owned(),
            issuer,
            not_after,
            certificate_pem,
            key_pem,
        })
    }

    /// Reads `ca.pem` and `ca.key` from `dir`.
    ///
    /// # Errors
    /// [`PkiError::File`]; [`PkiError::Foreign`] if the certificate is not one of ours.
    pub fn load(dir: &Path) -> Result<Self, PkiError> {
        let path = dir.join(CA_CERTIFICATE);
        let certificate_pem = read(&path)?;
        let key_pem = read(&dir.join(CA_KEY))?;
        let key = KeyPair::from_pem(&key_pem)?;
        let (name, not_before, not_after) =
            describe(&certificate_pem).ok_or(PkiError::Foreign(path))?;
        // The subject is made again from its parts: issuer names are compared byte by byte, and ours have one form.
        let issuer = Issuer::new(authority_params(&name, not_before, not_after), key);
        Ok(DevAuthority {
            name,
            issuer,
            not_after,
            certificate_pem,
            key_pem,
        })
    }

    /// Writes `ca.pem` and `ca.key` (0600) into `dir`, which must exist and hold no authority yet: whoever replaces
    /// one by mistake has to replace every certificate.
    ///
    /// # Errors
    /// [`PkiError::File`].
    pub fn write(&self, dir: &Path) -> Result<(), PkiError> {
        let key = dir.join(CA_KEY);
        if std::fs::symlink_metadata(&key).is_ok() {
            return Err(PkiError::File {
                path: key,
                source: io::ErrorKind::AlreadyExists.into(),
            });
        }
        write(&key, &self.key_pem, 0o600)?;
        write(&dir.join(CA_CERTIFICATE), &self.certificate_pem, 0o644)
    }

    /// Its common name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Issues a certificate for `id`, usable as client and server, valid from now for `days`, but never longer than
    /// the authority. `hosts` are DNS names and IP addresses, for clients that check them; ours check the id.
    ///
    /// # Errors
    /// [`PkiError::Host`], [`PkiError::Certificate`].
    pub fn issue(
        &self,
        id: &PeerId,
        hosts: &[&str],
        days: u32,
        clock: &dyn Clock,
    ) -> Result<Issued, PkiError> {
        let not_before = before(clock.now(), BACKDATED);
        let not_after = clock.now().plus(DAY * days).min(self.not_after);
        self.sign(id, leaf_params(id, hosts, not_before, not_after)?)
    }

    /// Signs any leaf: tests make wrong ones with it.
    pub(crate) fn sign(&self, id: &PeerId, params: CertificateParams) -> Result<Issued, PkiError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate_pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued {
            id: id.clone(),
            certificate_pem,
            key_pem: key.serialize_pem(),
        })
    }
}

impl fmt::Debug for DevAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevAuthority")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Issued {
    /// Writes `<id>.pem` and `<id>.key` (0600) into `dir`, which must exist; replaces what is there.
    ///
    /// # Errors
    /// [`PkiError::File`].
    pub fn write(&self, dir: &Path) -> Result<IssuedFiles, PkiError> {
        let files = IssuedFiles {
            certificate: dir.join(format!("{}.pem", self.id)),
            key: dir.join(format!("{}.key", self.id)),
        };
        write(&files.key, &self.key_pem, 0o600)?;
        write(&files.certificate, &self.certificate_pem, 0o644)?;
        Ok(files)
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn authority_params(name: &str, not_before: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(AUTHORITY_ORGANISATION, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, not_before, not_after);
    params
}

pub(crate) fn leaf_params(
    id: &PeerId,
    hosts: &[&str],
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(LEAF_ORGANISATION, id.as_str());
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id.uri())?)];
    for host in hosts {
        params.subject_alt_names.push(alternative_name(host)?);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, not_before, not_after);
    Ok(params)
}

fn alternative_name(host: &str) -> Result<SanType, PkiError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let is_dns = rustls_pki_types::DnsName::try_from(host).is_ok();
    match Ia5String::try_from(host) {
        Ok(name) if is_dns => Ok(SanType::DnsName(name)),
        Ok(_) | Err(_) => Err(PkiError::Host(host.to_owned())),
    }
}

fn distinguished_name(organisation: &str, common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organisation);
    name.push(DnType::CommonName, common);
    name
}

/// Name and validity of one of our authorities; `None` for anybody else's certificate.
fn describe(pem: &str) -> Option<(String, Timestamp, Timestamp)> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let subject = certificate.subject();
    let organisation = subject.iter_organization().next()?.as_str().ok()?;
    let name = subject.iter_common_name().next()?.as_str().ok()?;
    let validity = certificate.validity();
    let ours = organisation == AUTHORITY_ORGANISATION && certificate.is_ca();
    let instant = Timestamp::from_unix_s;
    ours.then(|| {
        (
            name.to_owned(),
            instant(validity.not_before.timestamp()),
            instant(validity.not_after.timestamp()),
        )
    })
}

fn before(now: Timestamp, earlier: Duration) -> Timestamp {
    Timestamp::from_unix_s(
        now.unix_s()
            .saturating_sub(i64::try_from(earlier.as_secs()).unwrap_or(i64::MAX)),
    )
}

/// rcgen counts in a type that cannot be named here and is made from a calendar date, so both ends are set in place.
fn set_validity(params: &mut CertificateParams, not_before: Timestamp, not_after: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = |instant: Timestamp| instant.since(Timestamp::from_unix_s(0));
    params.not_before = epoch + since_epoch(not_before);
    params.not_after = epoch + since_epoch(not_after);
}

fn read(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path).map_err(|source| PkiError::File {
        path: path.to_owned(),
        source,
    })
}

/// Writes beside the file and renames, so that a reader sees the old contents or the new, and a key never has a
/// wider mode, not even while it is written.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    let failed = |source| PkiError::File {
        path: path.to_owned(),
        source,
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}

#[cfg(test)]
mod tests;
