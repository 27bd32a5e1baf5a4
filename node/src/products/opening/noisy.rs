//! Statistics with noise: each by itself over its loads. They need no cells in common with anything, so none of them
//! closes another, and the exact ones do not become coarser by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::statistics::InTheWay;
use super::{Plan, Round, Unopened, tell, would_close};
use crate::evaluate::{Prepared, dp};

impl Round<'_> {
    /// One pass; the readings that stand in the way of an open statistic with noise, if there are such.
    pub(super) fn try_noisy(&mut self) -> Option<InTheWay> {
        let mut built = BTreeMap::new();
        for (index, plan) in self.plans.iter().enumerate() {
            let is_noisy = plan
                .statistic()
                .is_some_and(|statistic| statistic.dp.is_some());
            if !is_noisy || self.built.contains_key(&index) {
                continue;
            }
            let places = plan.places.as_deref().unwrap_or_default();
            let is_read = places.iter().any(|place| self.fresh.contains_key(place));
            let renewed = self.renewed(plan);
            let goes_on = plan.kept.is_some() && renewed.is_empty();
            // What was tried in vain is not tried again for nothing.
            if goes_on || (plan.was_shut && !is_read) {
                continue;
            }
            match self.open_noisy(plan) {
                Ok(opened) => {
                    built.insert(index, Arc::new(Prepared::Dp(opened)));
                }
                Err(error) if plan.kept.is_some() => {
                    return Some((renewed, would_close(plan, &error)));
                }
                Err(error) => tell(plan, &error),
            }
        }
        self.built.extend(built);
        None
    }

    fn open_noisy(&self, plan: &Plan) -> Result<dp::Prepared, Unopened> {
        let statistic = plan.statistic().ok_or(Unopened::NoLoad)?;
        let terms = statistic.dp.as_ref().ok_or(Unopened::NoLoad)?;
        let policies = plan.policies.as_deref().ok_or(Unopened::NoPolicy)?;
        let sources = self.sources(plan)?;
        let engine = self.engine(plan)?;
        let limits = &self.products.limits.guard;
        let definition = (statistic, terms);
        Ok(dp::Prepared::build(
            definition, &sources, policies, &engine, limits,
        )?)
    }
}
