//! The key of one grant and day: random, wrapped to each regulator, and gone from the node when the day is over.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeS, Serializable as _, single_shot_seal};
use lingqu_core::body::{KEY_LEN, wrap_info};
use lingqu_core::{ErrorCode, GrantId};
use lingqu_policy::Day;
use lingqu_proto::pb;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::{Regulator, Term};

/// A key in clear, in memory only.
pub(super) struct GrantKey {
    pub(super) id: [u8; 16],
    pub(super) secret: Zeroizing<[u8; KEY_LEN]>,
    /// What its wrapped form says.
    pub(super) term: Term,
}

/// Whether these bytes can be a regulator's sealing key.
pub(crate) fn is_sealing_key(key: &[u8]) -> bool {
    // Neutral and low-order points would make every wrapped key readable; wrapping to them fails.
    <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key)
        .is_ok_and(|key| seal(&key, b"", &[0; KEY_LEN]).is_ok())
}

/// Makes a key and its wrapped form.
pub(super) fn make(
    origin: &str,
    regulators: &[Regulator],
    grant: &GrantId,
    day: Day,
    term: Term,
) -> Result<(GrantKey, pb::BodyKey), ErrorCode> {
    const FAILED: ErrorCode = ErrorCode::Internal;
    let random = SystemRandom::new();
    let (mut id, mut secret) = ([0; 16], Zeroizing::new([0; KEY_LEN]));
    random.fill(&mut id).map_err(|_| FAILED)?;
    random.fill(secret.as_mut_slice()).map_err(|_| FAILED)?;
    let wrapped = regulators.iter().map(|regulator| {
        let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&regulator.sealing_key)
            .map_err(|_| FAILED)?;
        let info = wrap_info(origin, grant, day, &regulator.id);
        let (encapsulated, ciphertext) = seal(&key, &info, &secret).map_err(|_| FAILED)?;
        Ok(pb::WrappedBodyKey {
            regulator: regulator.id.to_string(),
            public_key: regulator.sealing_key.clone(),
            encapsulated,
            ciphertext,
        })
    });
    let wrapped = pb::BodyKey {
        id: id.to_vec(),
        grant: grant.to_string(),
        day: day.to_string(),
        keep_until_us: term.until.0,
        keep_months: term.months.into(),
        wrapped: wrapped.collect::<Result<_, ErrorCode>>()?,
    };
    let key = GrantKey { id, secret, term };
    Ok((key, wrapped))
}

fn seal(
    to: &<X25519HkdfSha256 as Kem>::PublicKey,
    info: &[u8],
    secret: &[u8; KEY_LEN],
) -> Result<(Vec<u8>, Vec<u8>), hpke::HpkeError> {
    let (encapsulated, ciphertext) = single_shot_seal::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, to, info, secret, b"")?;
    Ok((encapsulated.to_bytes().to_vec(), ciphertext))
}
