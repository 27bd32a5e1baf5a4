//! A regulator's side of kept bodies: its sealing key, the order brought to the node, and what it opens.
//!
//! What a node hands out proves nothing by itself: an opened body counts once its root is that of the call's record,
//! which [`compare`] asks of an archive's records.

use std::collections::BTreeMap;
use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, Serializable as _, single_shot_open};
use lingqu_core::body::{Body, BodyOrder, BodyPlace, Day, KEY_LEN, SALT_LEN, open_body, wrap_info};
use lingqu_core::envelope::Envelope;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::record::{Field, Kind, Record, flag};
use lingqu_core::succession::place;
use lingqu_core::{CallId, ErrorCode, PartyId};
use lingqu_proto::pb::bodies_client::BodiesClient;
use lingqu_proto::pb::open_bodies_response::Item;
use lingqu_proto::{envelope_to_pb, pb, receipt_from_pb};
use lingqu_tlog::Intl;
use lingqu_transport::code_of;
use tonic::transport::Channel;
use zeroize::Zeroizing;

/// Largest message, in bytes: one body.
const MESSAGE_LEN_MAX: usize = 9 << 20;
/// Most bytes of bodies that one order may bring; for more, name fewer days.
const BODIES_BYTES_MAX: usize = 256 << 20;

/// A regulator's X25519 key, to which nodes seal. Never shown.
pub struct SealingKey(Zeroizing<[u8; 32]>);

/// A text that is no sealing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a sealing key: expected 64 hexadecimal digits")]
pub struct SealingKeyMalformed;

/// Why nothing was handed out.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailed {
    /// The node refused, with its code.
    #[error("{code}: {}", code.message_en())]
    Refused {
        /// Why.
        code: ErrorCode,
    },
    /// The connection failed, or a message is none that a node gives.
    #[error("{0}")]
    Broken(String),
    /// More than one order may bring.
    #[error("the bodies take more than 256 MiB: order fewer days at once")]
    TooMuch,
}

/// What the node handed out, sealed.
pub struct HandedOut {
    /// That the order is on record, and mirrored. Not verified yet.
    pub receipt: Receipt,
    keys: Vec<pb::BodyKey>,
    bodies: Vec<pb::SealedBody>,
}

/// One body, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedBody {
    /// The call that it is said to be of.
    pub call: CallId,
    /// What it holds.
    pub body: Body,
}

/// What opened bodies are, held against the records of the grant.
#[derive(Debug, Default)]
pub struct Compared {
    /// Bodies that are the ones their records commit to, in the records' order.
    pub proven: Vec<(Record, Body)>,
    /// Calls whose record says that a body is kept, and none that fits was handed out.
    pub missing: Vec<CallId>,
    /// Bodies that no record in the range commits to: the node ended between body and record, or they were swapped.
    pub stray: usize,
}

impl SealingKey {
    /// Makes one.
    pub fn generate() -> SealingKey {
        let (private, _) = X25519HkdfSha256::gen_keypair();
        SealingKey(Zeroizing::new(private.to_bytes().into()))
    }

    /// Reads what [`SealingKey::to_text`] wrote.
    ///
    /// # Errors
    /// [`SealingKeyMalformed`]
    pub fn parse(text: &str) -> Result<SealingKey, SealingKeyMalformed> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), key.as_mut_slice()).map_err(|_| SealingKeyMalformed)?;
        Ok(SealingKey(key))
    }

    /// The key as text, for a file that its owner alone can read.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()) + "\n")
    }

    /// The public half, 32 bytes, for the units' `node.toml`.
    pub fn public_key(&self) -> Vec<u8> {
        X25519HkdfSha256::sk_to_pk(&self.private())
            .to_bytes()
            .to_vec()
    }

    fn private(&self) -> <X25519HkdfSha256 as Kem>::PrivateKey {
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(self.0.as_slice())
            .expect("every 32 bytes are an X25519 key")
    }

    fn unwrap_key(&self, wrapped: &pb::WrappedBodyKey, info: &[u8]) -> Option<[u8; KEY_LEN]> {
        let encapsulated = &wrapped.encapsulated;
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
        let key = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private(),
            &encapsulated,
            info,
            &wrapped.ciphertext,
            b"",
        );
        Zeroizing::new(key.ok()?).as_slice().try_into().ok()
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(redacted)")
    }
}

impl fmt::Debug for HandedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedOut")
            .field("keys", &self.keys.len())
            .field("bodies", &self.bodies.len())
            .finish_non_exhaustive()
    }
}

/// Brings a regulator's signed order to the node and takes what it hands out.
///
/// # Errors
/// [`OpenFailed`]
pub async fn order(channel: Channel, order: &Envelope) -> Result<HandedOut, OpenFailed> {
    let mut client = BodiesClient::new(channel).max_decoding_message_size(MESSAGE_LEN_MAX);
    let request = pb::OpenBodiesRequest {
        order: Some(envelope_to_pb(order)),
    };
    let mut items = client
        .open_bodies(request)
        .await
        .map_err(refused)?
        .into_inner();
    let (mut receipt, mut keys, mut bodies, mut bytes) = (None, Vec::new(), Vec::new(), 0);
    while let Some(response) = items.message().await.map_err(refused)? {
        bytes += prost::Message::encoded_len(&response);
        if bytes > BODIES_BYTES_MAX {
            return Err(OpenFailed::TooMuch);
        }
        match response.item {
            Some(Item::Receipt(given)) if receipt.is_none() => {
                let read = receipt_from_pb(&given).map_err(|error| broken(&error))?;
                receipt = Some(read.0);
            }
            Some(Item::Key(key)) => keys.push(key),
            Some(Item::Body(body)) => bodies.push(body),
            Some(Item::Receipt(_)) | None => return Err(broken(&"an item out of order")),
        }
    }
    Ok(HandedOut {
        receipt: receipt.ok_or_else(|| broken(&"there is no receipt of the order"))?,
        keys,
        bodies,
    })
}

