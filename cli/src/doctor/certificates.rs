//! Certificates: readable, of this service, in time, matching the key, and the authorities able to speak for those whom
//! the service must deal with.

use std::path::Path;
use std::sync::Arc;

use lingqu_core::{Clock, ErrorCode, Timestamp};
use lingqu_transport::{ReloadableTls, TlsFiles};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Findings, Service};
use crate::connection::code_of;

/// A certificate that ends within so many days is to be renewed.
const SOON_DAYS: i64 = 30;
const DAY_S: i64 = 86_400;

pub(crate) fn examine(service: &Service, clock: &Arc<dyn Clock>, findings: &mut Findings) {
    let tls = service.tls();
    let now = clock.now();
    let own = chain(&tls.cert_chain);
    terms("certificate", &tls.cert_chain, &own, now, findings);
    let mut subjects = Vec::new();
    for authority in &tls.authorities {
        let certificates = chain(&authority.path);
        terms("authority", &authority.path, &certificates, now, findings);
        subjects.extend(certificates.iter().filter_map(subject));
    }
    let leaf = own.first().and_then(subject);
    if leaf.is_some_and(|leaf| subjects.contains(&leaf)) {
        let shown = tls.cert_chain.display();
        findings.warn(
            "certificate",
            ErrorCode::CertSubjectsEqual,
            format!("`{shown}`"),
            format!("`{shown}`"),
        );
    }
    usable(service, tls.clone(), clock, findings);
    prefixes(service, &tls, findings);
}

/// Whether the service could use these files.
fn usable(service: &Service, tls: TlsFiles, clock: &Arc<dyn Clock>, findings: &mut Findings) {
    let id = service.id();
    match ReloadableTls::load(tls, Arc::clone(clock)) {
        Ok(loaded) if loaded.id() == id => findings.ok(
            "certificate",
            format!("it names {id} and fits its key"),
            format!("证书标识为 {id}，与私钥匹配"),
        ),
        Ok(loaded) => findings.fail(
            "certificate",
            ErrorCode::CertOtherId,
            format!(
                "the certificate is for {}, the configuration for {id}",
                loaded.id()
            ),
            format!("证书标识为 {}，配置为 {id}", loaded.id()),
        ),
        Err(error) => {
            findings.fail(
                "certificate",
                code_of(&error),
                error.to_string(),
                error.to_string(),
            );
        }
    }
}

/// The certificates of a file; what is wrong with one that cannot be read, [`usable`] says.
fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    let certificates = CertificateDer::pem_file_iter(path);
    certificates
        .map(|found| found.filter_map(Result::ok).collect())
        .unwrap_or_default()
}

fn subject(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.subject().as_raw().to_vec())
}

/// When the certificates of a file hold: the narrowest of them counts.
fn terms(
    check: &'static str,
    path: &Path,
    certificates: &[CertificateDer<'_>],
    now: Timestamp,
    findings: &mut Findings,
) {
    let validity = |certificate| {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let validity = parsed.validity();
        Some((
            validity.not_before.timestamp(),
            validity.not_after.timestamp(),
        ))
    };
    let terms = certificates
        .iter()
        .filter_map(|certificate| validity(certificate));
    let Some((begins, ends)) = terms.reduce(|a, b| (a.0.max(b.0), a.1.min(b.1))) else {
        return;
    };
    let (shown, until) = (path.display(), Timestamp::from_unix_s(ends));
    let days = (ends - now.unix_s()) / DAY_S;
    if now.unix_s() > ends || now.unix_s() < begins {
        let from = Timestamp::from_unix_s(begins);
        findings.fail(
            check,
            ErrorCode::CertExpired,
            format!("`{shown}` holds from {from} to {until}"),
            format!("`{shown}` 有效期为 {from} 至 {until}"),
        );
    } else if days < SOON_DAYS {
        findings.warn(
            check,
            ErrorCode::CertExpiresSoon,
            format!("`{shown}` ends in {days} days, at {until}"),
            format!("`{shown}` 将在 {days} 日后（{until}）到期"),
        );
    } else {
        findings.ok(
            check,
            format!("`{shown}` holds for {days} days"),
            format!("`{shown}` 尚余 {days} 日"),
        );
    }
}

/// Whether every id that must be able to connect, or be connected to, is within some authority's prefixes.
fn prefixes(service: &Service, tls: &TlsFiles, findings: &mut Findings) {
    let covers = |id: &str| {
        let mut prefixes = tls
            .authorities
            .iter()
            .flat_map(|authority| &authority.prefixes);
        prefixes.any(|prefix| prefix.covers(id))
    };
    let needed: Vec<String> = match service {
        Service::Node(config) => vec![config.coordinator.id.to_string()],
        Service::Coordinator(config) => config
            .founders
            .iter()
            .map(|founder| founder.party.to_string())
            .collect(),
    };
    let missing: Vec<_> = needed.into_iter().filter(|id| !covers(id)).collect();
    if missing.is_empty() {
        return findings.ok(
            "authority",
            "the authorities may speak for those who are configured",
            "签发机构可代表配置中的各方",
        );
    }
    for id in missing {
        findings.fail(
            "authority",
            ErrorCode::AuthorityPrefixMissing,
            format!("no prefix covers {id}"),
            format!("没有前缀包含 {id}"),
        );
    }
}
