//! The golden vectors of `testdata/tlog-vectors.json`, made with the Go reference implementation,
//! and the instances that specifications and other implementations have published in full.

use serde::Deserialize;

use crate::oracle::{entry, leaves};
use crate::*;

#[derive(Deserialize)]
struct Vectors {
    roots: Vec<String>,
    inclusion: Vec<InclusionVector>,
    consistency: Vec<ConsistencyVector>,
    checkpoint: CheckpointVector,
    tlog_proof: String,
}

#[derive(Deserialize)]
struct InclusionVector {
    index: u64,
    size: u64,
    proof: Vec<String>,
}

#[derive(Deserialize)]
struct ConsistencyVector {
    old: u64,
    new: u64,
    proof: Vec<String>,
}

#[derive(Deserialize)]
struct CheckpointVector {
    cosigned_message: String,
    log_seed_hex: String,
    log_vkey: String,
    signed_checkpoint_with_cosignature: String,
    witness_seed_hex: String,
    witness_vkey: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../testdata/tlog-vectors.json")).unwrap()
}

fn hashes(texts: &[String]) -> Vec<Hash> {
    texts
        .iter()
        .map(|text| Hash::from_base64(text).unwrap())
        .collect()
}

fn signer_from_hex(seed: &str) -> Ed25519Signer {
    Ed25519Signer::from_seed(hex::decode(seed).unwrap().try_into().unwrap())
}

#[test]
fn roots_of_all_sizes_are_the_references() {
    let roots = hashes(&vectors().roots);
    assert_eq!(roots.len(), 1001);
    let mut frontier: Frontier = Frontier::new();
    let mut recent: RecentTree = RecentTree::from_frontier(Frontier::new());
    for (root, index) in roots.iter().zip(0..) {
        assert_eq!(frontier.root(), *root, "size {index}");
        assert_eq!(recent.root(), *root, "size {index}");
        let leaf = leaf_hash::<Intl>(&entry(index));
        frontier.push(leaf);
        recent.push(leaf);
    }
    for (root, size) in roots.iter().zip(0..) {
        assert_eq!(recent.root_at(size), Some(*root), "size {size}");
    }
}

fn tree_of(size: u64) -> RecentTree {
    let mut tree = RecentTree::from_frontier(Frontier::new());
    leaves(size).into_iter().for_each(|leaf| tree.push(leaf));
    tree
}

#[test]
fn inclusion_proofs_are_the_references_and_verify() {
    let vectors = vectors();
    let largest = vectors
        .inclusion
        .iter()
        .map(|vector| vector.size)
        .max()
        .unwrap();
    let tree = tree_of(largest);
    for InclusionVector { index, size, proof } in &vectors.inclusion {
        let proof = hashes(proof);
        assert_eq!(
            tree.inclusion_proof(*index, *size).unwrap(),
            proof,
            "{index} in {size}"
        );
        let leaf = leaf_hash::<Intl>(&entry(*index));
        let root = tree.root_at(*size).unwrap();
        verify_inclusion::<Intl>(leaf, *index, *size, root, &proof).unwrap();
    }
    assert_eq!(vectors.inclusion.len(), 58);
}

#[test]
fn consistency_proofs_are_the_references_and_verify() {
    let vectors = vectors();
    let largest = vectors
        .consistency
        .iter()
        .map(|vector| vector.new)
        .max()
        .unwrap();
    let tree = tree_of(largest);
    for ConsistencyVector { old, new, proof } in &vectors.consistency {
        let proof = hashes(proof);
        assert_eq!(
            tree.consistency_proof(*old, *new).unwrap(),
            proof,
            "{old} to {new}"
        );
        let (old_root, new_root) = (tree.root_at(*old).unwrap(), tree.root_at(*new).unwrap());
        verify_consistency::<Intl>(*old, *new, old_root, new_root, &proof).unwrap();
    }
    assert_eq!(vectors.consistency.len(), 50);
}

#[test]
fn the_signed_checkpoint_is_reproduced_byte_for_byte() {
    let vectors = vectors();
    let vector = vectors.checkpoint;
    let log: VerifierKey = VerifierKey::parse(&vector.log_vkey).unwrap();
    let witness: VerifierKey = VerifierKey::parse(&vector.witness_vkey).unwrap();
    assert_eq!(
        (log.kind(), witness.kind()),
        (KeyKind::Note, KeyKind::Cosignature)
    );
    assert_eq!(log.to_string(), vector.log_vkey);
    assert_eq!(witness.to_string(), vector.witness_vkey);

    let text = Checkpoint {
        origin: log.name().to_string(),
        size: 1000,
        root: Hash::from_base64(&vectors.roots[1000]).unwrap(),
    }
    .to_text();
    let time_unix_s = 1_767_225_600;
    let message = format!("cosignature/v1\ntime {time_unix_s}\n{text}");
    assert_eq!(message, vector.cosigned_message);
    let log_signer = signer_from_hex(&vector.log_seed_hex);
    let witness_signer = signer_from_hex(&vector.witness_seed_hex);
    let by_log = sign_note::<Intl>(&text, log.name(), &log_signer).unwrap();
    let by_witness =
        sign_cosignature::<Intl>(&text, witness.name(), time_unix_s, &witness_signer).unwrap();
    let note = Note {
        text,
        signatures: vec![by_log, by_witness],
    };
    assert_eq!(note.to_string(), vector.signed_checkpoint_with_cosignature);

    let parsed = Note::parse(&vector.signed_checkpoint_with_cosignature).unwrap();
    assert_eq!(parsed, note);
    let verified = parsed.verify(&[log, witness]).unwrap();
    let times: Vec<_> = verified
        .iter()
        .map(|signature| signature.time_unix_s)
        .collect();
    assert_eq!(times, [None, Some(time_unix_s)]);
}

