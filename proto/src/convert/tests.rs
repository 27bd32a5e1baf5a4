//! Tests over all signed objects, and over the conversions that are no signed objects.

mod canonical;
mod enums;
mod envelope;
mod grant;
mod objects;
mod receipt;
mod rules;
mod workflow;

use std::fmt::Debug;

use prost::Message;

use super::{FieldInvalid, SignedObject};

/// What `object` is refused for once its message was changed by `change`.
fn refused<M: Message + Default, T: SignedObject + Debug>(
    object: &T,
    change: impl FnOnce(&mut M),
) -> FieldInvalid {
    let mut message = M::decode(object.to_payload().as_slice()).unwrap();
    change(&mut message);
    T::from_payload(&message.encode_to_vec()).expect_err("the changed object is refused")
}

/// `object` with its message changed by `change`, which must still be valid.
fn accepted<M: Message + Default, T: SignedObject + Debug>(
    object: &T,
    change: impl FnOnce(&mut M),
) -> T {
    let mut message = M::decode(object.to_payload().as_slice()).unwrap();
    change(&mut message);
    T::from_payload(&message.encode_to_vec()).expect("the changed object is still valid")
}
