use super::*;

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn pem(der: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut text = Vec::new();
    // The base64 of a PEM file comes from the note encoder, to need no other.
    let line = lingqu_tlog::NoteSignature {
        name: KeyName::parse("x").unwrap(),
        id: u32::from_be_bytes(der[..4].try_into().unwrap()),
        blob: der[4..].to_vec(),
    };
    let line = line.to_string();
    let base64 = line.rsplit(' ').next().unwrap();
    write!(
        text,
        "-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n"
    )
    .unwrap();
    text
}

#[test]
fn keys_are_read_from_pem_and_der_and_two_equal_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let der: Vec<Vec<u8>> = (0..4).map(|_| Ed25519Signer::generate_pkcs8()).collect();
    let mut files = KeysConfig {
        log: write(dir.path(), "log", &pem(&der[0])),
        mirror: write(dir.path(), "mirror", &der[1]),
        head_log: write(dir.path(), "head_log", &der[2]),
        signing: write(dir.path(), "signing", &pem(&der[3])),
    };
    let keys = Keys::load(&files).unwrap();
    let expected = Ed25519Signer::from_pkcs8(&der[0]).unwrap();
    assert_eq!(keys.log.public_key(), expected.public_key());
    // The same key in the other encoding is still the same key.
    files.signing = write(dir.path(), "signing", &pem(&der[1]));
    assert!(matches!(
        Keys::load(&files),
        Err(KeysError::Equal("mirror", "signing"))
    ));
    files.signing = write(dir.path(), "signing", b"nonsense");
    assert!(matches!(Keys::load(&files), Err(KeysError::Malformed(_))));
    files.signing = dir.path().join("absent");
    assert!(matches!(Keys::load(&files), Err(KeysError::File { .. })));
}

#[test]
fn no_node_has_the_coordinators_own_origin() {
    let names = Names::new("coord.example");
    let region: Region = "45".parse().unwrap();
    assert_ne!(
        names.stream("node_gx", &region, "2026h2"),
        names.own_stream("coord_gx", &region, "2026h2")
    );
}
