//! The registry: who takes part, what is filed, what is revoked. One noun a file.
//!
//! It can refuse, it can never grant: what it files was signed by others, and a node checks those signatures itself.
//! Acts are carried out one at a time, each to its end once begun, so that their order in the database, in the own
//! stream and towards the nodes is one and the same.

pub(crate) mod codes;
pub(crate) mod contacts;
pub(crate) mod nodes;
pub(crate) mod objects;
pub(crate) mod overview;
pub(crate) mod parties;
pub(crate) mod past;
pub(crate) mod revocations;
pub(crate) mod suspensions;
pub(crate) mod watch;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use lingqu_core::{Clock, CoordinatorId, ErrorCode, NodeId, PartyId, Region, Timestamp};
use lingqu_proto::Rpc;
use lingqu_proto::access::{self, Kind, Server};
use lingqu_transport::{Peer, PeerId};

use self::codes::Failures;
use self::contacts::Contacts;
use self::revocations::{CurrentEpoch, Lists};
use crate::config::{Config, EpochConfig, Limits, WorkflowConfig};
use crate::keys::{Keys, Names};
use crate::mirror::Mirror;
use crate::own_stream::{self, SettleError};
use crate::places::Places;
use crate::refusal::Refusal;
use crate::store::nodes::Node;
use crate::store::parties::Party;
use crate::store::{Store, StoreError, Writing};

/// See the module.
pub(crate) struct Registry {
    pub(crate) store: Store,
    pub(crate) mirror: Arc<Mirror>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Keys,
    names: Names,
    pub(crate) id: CoordinatorId,
    limits: Limits,
    pub(crate) workflow: WorkflowConfig,
    epoch_config: EpochConfig,
    /// Who takes part, for questions that cannot wait for the database. Written by acts only.
    pub(crate) directory: ArcSwap<Directory>,
    /// Nodes that another coordinator has enrolled, and whose streams are mirrored here.
    mirrored: HashSet<NodeId>,
    /// Held by whoever carries out an act.
    acting: tokio::sync::Mutex<()>,
    /// Changes when something was filed.
    pub(crate) filed: tokio::sync::watch::Sender<u64>,
    epoch: tokio::sync::watch::Sender<Arc<CurrentEpoch>>,
    failures: Mutex<Failures>,
    /// An act was stored and could not be logged: nothing more is done before a restart has made it good.
    interrupted: AtomicBool,
    /// Places for nodes that watch.
    pub(crate) watchers: Places,
    /// When each node was last heard of.
    pub(crate) contacts: Contacts,
}

/// Everybody who takes part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    pub(crate) parties: HashMap<PartyId, Party>,
    pub(crate) nodes: HashMap<NodeId, Node>,
}

impl Directory {
    pub(crate) async fn load(store: &Store) -> Result<Directory, StoreError> {
        let parties = store.parties().await?.into_iter();
        let nodes = store.nodes().await?.into_iter();
        Ok(Directory {
            parties: parties.map(|party| (party.id.clone(), party)).collect(),
            nodes: nodes.map(|node| (node.id.clone(), node)).collect(),
        })
    }
}

impl Registry {
    /// Brings database and own stream together, and issues the current epoch.
    pub(crate) async fn open(
        config: &Config,
        clock: Arc<dyn Clock>,
        keys: Keys,
        store: Store,
        mirror: Arc<Mirror>,
    ) -> Result<Registry, SettleError> {
        own_stream::recover(&store, &mirror).await?;
        let directory = Directory::load(&store).await?;
        let number = store.epoch_number().await?;
        let lists = Lists {
            revoked: store.revoked().await?,
            suspended: store.suspended().await?,
        };
        let epoch = CurrentEpoch::sign(
            &config.id,
            keys.signing.as_ref(),
            number.unwrap_or(1),
            lists,
            clock.now(),
            config.epoch.valid_s,
        );
        let registry = Registry {
            store,
            mirror,
            names: Names::new(&config.origin_name),
            id: config.id.clone(),
            limits: config.limits,
            workflow: config.workflow.clone(),
            epoch_config: config.epoch,
            directory: ArcSwap::from_pointee(directory),
            mirrored: config.mirrored.iter().map(|one| one.node.clone()).collect(),
            acting: tokio::sync::Mutex::new(()),
            filed: tokio::sync::watch::Sender::new(0),
            failures: Mutex::new(Failures::new(&config.limits)),
            interrupted: AtomicBool::new(false),
            watchers: Places::new(config.limits.watchers_max),
            contacts: Contacts::default(),
            epoch: tokio::sync::watch::Sender::new(Arc::new(epoch)),
            clock,
            keys,
        };
        if number.is_none() {
            let first = registry.begin_epochs().await;
            first.map_err(|refusal| SettleError::NotLogged(refusal.code))?;
        }
        Ok(registry)
    }

