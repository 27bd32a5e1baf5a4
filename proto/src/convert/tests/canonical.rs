//! An object has exactly one encoding, and nothing that a version does not know is dropped.

use std::fmt::Debug;

use lingqu_core::epoch::{Epoch, Revocation};
use lingqu_core::grant::{Filing, Grant};
use lingqu_core::product::{Approval, Product, SignedPolicy};
use lingqu_core::stop::StopOrder;
use lingqu_core::succession::SuccessionOrder;
use proptest::prelude::*;
use prost::Message;

use super::objects;
use crate::{FieldInvalid, SignedObject, open, pb, seal};

const NOT_CANONICAL: FieldInvalid = FieldInvalid {
    field: "payload",
    reason: "is not in canonical form or has unknown fields",
};
/// Field 200, varint, 1: no message has it.
const UNKNOWN_FIELD: [u8; 3] = [0xc0, 0x0c, 0x01];

/// The fields of a message, each with its key.
fn fields(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let whole = bytes;
        let key = prost::encoding::decode_varint(&mut bytes).unwrap();
        let skipped = match key & 7 {
            0 => prost::encoding::decode_varint(&mut bytes)
                .map(|_| 0)
                .unwrap(),
            2 => prost::encoding::decode_varint(&mut bytes).unwrap(),
            other => panic!("wire type {other} is not used by signed objects"),
        };
        bytes = &bytes[usize::try_from(skipped).unwrap()..];
        fields.push(whole[..whole.len() - bytes.len()].to_vec());
    }
    fields
}

/// Other encodings of the same message: a decoder that is not strict takes each for the original.
fn other_encodings(payload: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let fields = fields(payload);
    let (first, rest) = fields.split_first().unwrap();
    assert_eq!(first[0], 0x0a, "field 1 of every signed object is a text");
    let long_key = [&[0x8a, 0x00], &payload[1..]].concat();
    let long_length = [&[0x0a, first[1] | 0x80, 0x00], &payload[2..]].concat();
    vec![
        ("unknown field", [payload, &UNKNOWN_FIELD].concat()),
        ("unknown field first", [&UNKNOWN_FIELD, payload].concat()),
        ("field twice", [first.as_slice(), payload].concat()),
        (
            "fields out of order",
            [rest.concat(), first.clone()].concat(),
        ),
        ("overlong key", long_key),
        ("overlong length", long_length),
    ]
}

pub(super) fn has_one_encoding<M, T>(object: &T)
where
    M: Message + Default + PartialEq,
    T: SignedObject + PartialEq + Debug,
{
    let payload = object.to_payload();
    assert_eq!(T::from_payload(&payload).as_ref(), Ok(object));
    assert_eq!(open::<T>(&seal(object)).as_ref(), Ok(object));
    let original = M::decode(payload.as_slice()).unwrap();
    for (what, other) in other_encodings(&payload) {
        let lenient = M::decode(other.as_slice()).unwrap();
        assert!(
            lenient == original,
            "{what}: the test's own encoding is off"
        );
        assert_eq!(
            T::from_payload(&other),
            Err(NOT_CANONICAL),
            "{} with {what}",
            T::TYPE
        );
    }
}

macro_rules! one_encoding {
    ($($test:ident: $object:ty, $message:ty, $strategy:ident;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $test(object in objects::$strategy()) {
                    has_one_encoding::<$message, $object>(&object);
                }
            )*

            #[test]
            fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
                $(prop_assert!(strict::<$object>(&bytes));)*
            }
        }
    };
}

one_encoding! {
    product_has_one_encoding: Product, pb::Product, products;
    approval_has_one_encoding: Approval, pb::ProductApproval, approvals;
    policy_has_one_encoding: SignedPolicy, pb::Policy, policies;
    grant_has_one_encoding: Grant, pb::Grant, grants;
    filing_has_one_encoding: Filing, pb::Filing, filings;
    epoch_has_one_encoding: Epoch, pb::Epoch, epochs;
    revocation_has_one_encoding: Revocation, pb::Revocation, revocations;
    stop_order_has_one_encoding: StopOrder, pb::StopOrder, stop_orders;
    succession_order_has_one_encoding: SuccessionOrder, pb::SuccessionOrder, succession_orders;
}

/// Bytes are refused, or they are what the object encodes to.
pub(super) fn strict<T: SignedObject>(bytes: &[u8]) -> bool {
    T::from_payload(bytes).map_or(true, |object| object.to_payload() == bytes)
}

/// Every altered byte of a valid payload is either refused or another object's own encoding.
#[test]
fn altered_bytes_do_no_harm() {
    fn try_all<T: SignedObject>(object: &T) {
        let payload = object.to_payload();
        for position in 0..payload.len() {
            for altered in [0x00, 0x01, 0x7f, 0x80, 0xff, payload[position] ^ 1] {
                let mut bytes = payload.clone();
                bytes[position] = altered;
                assert!(strict::<T>(&bytes), "{} byte {position}", T::TYPE);
            }
            assert!(
                strict::<T>(&payload[..position]),
                "{} cut at {position}",
                T::TYPE
            );
        }
    }
    try_all(&objects::product());
    try_all(&objects::model());
    try_all(&objects::statistic());
    try_all(&objects::approval());
    try_all(&objects::policy());
    try_all(&objects::grant());
    try_all(&objects::filing());
    try_all(&objects::epoch());
    try_all(&objects::revocation());
    try_all(&objects::stop_order());
}

