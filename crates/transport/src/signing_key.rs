//! Ed25519 signing keys in PKCS #8 PEM files: approval, log, mirror, head log. Separate from TLS keys by purpose and by
//! file; nothing here is ever logged.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lingqu_tlog::Ed25519Signer;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyUnreadable {
    /// Not there, not readable, or not PEM.
    #[error("cannot read a private key from `{0}`")]
    File(PathBuf),
    /// PEM, but not an Ed25519 key.
    #[error("`{0}` does not hold an Ed25519 key")]
    Kind(PathBuf),
}

/// Reads a key.
pub fn read(path: &Path) -> Result<Ed25519Signer, KeyUnreadable> {
    let der = PrivatePkcs8KeyDer::from_pem_file(path)
        .map_err(|_| KeyUnreadable::File(path.to_owned()))?;
    Ed25519Signer::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|_| KeyUnreadable::Kind(path.to_owned()))
}

/// Makes a new key in a file that must not exist yet, readable by the owner only, and returns it.
pub fn create(path: &Path) -> io::Result<Ed25519Signer> {
    let pkcs8 = Ed25519Signer::generate_pkcs8();
    let signer = Ed25519Signer::from_pkcs8(&pkcs8).map_err(io::Error::other)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let encoded = pem(&pkcs8);
    file.write_all(encoded.as_bytes())?;
    file.sync_all()?;
    Ok(signer)
}

/// PEM with lines of 64 characters (RFC 7468).
fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use lingqu_tlog::Signer;

    use super::*;

    #[test]
    fn a_key_reads_back_and_is_the_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.key");
        let made = create(&path).unwrap();
        assert_eq!(read(&path).unwrap().public_key(), made.public_key());
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(
            create(&path).is_err(),
            "an existing key is never overwritten"
        );
    }
}