    /// Whether the caller may use the RPC at `path` at all, before a byte of its body is read.
    pub(crate) fn admit(
        &self,
        path: &str,
        peer: Result<&Peer, ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let peer = peer?;
        let rpc = Rpc::from_path(path);
        let row = match access::beside(Server::Coordinator, path) {
            Some(row) => row,
            None => access::admission(rpc.ok_or(ErrorCode::RequestInvalid)?),
        };
        if row.server != Server::Coordinator {
            return Err(ErrorCode::RequestInvalid);
        }
        let directory = self.directory.load();
        match &peer.id {
            PeerId::Coordinator(_) => row.admits(Some(Kind::Coordinator), false, &[]),
            PeerId::Node(id) => {
                let enrolled = directory.nodes.contains_key(id);
                let replicates = matches!(rpc, Some(Rpc::MirrorReplicate | Rpc::MirrorEntries));
                let is_mirrored = replicates && self.mirrored.contains(id);
                row.admits(Some(Kind::Node), enrolled || is_mirrored, &[])?;
                if enrolled {
                    self.contacts.heard(id, self.clock.now());
                }
                Ok(())
            }
            PeerId::Party(id) => {
                if self.epoch.borrow().revoked.contains(id.as_str()) {
                    return Err(ErrorCode::CallerRevoked);
                }
                let party = directory.parties.get(id);
                let roles = party.map_or(&[][..], |party| &party.roles);
                row.admits(Some(Kind::Party), party.is_some(), roles)
            }
        }
    }

    /// Everybody who takes part, now.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// Whether acts can be carried out: none is stored that could not be logged.
    pub(crate) fn acts_are_logged(&self) -> bool {
        !self.interrupted.load(Ordering::SeqCst)
    }

    /// The registry's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The enrolled party with this id.
    pub(crate) fn party(&self, id: &PartyId) -> Result<Party, ErrorCode> {
        let directory = self.directory.load();
        directory
            .parties
            .get(id)
            .cloned()
            .ok_or(ErrorCode::NotEnrolled)
    }

    /// The enrolled party with this id, if it may still act. The door asks the same before the body is read, but a body
    /// can be held back until long after its sender was revoked.
    pub(crate) fn actor(&self, id: &PartyId) -> Result<Party, ErrorCode> {
        if self.epoch.borrow().revoked.contains(id.as_str()) {
            return Err(ErrorCode::CallerRevoked);
        }
        self.party(id)
    }

    /// Completes when the party is revoked.
    pub(crate) async fn revoked(&self, id: &PartyId) {
        let mut epochs = self.epoch.subscribe();
        // It fails only without a sender, which lives as long as `self`.
        let _ = epochs
            .wait_for(|epoch| epoch.revoked.contains(id.as_str()))
            .await;
    }

    /// The enrolled node with this id.
    pub(crate) fn node(&self, id: &NodeId) -> Result<Node, ErrorCode> {
        let directory = self.directory.load();
        directory
            .nodes
            .get(id)
            .cloned()
            .ok_or(ErrorCode::NotEnrolled)
    }

    /// Waits until no other act is being carried out.
    ///
    /// # Errors
    /// [`ErrorCode::AuditUnavailable`] when an earlier act could not be logged: it might be logged twice if this went on.
    pub(crate) async fn acting(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Refusal> {
        let guard = self.acting.lock().await;
        if self.interrupted.load(Ordering::SeqCst) {
            return Err(ErrorCode::AuditUnavailable.into());
        }
        Ok(guard)
    }

    /// Makes an act durable, in the database and in the own stream. What it changes may be told after this.
    pub(crate) async fn carry_out(&self, tx: Writing) -> Result<(), Refusal> {
        self.interrupted.store(true, Ordering::SeqCst);
        tx.commit().await.map_err(StoreError::from)?;
        // At this point the act is stored. A crash from here on finds it unlogged, and logs it before it is served.
        own_stream::settle(&self.store, &self.mirror).await?;
        self.interrupted.store(false, Ordering::SeqCst);
        Ok(())
    }

    async fn refresh(&self) -> Result<(), Refusal> {
        self.directory
            .store(Arc::new(Directory::load(&self.store).await?));
        Ok(())
    }

    /// Refuses what lies outside the region of whoever asks.
    fn within(&self, party: &Party, region: &Region) -> Result<(), Refusal> {
        if party.region.covers(region) {
            Ok(())
        } else {
            Err(ErrorCode::RegionForbidden.into())
        }
    }
}

#[cfg(test)]
pub(crate) mod testbed;