/// Replaces the field that begins with `key` by what `change` makes of it.
fn with_field(payload: &[u8], key: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let fields = fields(payload);
    assert!(
        fields.iter().any(|field| field.starts_with(key)),
        "the sample has the field"
    );
    let changed = |field: &Vec<u8>| match field.strip_prefix(key) {
        Some(content) => [key, &change(content)].concat(),
        None => field.clone(),
    };
    fields.iter().flat_map(changed).collect()
}

/// A restriction that this version does not know, deep in a grant or product, refuses the whole.
#[test]
fn unknown_fields_inside_are_refused() {
    let append = |content: &[u8]| {
        let mut buffer = content;
        let length = prost::encoding::decode_varint(&mut buffer).unwrap();
        let mut longer = Vec::new();
        prost::encoding::encode_varint(length + 3, &mut longer);
        [&longer, buffer, &UNKNOWN_FIELD].concat()
    };
    let products = with_field(&objects::grant().to_payload(), &[0x5a], append);
    assert_eq!(Grant::from_payload(&products), Err(NOT_CANONICAL));
    let quotas = with_field(&objects::grant().to_payload(), &[0x62], append);
    assert_eq!(Grant::from_payload(&quotas), Err(NOT_CANONICAL));
    let definition = with_field(&objects::product().to_payload(), &[0xa2, 0x01], append);
    assert_eq!(Product::from_payload(&definition), Err(NOT_CANONICAL));
    let audit = with_field(&objects::policy().to_payload(), &[0x32], append);
    assert_eq!(SignedPolicy::from_payload(&audit), Err(NOT_CANONICAL));
}

#[test]
fn explicit_defaults_are_refused() {
    let mut order = objects::stop_order();
    order.lift = false;
    let lift = with_field(&order.to_payload(), &[0x32], |content| {
        [content, &[0x28, 0x00]].concat()
    });
    assert_eq!(StopOrder::from_payload(&lift), Err(NOT_CANONICAL));
    let mut epoch = objects::epoch();
    epoch.issued = lingqu_core::Timestamp(0);
    epoch.revoked.clear();
    let issued = with_field(&epoch.to_payload(), &[0x10], |content| {
        [content, &[0x18, 0x00]].concat()
    });
    assert_eq!(Epoch::from_payload(&issued), Err(NOT_CANONICAL));
    let mut revocation = objects::revocation();
    revocation.reason.clear();
    let reason = with_field(&revocation.to_payload(), &[0x12], |content| {
        [content, &[0x1a, 0x00]].concat()
    });
    assert_eq!(Revocation::from_payload(&reason), Err(NOT_CANONICAL));
}

/// Proto3 lets a writer choose between packed and unpacked; a signer may not.
#[test]
fn unpacked_environments_are_refused() {
    let payload = objects::grant().to_payload();
    // An empty packed field, then each environment under a key of its own.
    let unpacked = with_field(&payload, &[0x52], |_| vec![0, 0x50, 3, 0x50, 1]);
    let (lenient, strict) = (
        pb::Grant::decode(unpacked.as_slice()),
        Grant::from_payload(&unpacked),
    );
    assert_eq!(lenient, pb::Grant::decode(payload.as_slice()));
    assert_eq!(strict, Err(NOT_CANONICAL));
}

/// Sets have one order on the wire.
#[test]
fn sets_out_of_order_are_refused() {
    let policy = objects::policy();
    let swapped = |change: fn(&mut pb::Policy)| super::refused(&policy, change);
    assert_eq!(swapped(|policy| policy.purposes.reverse()), NOT_CANONICAL);
    assert_eq!(swapped(|policy| policy.columns.reverse()), NOT_CANONICAL);
    assert_eq!(
        swapped(|policy| policy.columns[1].uses.reverse()),
        NOT_CANONICAL
    );
    let twice = |policy: &mut pb::Policy| policy.purposes.push("RENT".to_owned());
    assert_eq!(swapped(twice), NOT_CANONICAL);
    let order = super::refused(&objects::epoch(), |epoch: &mut pb::Epoch| {
        epoch.revoked.swap(0, 1);
    });
    assert_eq!(
        (order.field, order.reason),
        ("revoked", "is not strictly ascending")
    );
    let order = super::refused(&objects::epoch(), |epoch: &mut pb::Epoch| {
        epoch.revoked.push("party_x".to_owned());
    });
    assert_eq!(
        (order.field, order.reason),
        ("revoked", "is not strictly ascending")
    );
}

#[test]
fn one_type_does_not_open_as_another() {
    let mut envelope = seal(&objects::revocation());
    assert_eq!(open::<Filing>(&envelope).unwrap_err().field, "payload_type");
    envelope.payload_type.push('2');
    assert_eq!(
        open::<Revocation>(&envelope).unwrap_err().field,
        "payload_type"
    );
}