impl HandedOut {
    /// Checks that `receipt` proves what it must: this order, on record and mirrored. Without that the opening was a
    /// secret one, and the regulator has no business with what it was given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_receipt(
        &self,
        trust: &lingqu_core::trust::Trust<Intl>,
        envelope: &Envelope,
    ) -> Result<Record, String> {
        let proven = self.receipt.verify(trust);
        let proven = proven.map_err(|error| error.to_string())?;
        let clear = &proven.record.draft.clear;
        if clear.get_bytes(Field::ObjectDigest) != Some(&envelope.digest().0) {
            return Err("the record is about another order".to_owned());
        }
        if trust.has_cosigners() && proven.level < Level::Mirrored {
            return Err("the record is not mirrored".to_owned());
        }
        Ok(proven.record)
    }

    /// Opens what `key` opens; what it does not open is left out, and then missing for [`compare`].
    pub fn open(&self, order: &BodyOrder, key: &SealingKey) -> Vec<OpenedBody> {
        let origin = place(&self.receipt.checkpoint.origin);
        let mut secrets = BTreeMap::new();
        for wrapped in &self.keys {
            if let Some(secret) = unwrap_one(wrapped, origin, &order.by, key) {
                secrets.insert(wrapped.id.as_slice(), (wrapped, secret));
            }
        }
        let opened = self.bodies.iter().filter_map(|body| {
            let (wrapped, secret) = secrets.get(body.key_id.as_slice())?;
            // A key opens what is of its own grant and day, whatever the body says of itself.
            let (grant, day) = (wrapped.grant.parse().ok()?, wrapped.day.parse().ok()?);
            let call = CallId::try_from(body.call_id.as_slice()).ok()?;
            let place = BodyPlace {
                origin,
                grant: &grant,
                day,
                call,
            };
            let salt: [u8; SALT_LEN] = body.salt.as_slice().try_into().ok()?;
            let bytes = open_body(secret, &salt, &place, body.ciphertext.clone()).ok()?;
            let body = Body::decode(&bytes).ok()?;
            Some(OpenedBody { call, body })
        });
        opened.collect()
    }
}

fn unwrap_one(
    key: &pb::BodyKey,
    origin: &str,
    regulator: &PartyId,
    sealing: &SealingKey,
) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let (grant, day): (_, Day) = (key.grant.parse().ok()?, key.day.parse().ok()?);
    let info = wrap_info(origin, &grant, day, regulator);
    let mut wrapped = key.wrapped.iter();
    wrapped
        .find_map(|wrapped| sealing.unwrap_key(wrapped, &info))
        .map(Zeroizing::new)
}

/// Holds opened bodies against `records`, which must be all of the stream: which are proven, which are missing.
pub fn compare<'r>(
    order: &BodyOrder,
    opened: Vec<OpenedBody>,
    records: impl IntoIterator<Item = &'r Record>,
) -> Compared {
    // A call may have been sealed twice, if its first attempt was not recorded.
    let mut by_call: BTreeMap<[u8; 16], Vec<Body>> = BTreeMap::new();
    for one in opened {
        by_call.entry(one.call.0).or_default().push(one.body);
    }
    let mut compared = Compared::default();
    for record in records {
        let draft = &record.draft;
        let is_kept = draft.kind == Kind::Call && draft.flags & flag::BODY_KEPT != 0;
        let is_of_grant = draft.clear.get_text(Field::Grant) == Some(order.grant.as_str());
        if !is_kept || !is_of_grant {
            continue;
        }
        let bodies = by_call.get_mut(&draft.call.0);
        let fits = |body: &Body| body.root::<Intl>() == draft.body_root;
        let found = bodies.and_then(|bodies| {
            let at = bodies.iter().position(fits)?;
            Some(bodies.swap_remove(at))
        });
        match found {
            Some(body) => compared.proven.push((record.clone(), body)),
            // The day of a body is that of the decision, which may lie just before the record.
            None if is_within(order, record) => compared.missing.push(draft.call),
            None => {}
        }
    }
    compared.stray = by_call.values().map(Vec::len).sum();
    compared
}

fn is_within(order: &BodyOrder, record: &Record) -> bool {
    let day = i32::try_from(record.time.day_utc8())
        .ok()
        .and_then(Day::from_days);
    day.is_some_and(|day| order.days.contains(day))
}

fn refused(status: tonic::Status) -> OpenFailed {
    match code_of(&status) {
        Some(code) => OpenFailed::Refused { code },
        None => broken(&status),
    }
}

fn broken(why: &dyn fmt::Display) -> OpenFailed {
    OpenFailed::Broken(why.to_string())
}
