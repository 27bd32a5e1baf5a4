//! How readings become products: which resources are to be read, what is built over them, and what stays when something
//! does not fit.
//!
//! One rule throughout: what answers now goes on until all that takes its place is there. A reading under which an open
//! product would have to close is refused as a whole, with everything that was built over it.

mod noisy;
mod statistics;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use arrow_array::RecordBatch;
use lingqu_core::product::{Definition, SignedPolicy, Statistic};
use lingqu_core::{LoadId, Timestamp};
use lingqu_guard::{PartitionRefused, ProductRefused};

use super::snapshot::{Snapshot, Table, open_columns, table};
use super::{Answering, Key, Open, Products, Shut, dimensions, policies};
use crate::admission::holdings::{ApprovedProduct, Holdings};
use crate::evaluate::{Prepared, dp, model, statistic, verification};
use crate::sources::reading::{LoadFailed, ReadTable};
use crate::sources::schema::Columns;
use crate::sources::{ColumnsUnfit, Resource};

/// Reads a resource: its place, the columns that may be read, the date that the unit said.
pub(crate) type ReadFn<'a> =
    dyn Fn(usize, &[String], Option<Timestamp>) -> Result<ReadTable, LoadFailed> + 'a;

/// A resource that is to be read whatever answers from it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Task {
    /// The date that it speaks for, as the unit says it with this load.
    pub(crate) as_of: Option<Timestamp>,
    /// The load that the unit has marked as wrong, and why: the new one may be of an earlier date.
    pub(crate) corrects: Option<Correction>,
}

/// See [`Task::corrects`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Correction {
    pub(crate) wrong: LoadId,
    pub(crate) reason: String,
    /// Number of the unit's order.
    pub(crate) number: u64,
}

/// What answers next, once it is swapped in, and what came of each reading.
pub(crate) struct Settled {
    next: Answering,
    /// The readings that answer next.
    pub(crate) loads: Vec<Loaded>,
    /// The readings that failed or were refused.
    pub(crate) failed: Vec<(usize, LoadFailed)>,
}

/// One reading that was taken.
pub(crate) struct Loaded {
    /// The place of its resource.
    pub(crate) place: usize,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Every column of the table, as it was found.
    pub(crate) columns: Columns,
}

