//! Every text format: whatever is read is written back byte for byte, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lingqu_tlog::{
    AddCheckpoint, Checkpoint, Fork, Intl, MirrorInfo, Note, Policy, Tile, TlogProof, VerifierKey,
    encode_cosignatures, parse_cosignatures, parse_size,
};

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert_eq!(request.to_string().as_bytes(), data);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.to_string(), text);
    }
    if let Some(fork) = Fork::parse(text) {
        assert_eq!(fork.to_string(), text);
    }
    if let Some(tile) = Tile::parse(text) {
        assert_eq!(tile.to_string(), text);
    }
    if let Some(info) = MirrorInfo::parse(text) {
        assert_eq!(info.to_text(), text);
    }
    if let Some(lines) = parse_cosignatures(text) {
        assert_eq!(encode_cosignatures(&lines), text);
    }
    if let Ok(key) = VerifierKey::<Intl>::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    let _ = parse_size(text);
    if let Ok(policy) = Policy::<Intl>::parse(text) {
        // Whoever needs somebody is not satisfied by nobody.
        assert!(policy.has_quorum() != policy.is_met_by(|_| false));
        assert!(policy.is_met_by(|_| true));
    }
});
