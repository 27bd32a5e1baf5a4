//! Wire ⇄ core, one noun a file. The wire is converted once, into types that cannot be wrong; errors name the field
//! and never show its value.
//!
//! Signed objects go through [`SignedObject`], whose decoding refuses every encoding but the canonical one. Start
//! reading at `signed.rs`.

mod agreement;
mod application;
mod approval;
mod body_order;
mod call;
mod case;
mod credential;
mod destruction;
mod envelope;
mod environment;
mod epoch;
mod field;
mod filing;
mod grant;
mod head;
mod key_proof;
mod load;
mod note;
mod policy;
mod product;
mod receipt;
mod revocation;
mod role;
mod score;
mod signed;
mod source_order;
mod stop;
mod stream_end;
mod succession;
mod suspension;
mod verdict;

pub use call::{
    CallInvalid, CallRequest, ClaimValue, ProductCall, RequestParts, explain_request, product_call,
    query_request, score_request, verify_request,
};
pub use case::stance_to_pb;
pub use envelope::{decode_envelope, encode_envelope, envelope_from_pb, envelope_to_pb};
pub use environment::{environment_from_pb, environment_to_pb};
pub use field::FieldInvalid;
pub use grant::grant_kind_to_pb;
pub use head::{head_shown_from_pb, head_shown_to_pb};
pub use key_proof::key_proof_message;
pub use load::{load_from_pb, load_to_pb};
pub use note::{note_signature_from_pb, note_signature_to_pb};
pub use product::product_ref;
pub use receipt::{level_from_pb, level_to_pb, receipt_from_pb, receipt_to_pb};
pub use role::{role_from_pb, role_to_pb, roles_from_pb};
pub use score::{Score, ScoreValue, score_from_pb, score_to_pb};
pub use signed::{SignedObject, open, seal};
pub use stream_end::{EndRefused, EndTerms, check_end, named_key};
pub use succession::order_of;
pub use verdict::{Verdict, verdict_from_pb, verdict_to_pb};

#[cfg(test)]
mod tests;