/// Why a product cannot be opened. Names columns and rules, never values.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    #[error(transparent)]
    Columns(#[from] ColumnsUnfit),
    #[error(transparent)]
    Cells(#[from] ProductRefused),
    #[error("the statistics engine cannot be started")]
    Engine,
    #[error(transparent)]
    Model(#[from] model::PrepareRefused),
    #[error(transparent)]
    Noisy(#[from] dp::NotOpened),
    #[error("there is no current load")]
    NoLoad,
    #[error("there is no policy in force on every resource that it reads")]
    NoPolicy,
    #[error(transparent)]
    Partition(#[from] PartitionRefused),
    #[error(transparent)]
    Statistic(#[from] statistic::PrepareRefused),
    #[error(transparent)]
    Verification(#[from] verification::PrepareRefused),
}

/// An approved product in the environments of one resource.
struct Plan {
    product: Arc<ApprovedProduct>,
    keys: Vec<Key>,
    /// None if one is missing.
    policies: Option<Vec<Arc<SignedPolicy>>>,
    /// Its own resource, then the public ones; none if one is missing in these environments.
    places: Option<Vec<usize>>,
    own: usize,
    /// What answers now, if it is still what the unit approved.
    kept: Option<Open>,
    /// Whether it was tried before with all the same.
    was_shut: bool,
}

impl Plan {
    fn statistic(&self) -> Option<&Statistic> {
        match &self.product.product.definition {
            Definition::Statistic(statistic) => Some(statistic),
            Definition::Model(_) | Definition::Verification(_) => None,
        }
    }

    fn uses(&self, place: usize) -> bool {
        match &self.places {
            Some(places) => places.contains(&place),
            None => self.own == place,
        }
    }

    fn shut(&self) -> Shut {
        Shut {
            digest: self.product.digest,
            policies: self.policies.clone(),
            resources: self.places.clone().unwrap_or_else(|| vec![self.own]),
        }
    }

    /// Whether it cannot be opened without reading `place`.
    fn needs(&self, place: usize, snapshot: Option<&Arc<Snapshot>>) -> bool {
        if self.kept.is_some() || self.was_shut || !self.uses(place) {
            return false;
        }
        let Some(policies) = &self.policies else {
            return false;
        };
        let policy = { self.places.iter().flatten() }
            .zip(policies)
            .find(|(one, _)| **one == place)
            .map(|(_, policy)| policy);
        match (self.statistic(), snapshot, policy) {
            (_, _, None) => false,
            (Some(_), Some(snapshot), Some(policy)) => {
                snapshot.table.is_none() || snapshot.policy != *policy
            }
            // The rows of the others are not kept.
            (Some(_), None, Some(_)) | (None, _, Some(_)) => true,
        }
    }
}

/// One reading, with what was built over it.
struct Fresh {
    loaded: Loaded,
    /// Whether it is another load than the one before it.
    is_new: bool,
}

/// One settlement under way.
struct Round<'a> {
    products: &'a Products,
    holdings: &'a Holdings,
    before: Arc<Answering>,
    plans: Vec<Plan>,
    snapshots: Vec<Option<Arc<Snapshot>>>,
    fresh: BTreeMap<usize, Fresh>,
    /// By the places of the plans.
    built: BTreeMap<usize, Arc<Prepared>>,
    failed: Vec<(usize, LoadFailed)>,
}

impl Products {
    /// Reads what is to be read and builds what is to be open. Nothing changes before [`Products::swap`]. Blocking, and
    /// one at a time: only the loader calls it.
    pub(crate) fn settle(
        &self,
        holdings: &Holdings,
        tasks: &BTreeMap<usize, Task>,
        is_wrong: &dyn Fn(&LoadId) -> bool,
        read: &ReadFn<'_>,
    ) -> Settled {
        let before = self.answering.load_full();
        let plans = self.plans(holdings, &before);
        let mut round = Round {
            products: self,
            holdings,
            snapshots: before.snapshots.clone(),
            before,
            plans,
            fresh: BTreeMap::new(),
            built: BTreeMap::new(),
            failed: Vec::new(),
        };
        for place in 0..self.resources.len() {
            let snapshot = round.snapshots[place].clone();
            let mut plans = round.plans.iter();
            if !round.plans.iter().any(|plan| plan.uses(place)) {
                // Nobody asks it any more: its rows need not be in memory.
                round.snapshots[place] = None;
            } else if tasks.contains_key(&place)
                || plans.any(|plan| plan.needs(place, snapshot.as_ref()))
            {
                let task = tasks.get(&place).cloned().unwrap_or_default();
                if let Err(failed) = round.read(place, &task, is_wrong, read) {
                    round.refuse(place, failed);
                }
            }
        }
        round.build_statistics();
        round.end()
    }

    /// Lets what was settled answer, as far as it is still what the unit approves: all of it at once.
    pub(crate) fn swap(
        &self,
        settled: &Settled,
        is_wrong: &dyn Fn(&LoadId) -> bool,
        holdings: impl FnOnce() -> Arc<Holdings>,
    ) {
        let _no_other = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = settled.next.clone();
        self.keep_current(&mut next, &holdings());
        let ids = { next.snapshots.iter().flatten() }.map(|snapshot| snapshot.load.id.clone());
        for wrong in ids.filter(is_wrong).collect::<Vec<_>>() {
            drop_load(&mut next, &wrong);
        }
        self.answering.store(Arc::new(next));
    }

    /// Closes what the unit no longer approves, or approves under another policy. At once: what takes its place may be a
    /// long load away.
    pub(crate) fn close_outdated(&self, holdings: impl FnOnce() -> Arc<Holdings>) {
        let _no_other = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Answering::clone(&self.answering.load());
        self.keep_current(&mut next, &holdings());
        self.answering.store(Arc::new(next));
    }

    /// Ends all answering from a load that the unit has marked as wrong, at once.
    pub(crate) fn withdraw(&self, wrong: &LoadId) {
        let _no_other = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Answering::clone(&self.answering.load());
        drop_load(&mut next, wrong);
        self.answering.store(Arc::new(next));
    }

    fn keep_current(&self, answering: &mut Answering, holdings: &Holdings) {
        let approved: BTreeMap<_, _> = holdings
            .approved()
            .map(|product| (&product.product.reference, product))
            .collect();
        answering.open.retain(|(reference, _), open| {
            approved.get(reference).is_some_and(|product| {
                product.digest == open.digest
                    && policies(product, holdings).as_ref() == Some(&open.policies)
            })
        });
    }

    fn plans(&self, holdings: &Holdings, before: &Answering) -> Vec<Plan> {
        let mut plans = Vec::new();
        for product in holdings.approved() {
            let policies = policies(product, holdings);
            for (own, resource) in self.resources.iter().enumerate() {
                if resource.name != product.product.resource {
                    continue;
                }
                let environments = resource.environments.iter();
                let keys: Vec<Key> = environments
                    .map(|environment| (product.product.reference.clone(), *environment))
                    .collect();
                let is_same = |open: &&Open| {
                    open.digest == product.digest && Some(&open.policies) == policies.as_ref()
                };
                let kept = keys
                    .iter()
                    .find_map(|key| before.open.get(key).filter(is_same));
                let mut plan = Plan {
                    product: Arc::clone(product),
                    policies: policies.clone(),
                    places: self.places(product, own, resource),
                    own,
                    kept: kept.cloned(),
                    was_shut: false,
                    keys,
                };
                let shut = plan.keys.first().and_then(|key| before.shut.get(key));
                plan.was_shut = shut == Some(&plan.shut());
                plans.push(plan);
            }
        }
        plans
    }

    /// The places of its resources. The public ones too must serve each of its own one's environments, and so not be
    /// somewhere else.
    fn places(&self, product: &ApprovedProduct, own: usize, of: &Resource) -> Option<Vec<usize>> {
        let dimension = |name: &String| {
            self.resources.iter().position(|candidate| {
                let serves = |environment| candidate.environments.contains(environment);
                candidate.name == *name && of.environments.iter().all(serves)
            })
        };
        let dimensions = dimensions(product).iter().map(dimension);
        std::iter::once(Some(own)).chain(dimensions).collect()
    }
}

impl Round<'_> {
    /// Reads one resource and builds what is over it alone; its rows are let go of where no statistic reads them.
    fn read(
        &mut self,
        place: usize,
        task: &Task,
        is_wrong: &dyn Fn(&LoadId) -> bool,
        read: &ReadFn<'_>,
    ) -> Result<(), LoadFailed> {
        let resource = Arc::clone(&self.products.resources[place]);
        let Some(policy) = self.holdings.policy_on(&resource.name) else {
            return Ok(());
        };
        let found = read(place, &open_columns(&policy.policy), task.as_of)?;
        let current = self.snapshots[place].clone();
        if let Some(current) = &current
            && found.as_of < current.load.as_of
            && task.corrects.is_none()
        {
            return Err(LoadFailed::GoesBack {
                found: found.as_of,
                current: current.load.as_of,
            });
        }
        let table = self.table(place, &found.batches, &policy);
        let snapshot = Snapshot::of(&resource.name, &resource.label(), &found, &policy, table);
        if is_wrong(&snapshot.load.id) {
            return Err(LoadFailed::Wrong(snapshot.load.id));
        }
        let is_same = |current: &&Arc<Snapshot>| {
            current.load.id == snapshot.load.id && current.policy == policy
        };
        let same = current.as_ref().filter(is_same);
        let is_new = same.is_none();
        self.build_alone(place, &snapshot, is_new, &found.batches)?;
        let snapshot = Arc::new(match same {
            Some(same) => same.with_table(snapshot.table),
            None => snapshot,
        });
        self.snapshots[place] = Some(Arc::clone(&snapshot));
        let loaded = Loaded {
            place,
            snapshot,
            columns: found.found,
        };
        self.fresh.insert(place, Fresh { loaded, is_new });
        Ok(())
    }

    fn table(&self, place: usize, batches: &[RecordBatch], policy: &SignedPolicy) -> Option<Table> {
        let mut plans = self.plans.iter();
        let is_read = plans.any(|plan| plan.statistic().is_some() && plan.uses(place));
        if !is_read {
            return None;
        }
        let table = table(batches, &policy.policy);
        if let Err(error) = &table {
            let resource = &policy.resource;
            tracing::error!(%error, resource, "no statistic can be over this resource");
        }
        table.ok()
    }

    /// Builds what is over this resource alone: verifications and models.
    fn build_alone(
        &mut self,
        place: usize,
        snapshot: &Snapshot,
        is_new: bool,
        batches: &[RecordBatch],
    ) -> Result<(), LoadFailed> {
        let limits = &self.products.limits;
        let mut built = BTreeMap::new();
        for (index, plan) in self.plans.iter().enumerate() {
            let is_kept = plan.kept.is_some();
            if plan.own != place || plan.statistic().is_some() || (is_kept && !is_new) {
                continue;
            }
            let product = &plan.product.product;
            let load = snapshot.load.clone();
            let opened = match &product.definition {
                Definition::Model(definition) => {
                    model::Prepared::build(definition, load, batches, limits.rows_max)
                        .map(Prepared::Model)
                        .map_err(Unopened::from)
                }
                Definition::Verification(_) | Definition::Statistic(_) => {
                    let per_key = limits.rows_per_key_max;
                    verification::Prepared::build(product, load, batches, limits.rows_max, per_key)
                        .map(Prepared::Verification)
                        .map_err(Unopened::from)
                }
            };
            match opened {
                Ok(prepared) => {
                    built.insert(index, Arc::new(prepared));
                }
                Err(error) if is_kept => return Err(would_close(plan, &error)),
                Err(error) => tell(plan, &error),
            }
        }
        self.built.extend(built);
        Ok(())
    }

    /// Builds what may be over several resources. Each pass either ends or refuses at least one reading, so there are no
    /// more passes than readings.
    fn build_statistics(&mut self) {
        while let Some((places, failed)) = self.try_every_statistic() {
            for place in places {
                self.refuse(place, failed.clone());
            }
        }
    }

    fn try_every_statistic(&mut self) -> Option<(Vec<usize>, LoadFailed)> {
        match self.try_statistics() {
            Some(in_the_way) => Some(in_the_way),
            None => self.try_noisy(),
        }
    }

    /// Puts back what answered before a reading, with all that was built over it.
    fn refuse(&mut self, place: usize, failed: LoadFailed) {
        self.failed.push((place, failed));
        self.fresh.remove(&place);
        self.snapshots[place].clone_from(&self.before.snapshots[place]);
        let plans = &self.plans;
        self.built.retain(|index, _| !plans[*index].uses(place));
    }

    fn end(self) -> Settled {
        let mut open = BTreeMap::new();
        let mut shut = BTreeMap::new();
        for (index, plan) in self.plans.iter().enumerate() {
            let prepared = self.built.get(&index).cloned();
            let is_built = prepared.is_some();
            let kept = plan.kept.as_ref().map(|kept| Arc::clone(&kept.prepared));
            let opened = prepared.or(kept).zip(plan.policies.clone());
            let resources = plan.shut().resources;
            let Some((prepared, policies)) = opened else {
                shut.extend(plan.keys.iter().map(|key| (key.clone(), plan.shut())));
                continue;
            };
            if is_built {
                let product = &plan.product.product.reference;
                let resource = self.products.resources[plan.own].label();
                tracing::info!(%product, resource, "product opened");
            }
            // One reading serves every environment of the resource; no other resource is in it.
            for key in &plan.keys {
                let opened = Open {
                    digest: plan.product.digest,
                    policies: policies.clone(),
                    resources: resources.clone(),
                    prepared: Arc::clone(&prepared),
                };
                open.insert(key.clone(), opened);
            }
        }
        Settled {
            next: Answering {
                open,
                shut,
                snapshots: self.snapshots,
            },
            loads: self.fresh.into_values().map(|fresh| fresh.loaded).collect(),
            failed: self.failed,
        }
    }
}

fn drop_load(answering: &mut Answering, wrong: &LoadId) {
    let names = |open: &Open| open.prepared.loads().iter().any(|load| load.id == *wrong);
    answering.open.retain(|_, open| !names(open));
    for snapshot in &mut answering.snapshots {
        if snapshot.as_ref().is_some_and(|held| held.load.id == *wrong) {
            *snapshot = None;
        }
    }
}

fn would_close(plan: &Plan, error: &Unopened) -> LoadFailed {
    LoadFailed::Product {
        product: plan.product.product.reference.to_string(),
        why: error.to_string(),
    }
}

fn tell(plan: &Plan, error: &Unopened) {
    let product = &plan.product.product.reference;
    let resource = &plan.product.product.resource;
    tracing::error!(%product, resource, %error, "product cannot be opened");
}