#[test]
fn the_proof_verifies_and_is_reproduced_byte_for_byte() {
    let vectors = vectors();
    let log: VerifierKey = VerifierKey::parse(&vectors.checkpoint.log_vkey).unwrap();
    let witness: VerifierKey = VerifierKey::parse(&vectors.checkpoint.witness_vkey).unwrap();
    let proof = TlogProof::parse(&vectors.tlog_proof).unwrap();
    assert_eq!(proof.to_string(), vectors.tlog_proof);
    assert_eq!(proof.index, 731);
    assert_eq!(
        proof.hashes,
        tree_of(1000).inclusion_proof(731, 1000).unwrap()
    );

    let quorum = Quorum::new(vec![witness], 1).unwrap();
    let leaf = leaf_hash::<Intl>(&entry(731));
    let shown = proof.verify(leaf, &log, &quorum).unwrap();
    assert_eq!(shown.checkpoint.size, 1000);
    assert_eq!(shown.cosigned[0].time_unix_s, 1_767_225_600);
    let other = leaf_hash::<Intl>(&entry(730));
    assert_eq!(
        proof.verify(other, &log, &quorum),
        Err(ProofRefused::Inclusion(ProofInvalid::RootMismatch))
    );
}

#[test]
fn the_example_of_signed_note_verifies() {
    let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let wire = "This is an example message.\n\n— example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    let key: VerifierKey = VerifierKey::parse(vkey).unwrap();
    assert_eq!(key.id(), 0x530d_903a);
    assert_eq!(key.to_string(), vkey);
    let note = Note::parse(wire).unwrap();
    assert_eq!(note.verify(&[key]).unwrap().len(), 1);
    assert_eq!(note.text, "This is an example message.\n");
    assert_eq!(note.signatures[0].blob.len() + 4, 68);
}

#[test]
fn the_example_of_the_go_reference_is_reproduced() {
    let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    // The last 32 bytes of its skey.
    let seed = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";
    let text = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n";
    let wire = format!(
        "{text}\n— PeterNeumann \
        x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    let key: VerifierKey = VerifierKey::parse(vkey).unwrap();
    let note = Note::parse(&wire).unwrap();
    note.verify(std::slice::from_ref(&key)).unwrap();
    let signer = signer_from_hex(seed);
    let signed = sign_note::<Intl>(text, key.name(), &signer).unwrap();
    assert_eq!(
        Note {
            text: text.to_owned(),
            signatures: vec![signed]
        }
        .to_string(),
        wire
    );
}

#[test]
fn the_checkpoint_of_c2sp_issue_99_verifies() {
    let origin =
        "sigsum.org/v1/tree/e796172b92befd62d9dc67e41c2f5bc9d3100a3023b20b1ca40288dd1c679e69";
    let key = "66e0b858e462a609e66fe71370c816d8846ff103d5499a22a7fec37fdbc424a7";
    let wire = format!(
        "{origin}\n10\nHA5HAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— {origin} \
        gJ2ho0n8F8olcerUF1FFdv235A/5as/coWrpLrtE7ovMeP5whgwouYExowG/lTznxu6OUGjjt5yJQ6bXtTcf718MqAQ=\n"
    );
    let name = KeyName::parse(origin).unwrap();
    let key: VerifierKey = VerifierKey::note(name, &hex::decode(key).unwrap()).unwrap();
    assert_eq!(key.id(), 0x809d_a1a3);
    let note = Note::parse(&wire).unwrap();
    note.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!(Checkpoint::parse(&note.text).unwrap().size, 10);

    // The thread's first version has another key id: that signature is unknown, not wrong.
    let first = wire.replace(" gJ2ho0n8", " pOZUn0n8");
    let refused = Note::parse(&first).unwrap().verify(&[key]);
    assert_eq!(refused, Err(NoteRefused::NoKnownSignature));
}

#[test]
fn the_example_of_tlog_cosignature_has_the_shape_we_read() {
    let wire = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    let note = Note::parse(wire).unwrap();
    assert_eq!(note.to_string(), wire);
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    assert_eq!(
        (checkpoint.size, checkpoint.to_text()),
        (20_852_163, note.text.clone())
    );
    assert_eq!(note.signatures[1].blob.len() + 4, 76);
    assert_eq!(
        cosignature_time::<Intl>(&note.signatures[1]),
        Some(1_679_315_147)
    );
    assert_eq!(cosignature_time::<Intl>(&note.signatures[0]), None);
}

#[test]
fn the_trees_of_litewitness_have_its_roots() {
    let mut tree: Frontier = Frontier::new();
    let mut roots = Vec::new();
    for index in 0..5 {
        let mut leaf = [0; 32];
        leaf[..2].copy_from_slice(&[0x2a, index]);
        tree.push(Hash(leaf));
        roots.push(tree.root().to_base64());
    }
    assert_eq!(roots[2], "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=");
    assert_eq!(roots[4], "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=");
}
