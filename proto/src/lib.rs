//! `lingqu.v1`: the generated messages and services, and the only conversions between them and the types of
//! `lingqu-core`.
//!
//! In scope: strict decoding of signed objects, calls and receipts into types that cannot be wrong; who may call which
//! RPC at all ([`access`]).
//! Out of scope: sockets and statuses (`lingqu-transport`), signatures and trust (`lingqu-core`), decisions.
//! Start reading at [`SignedObject`], then [`product_call`].

pub mod access;
mod convert;
mod redacted;

pub use convert::{
    CallInvalid, CallRequest, ClaimValue, EndRefused, EndTerms, FieldInvalid, ProductCall,
    RequestParts, Score, ScoreValue, SignedObject, Verdict, check_end, decode_envelope,
    encode_envelope, envelope_from_pb, envelope_to_pb, environment_from_pb, environment_to_pb,
    explain_request, grant_kind_to_pb, head_shown_from_pb, head_shown_to_pb, key_proof_message,
    level_from_pb, level_to_pb, load_from_pb, load_to_pb, named_key, note_signature_from_pb,
    note_signature_to_pb, open, order_of, product_call, product_ref, query_request,
    receipt_from_pb, receipt_to_pb, role_from_pb, role_to_pb, roles_from_pb, score_from_pb,
    score_request, score_to_pb, seal, stance_to_pb, verdict_from_pb, verdict_to_pb, verify_request,
};
pub use rpc::Rpc;

/// Messages, clients and servers, generated from `proto/lingqu/v1`. They appear in service implementations only;
/// everything else works on what the conversions give.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    rustdoc::all,
    reason = "generated; the .proto files are its documentation"
)]
pub mod pb {
    include!("generated/lingqu.v1.rs");
}

mod rpc {
    include!("generated/rpc.rs");
}

/// The serialised `google.protobuf.FileDescriptorSet` of `lingqu.v1`, for tools that call without the `.proto` files.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/lingqu.v1.bin");
