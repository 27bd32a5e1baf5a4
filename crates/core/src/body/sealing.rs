//! How a body is sealed under the key of its grant and day, and what binds a wrapped key to its place.

use lingqu_policy::Day;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

use crate::{CallId, GrantId, PartyId};

/// Length of the key of one grant and day.
pub const KEY_LEN: usize = 32;
/// Length of a body's salt. It is random for each body, so that no derived key sees two of them and the nonce can be
/// zero, also when a call is sealed twice because its first attempt was not recorded.
pub const SALT_LEN: usize = 32;
const BODY_INFO: &[u8] = b"lingqu/body/1";
const WRAP_INFO: &[u8] = b"lingqu/body-key/1";

/// Which call a sealed body belongs to: it opens in no other place.
#[derive(Clone, Copy, Debug)]
pub struct BodyPlace<'a> {
    /// Origin of the stream.
    pub origin: &'a str,
    /// The grant of the call.
    pub grant: &'a GrantId,
    /// The day of UTC+8 on which it was decided.
    pub day: Day,
    /// The call.
    pub call: CallId,
}

/// Bytes that were not sealed with this key for this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body was not sealed with this key for this call")]
pub struct BodyUnopenable;

impl BodyPlace<'_> {
    fn associated(&self) -> Vec<u8> {
        let day = self.day.to_string();
        let mut bytes = Vec::new();
        for part in [
            self.origin.as_bytes(),
            self.grant.as_str().as_bytes(),
            day.as_bytes(),
            &self.call.0,
        ] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
        bytes
    }
}

/// Seals an encoded body. `salt` must be fresh from the operating system's random numbers.
pub fn seal_body(
    key: &[u8; KEY_LEN],
    salt: &[u8; SALT_LEN],
    place: &BodyPlace<'_>,
    mut body: Vec<u8>,
) -> Vec<u8> {
    derive(key, salt)
        .seal_in_place_append_tag(nonce(), Aad::from(place.associated()), &mut body)
        .expect("a body is far shorter than what the cipher takes");
    body
}

/// Opens what [`seal_body`] made.
///
/// # Errors
/// [`BodyUnopenable`] for another key or place, or altered bytes.
pub fn open_body(
    key: &[u8; KEY_LEN],
    salt: &[u8; SALT_LEN],
    place: &BodyPlace<'_>,
    mut sealed: Vec<u8>,
) -> Result<Vec<u8>, BodyUnopenable> {
    let length = derive(key, salt)
        .open_in_place(nonce(), Aad::from(place.associated()), &mut sealed)
        .map_err(|_| BodyUnopenable)?
        .len();
    sealed.truncate(length);
    Ok(sealed)
}

/// HPKE's `info` for the key of `grant` and `day` at the node of stream `origin`, wrapped to `regulator`: a wrapped key
/// unwraps in its own place only.
pub fn wrap_info(origin: &str, grant: &GrantId, day: Day, regulator: &PartyId) -> Vec<u8> {
    let day = day.to_string();
    let mut info = WRAP_INFO.to_vec();
    for part in [origin, grant.as_str(), &day, regulator.as_str()] {
        info.push(0);
        info.extend_from_slice(part.as_bytes());
    }
    info
}

fn derive(key: &[u8; KEY_LEN], salt: &[u8; SALT_LEN]) -> LessSafeKey {
    let okm = Salt::new(HKDF_SHA256, salt).extract(key);
    let okm = okm
        .expand(&[BODY_INFO], &AES_256_GCM)
        .expect("one key is shorter than what HKDF gives");
    LessSafeKey::new(UnboundKey::from(okm))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}
