//! What a call states about itself, in the headers of a Flight request: `lingqu-grant`, `lingqu-purpose` and so on.
//!
//! Only the form of headers is checked here. What they say is read by the same code as on every other way in, and
//! decided by the same table.

use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_core::{CallId, ErrorCode, ProductId, Timestamp};
use lingqu_proto::CallInvalid;
use ring::rand::{SecureRandom, SystemRandom};
use tonic::metadata::{KeyAndValueRef, MetadataMap};

/// Every header of ours begins like this; one that is none of [`HEADERS`] is refused, since it may be a restriction
/// that its sender relies on.
const PREFIX: &str = "lingqu-";
/// The headers, in alphabetical order.
pub const HEADERS: [&str; 7] = [
    "lingqu-as-of-min",
    "lingqu-call-id",
    "lingqu-end-user",
    "lingqu-environment",
    "lingqu-grant",
    "lingqu-purpose",
    "lingqu-scenario",
];

/// Places in [`HEADERS`].
const ENVIRONMENT: usize = 3;
const GRANT: usize = 4;

/// What the headers of one request say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    values: [Option<String>; HEADERS.len()],
}

impl Stated {
    /// Reads the headers of ours.
    ///
    /// # Errors
    /// [`CallInvalid`] for one that is there twice, that nobody knows, or that is not printable ASCII.
    pub fn read(headers: &MetadataMap) -> Result<Stated, CallInvalid> {
        let mut stated = Stated::default();
        for header in headers.iter() {
            match header {
                KeyAndValueRef::Ascii(name, value) if name.as_str().starts_with(PREFIX) => {
                    let place = HEADERS
                        .binary_search(&name.as_str())
                        .map_err(|_| invalid("lingqu-*", "is a header that nobody knows"))?;
                    let text = value
                        .to_str()
                        .map_err(|_| invalid(HEADERS[place], "is not printable ASCII"))?;
                    if stated.values[place].replace(text.to_owned()).is_some() {
                        return Err(invalid(HEADERS[place], "is there twice"));
                    }
                }
                KeyAndValueRef::Binary(name, _) if name.as_str().starts_with(PREFIX) => {
                    return Err(invalid("lingqu-*", "is a header that nobody knows"));
                }
                KeyAndValueRef::Ascii(..) | KeyAndValueRef::Binary(..) => {}
            }
        }
        Ok(stated)
    }

    /// The first header of this request that was not the same in `earlier`. A client may leave headers out when it
    /// fetches what it asked for; it cannot change them.
    pub fn changed_since(&self, earlier: &Stated) -> Option<&'static str> {
        let differs = |place: &usize| {
            let now = &self.values[*place];
            now.is_some() && *now != earlier.values[*place]
        };
        (0..HEADERS.len()).find(differs).map(|place| HEADERS[place])
    }

    /// The header of this request, of those that say where and under which grant a call is made, that is not exactly as
    /// in `earlier`. One that is there in only one of the two differs.
    pub fn moved_since(&self, earlier: &Stated) -> Option<&'static str> {
        let differs = |place: &usize| self.values[*place] != earlier.values[*place];
        [ENVIRONMENT, GRANT]
            .into_iter()
            .find(differs)
            .map(|place| HEADERS[place])
    }

    /// What a call of `product` says about itself: its id, `minted` if the caller chose none; what it asks for; and its
    /// bound on the data's date.
    ///
    /// # Errors
    /// [`CallInvalid`] for an id, a grant, an environment or a date that cannot be read.
    pub fn asked(
        &self,
        product: ProductId,
        minted: CallId,
    ) -> Result<(CallId, Asked, Option<Timestamp>), CallInvalid> {
        let [
            as_of_min,
            call_id,
            end_user,
            environment,
            grant,
            purpose,
            scenario,
        ] = &self.values;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let id = match call_id {
            None => minted,
            Some(id) => id.parse().map_err(|_| CallInvalid {
                code: ErrorCode::CallIdInvalid,
                field: "lingqu-call-id",
                reason: "is not `call_` and 32 hexadecimal digits, or all zero",
            })?,
        };
        let environment = environment
            .as_deref()
            .ok_or(invalid("lingqu-environment", "is missing"))?;
        let environment = environment_from_word(environment).ok_or(invalid(
            "lingqu-environment",
            "is not `TEST`, `PROD_DEBUG` or `PROD`",
        ))?;
        let grant = grant.as_deref().map(str::parse).transpose();
        let grant = grant.map_err(|_| invalid("lingqu-grant", "is not the id of a grant"))?;
        let as_of_min = as_of_min.as_deref().map(str::parse).transpose();
        let as_of_min = as_of_min.map_err(|_| {
            invalid(
                "lingqu-as-of-min",
                "is not `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`",
            )
        })?;
        let asked = Asked {
            grant,
            product,
            version: None,
            purpose: text(purpose),
            scenario: text(scenario),
            end_user: text(end_user),
            environment,
        };
        Ok((id, asked, as_of_min))
    }

    /// The grant that is named, if any.
    pub fn grant(&self) -> Option<&str> {
        self.values[GRANT].as_deref()
    }
}

/// The environment of this name.
pub fn environment_from_word(word: &str) -> Option<Environment> {
    [Environment::Test, Environment::ProdDebug, Environment::Prod]
        .into_iter()
        .find(|environment| environment.as_str() == word)
}

/// An id for a call whose caller chose none. Its answer cannot be asked for again: every request without one gets another.
pub(super) fn minted() -> Result<CallId, CallInvalid> {
    let no_id = CallInvalid {
        code: ErrorCode::Internal,
        field: "call_id",
        reason: "cannot be chosen",
    };
    let mut id = [0; 16];
    SystemRandom::new().fill(&mut id).map_err(|_| no_id)?;
    CallId::try_from(&id[..]).map_err(|_| no_id)
}

fn invalid(field: &'static str, reason: &'static str) -> CallInvalid {
    CallInvalid {
        code: ErrorCode::RequestInvalid,
        field,
        reason,
    }
}

#[cfg(test)]
mod tests;
