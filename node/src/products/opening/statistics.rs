//! Statistics open together: all of one resource are made of the same cells, so that no two of their answers differ by
//! few entities, whichever of them, and whichever load, they are from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lingqu_core::product::Statistic;
use lingqu_guard::{Engine, Partition, PartitionRefused};

use super::{Plan, Round, Unopened, tell, would_close};
use crate::evaluate::Prepared;
use crate::evaluate::statistic::{self, Registered, TableSource};
use crate::sources::reading::LoadFailed;

/// Readings that stand in the way, and why.
pub(super) type InTheWay = (Vec<usize>, LoadFailed);

/// Statistics by the places of their plans.
type Statistics = BTreeMap<usize, Arc<Registered>>;

impl Round<'_> {
    /// One pass; the readings that stand in the way of an open statistic, if there are such.
    pub(super) fn try_statistics(&mut self) -> Option<InTheWay> {
        let (mut registered, mut changed) = (Statistics::new(), BTreeSet::new());
        for (index, plan) in self.plans.iter().enumerate() {
            let Some(definition) = plan.statistic().filter(|one| one.dp.is_none()) else {
                continue;
            };
            let places = plan.places.as_deref().unwrap_or_default();
            let is_read = places.iter().any(|place| self.fresh.contains_key(place));
            let renewed = self.renewed(plan);
            if let Some(kept) = kept(plan).filter(|_| renewed.is_empty()) {
                registered.insert(index, Arc::clone(&kept.registered));
                continue;
            }
            // What was tried in vain is not tried again for nothing.
            if plan.was_shut && !is_read {
                continue;
            }
            match self.register(definition, plan) {
                Ok(new) => {
                    registered.insert(index, Arc::new(new));
                    changed.insert(plan.own);
                }
                Err(error) if plan.kept.is_some() => {
                    return Some((renewed, would_close(plan, &error)));
                }
                Err(error) => tell(plan, &error),
            }
        }
        for own in changed {
            let of = |(index, _): &(&usize, &Arc<Registered>)| self.plans[**index].own == own;
            let members = registered.iter().filter(of);
            let members = members
                .map(|(index, one)| (*index, Arc::clone(one)))
                .collect();
            match self.open_together(&members) {
                Ok(opened) => self.built.extend(opened),
                Err(in_the_way) => return Some(in_the_way),
            }
        }
        None
    }

    /// The resources of the plan that have another load than before.
    pub(super) fn renewed(&self, plan: &Plan) -> Vec<usize> {
        let is_new = |place: &usize| self.fresh.get(place).is_some_and(|fresh| fresh.is_new);
        let places = plan.places.iter().flatten().copied();
        places.filter(|place| is_new(place)).collect()
    }

    /// Opens all statistics of one resource, those that answer now before those that are new.
    fn open_together(
        &self,
        members: &Statistics,
    ) -> Result<BTreeMap<usize, Arc<Prepared>>, InTheWay> {
        let mut order: Vec<usize> = members.keys().copied().collect();
        order.sort_by_key(|index| (self.plans[*index].kept.is_none(), *index));
        let before = { order.iter() }
            .find_map(|index| kept(&self.plans[*index]))
            .map(|kept| Arc::clone(&kept.partition));
        let named: Vec<(String, Arc<Registered>)> = { order.iter() }
            .map(|index| (self.name(*index), Arc::clone(&members[index])))
            .collect();
        let opened = match statistic::open(&named, before) {
            // Another policy, or other columns: there is nothing to compare.
            Err(PartitionRefused::Unrelated) => {
                tracing::warn!(
                    "statistics start afresh: answers of before can be compared with them"
                );
                statistic::open(&named, None)
            }
            opened => opened,
        };
        let partition = match opened {
            Ok(partition) => Arc::new(partition),
            Err(error) => return self.without(&order, &error),
        };
        self.tell(&partition);
        let mut built = BTreeMap::new();
        for index in order {
            let plan = &self.plans[index];
            let registered = Arc::clone(&members[&index]);
            if registered.is_open(&partition) {
                let prepared = statistic::Prepared {
                    registered,
                    partition: Arc::clone(&partition),
                };
                built.insert(index, Arc::new(Prepared::Statistic(prepared)));
                continue;
            }
            let name = self.name(index);
            let refused = { partition.report().refused.iter() }.find(|one| one.name == name);
            let reason = refused.map_or(Unopened::NoLoad, |one| one.reason.clone().into());
            tell(plan, &reason);
            if plan.kept.is_some() {
                let renewed = self.renewed(plan);
                return match renewed.is_empty() {
                    false => Err((renewed, would_close(plan, &reason))),
                    // Nothing may close that answers over what still answers, so nothing new opens beside it.
                    true => Ok(BTreeMap::new()),
                };
            }
        }
        Ok(built)
    }

    /// None of them can be opened: what answers goes on, or the readings under which it would have to end are refused.
    fn without(
        &self,
        order: &[usize],
        error: &PartitionRefused,
    ) -> Result<BTreeMap<usize, Arc<Prepared>>, InTheWay> {
        let error = Unopened::from(error.clone());
        for index in order {
            let plan = &self.plans[*index];
            let renewed = self.renewed(plan);
            if plan.kept.is_some() && !renewed.is_empty() {
                return Err((renewed, would_close(plan, &error)));
            }
            if plan.kept.is_none() {
                tell(plan, &error);
            }
        }
        Ok(BTreeMap::new())
    }

    fn name(&self, index: usize) -> String {
        self.plans[index].product.product.reference.to_string()
    }

    /// For the unit: how much of each product's finest answers can be shown.
    fn tell(&self, partition: &Partition) {
        let report = partition.report();
        for open in &report.open {
            tracing::info!(
                product = open.name,
                cells = open.cells,
                cells_shown = open.cells_shown,
                withheld_percent = open.withheld_percent,
                cells_waiting = report.cells_waiting,
                "statistic opened over its cells"
            );
        }
    }

    fn register(&self, definition: &Statistic, plan: &Plan) -> Result<Registered, Unopened> {
        let sources = self.sources(plan)?;
        let engine = self.engine(plan)?;
        let limits = &self.products.limits.guard;
        Ok(Registered::build(definition, &sources, &engine, limits)?)
    }

    /// The readings that the plan's statistic is over, each under the policy that is in force.
    pub(super) fn sources(&self, plan: &Plan) -> Result<Vec<TableSource<'_>>, Unopened> {
        let policies = plan.policies.as_deref().ok_or(Unopened::NoPolicy)?;
        let places = plan.places.as_deref().ok_or(Unopened::NoLoad)?;
        let mut sources = Vec::new();
        for (place, policy) in places.iter().zip(policies) {
            let snapshot = self.snapshots[*place].as_ref().ok_or(Unopened::NoLoad)?;
            let table = snapshot.table.as_ref().ok_or(Unopened::NoLoad)?;
            if snapshot.policy != *policy {
                return Err(Unopened::NoLoad);
            }
            sources.push(TableSource {
                load: &snapshot.load,
                policy: Arc::new(policy.policy.clone()),
                schema: &table.schema,
                rows: &table.rows,
            });
        }
        Ok(sources)
    }

    pub(super) fn engine(&self, plan: &Plan) -> Result<Arc<Engine>, Unopened> {
        let own = &self.products.resources[plan.own];
        let engine = self.products.engine(&own.environments);
        engine.ok_or(Unopened::Engine)
    }
}

/// The statistic that answers now, if it is still what the unit approved.
fn kept(plan: &Plan) -> Option<&statistic::Prepared> {
    match plan.kept.as_ref().map(|kept| kept.prepared.as_ref())? {
        Prepared::Statistic(prepared) => Some(prepared),
        Prepared::Dp(_) | Prepared::Model(_) | Prepared::Verification(_) => None,
    }
}
