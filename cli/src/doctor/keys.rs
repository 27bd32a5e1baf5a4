//! Private keys: readable by the service, by nobody else, and each for one role only.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use lingqu_core::ErrorCode;
use lingqu_tlog::Signer;
use lingqu_transport::signing_key;

use super::storage::is_ours;
use super::{Findings, Service};

pub(crate) fn examine(service: &Service, findings: &mut Findings) {
    let tls = service.tls();
    let mut files = service.signing_keys();
    files.push(("tls.key", &tls.key));
    let exposed = files
        .iter()
        .filter(|(role, path)| !private(role, path, findings))
        .count();
    if exposed == 0 {
        findings.ok(
            "keys",
            "every private key is its owner's alone",
            "所有私钥仅所有者可读",
        );
    }
    roles(service, findings);
}

/// Whether nobody but the owner can read it. A file that is not there is found where it is read.
fn private(role: &str, path: &Path, findings: &mut Findings) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else {
        return true;
    };
    let (mode, shown) = (metadata.permissions().mode() & 0o777, path.display());
    let (en, zh) = (
        format!("`{role}` `{shown}` has mode {mode:03o}"),
        format!("`{role}` `{shown}` 的权限为 {mode:03o}"),
    );
    if mode & 0o007 != 0 {
        findings.fail("keys", ErrorCode::KeyFileExposed, en, zh);
    } else if mode & 0o070 != 0 {
        // A group of one is a way to give a service its key; whether it is one cannot be seen here.
        findings.warn("keys", ErrorCode::KeyFileExposed, en, zh);
    } else if !is_ours(metadata.uid()) {
        findings.fail(
            "keys",
            ErrorCode::KeyUnreadable,
            format!("`{role}` `{shown}` belongs to user {}", metadata.uid()),
            format!("`{role}` `{shown}` 归用户 {} 所有", metadata.uid()),
        );
    } else {
        return true;
    }
    false
}

/// No key in two roles: a signature does not say in which role it was made.
fn roles(service: &Service, findings: &mut Findings) {
    let mut known: Vec<(String, Vec<u8>)> = service.pinned_keys();
    let mut good = true;
    for (role, path) in service.signing_keys() {
        match signing_key::read(path) {
            Ok(key) => known.push((role.to_owned(), key.public_key().to_vec())),
            Err(error) => {
                good = false;
                let (en, zh) = (format!("`{role}`: {error}"), format!("`{role}`：{error}"));
                findings.fail("keys", ErrorCode::KeyUnreadable, en, zh);
            }
        }
    }
    for (position, (role, key)) in known.iter().enumerate() {
        let shared = known[..position].iter().find(|(_, other)| other == key);
        if let Some((other, _)) = shared {
            good = false;
            findings.fail(
                "keys",
                ErrorCode::KeyShared,
                format!("{role} is the same key as {other}"),
                format!("{role} 与 {other} 为同一密钥"),
            );
        }
    }
    if good {
        findings.ok(
            "keys",
            "each signing key has one role",
            "每个签名密钥仅用于一种用途",
        );
    }
}
