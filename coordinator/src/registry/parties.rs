//! Parties: entered with a code, or as founders by whoever writes the configuration.

use lingqu_core::{ErrorCode, PartyId, Timestamp};
use lingqu_tlog::{Hash, Intl, Suite};

use super::Registry;
use crate::config::Founder;
use crate::refusal::Refusal;
use crate::store::acts::{self, Act};
use crate::store::codes::Code;
use crate::store::parties::{self, Party};
use crate::store::{self, Store, StoreError, Writing};

/// Why the founders cannot be entered.
#[derive(Debug, thiserror::Error)]
pub enum FoundingError {
    /// The founder is enrolled otherwise than the configuration says. The database holds; the configuration is wrong.
    #[error("founder `{0}` is enrolled with another key, region or roles")]
    Changed(PartyId),
    /// The approval key is malformed or weak.
    #[error("the approval key of founder `{0}` is not a usable key")]
    Key(PartyId),
    /// A key plays another role already.
    #[error("a key of `{0}` is already enrolled by `{1}`")]
    KeyTaken(String, String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Registry {
    pub(super) async fn enter_party(
        &self,
        tx: &mut Writing,
        id: PartyId,
        code: Code,
        approval_key: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.party(&id).is_ok() {
            return Err(ErrorCode::AlreadyEnrolled.into());
        }
        let party = Party {
            id,
            region: code.region,
            display_name: code.display_name,
            roles: code.roles,
            approval_key,
            enrolled: now,
        };
        Ok(parties::insert(tx, &party).await?)
    }
}

/// Enters the coordinator's own keys and the founders, once; afterwards checks that they are still the same.
pub(crate) async fn found(
    store: &Store,
    own_keys: &[(&'static str, &[u8])],
    coordinator: &str,
    founders: &[Founder],
    now: Timestamp,
) -> Result<(), FoundingError> {
    let mut tx = store.begin().await?;
    for (purpose, key) in own_keys {
        enter_key(&mut tx, key, purpose, coordinator).await?;
    }
    let known = store.parties().await?;
    for founder in founders {
        let key = hex::decode(&founder.approval_key).ok();
        let key = key.filter(|key| Intl::admit(key).is_ok());
        let key = key.ok_or_else(|| FoundingError::Key(founder.party.clone()))?;
        enter_key(&mut tx, &key, "approval", founder.party.as_str()).await?;
        let party = Party {
            id: founder.party.clone(),
            region: founder.region.clone(),
            display_name: founder.party.to_string(),
            roles: founder.roles.clone(),
            approval_key: key,
            enrolled: now,
        };
        match known.iter().find(|known| known.id == party.id) {
            None => {
                parties::insert(&mut tx, &party).await?;
                // Logged with whatever else is not logged yet, before anything is served.
                acts::insert(&mut tx, &founding(coordinator, &party)).await?;
            }
            Some(known) => {
                let same = known.approval_key == party.approval_key
                    && known.region == party.region
                    && known.roles == party.roles;
                if !same {
                    return Err(FoundingError::Changed(party.id));
                }
            }
        }
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(())
}

fn founding(coordinator: &str, party: &Party) -> Act {
    Act {
        action: "found".to_owned(),
        subject: party.id.to_string(),
        digest: key_digest(&party.approval_key),
        actor: coordinator.to_owned(),
        region: Some(party.region.clone()),
        filing_number: None,
        epoch: None,
    }
}

/// The digest by which an act names a key that it enters.
pub(super) fn key_digest(public_key: &[u8]) -> Hash {
    Intl::digest(&[b"lingqu/key\0", public_key])
}

async fn enter_key(
    tx: &mut Writing,
    key: &[u8],
    purpose: &str,
    owner: &str,
) -> Result<(), FoundingError> {
    match store::key_owner(tx, key).await? {
        None => Ok(store::insert_key(tx, key, purpose, owner).await?),
        Some((known_purpose, known)) if known_purpose == purpose && known == owner => Ok(()),
        Some((_, known)) => Err(FoundingError::KeyTaken(owner.to_owned(), known)),
    }
}
