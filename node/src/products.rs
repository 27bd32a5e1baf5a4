//! Products over their loads, ready to be asked. Built off the call's path when a product is approved or a resource is
//! loaded; swapped in whole.

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use lingqu_core::decide::Permit;
use lingqu_core::grant::Environment;
use lingqu_core::product::Load;
use lingqu_core::product::ProductRef;
use lingqu_tlog::Hash;

use crate::admission::holdings::ApprovedProduct;
use crate::evaluate::{Prepared, verification};
use crate::sources::Register;

/// A resource as configured.
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) environments: Vec<Environment>,
    pub(crate) register: Arc<dyn Register>,
}

type Key = (ProductRef, Environment);

/// One product, the digest of the bytes that it was prepared for, and the index.
#[derive(Clone)]
struct Open {
    digest: Hash,
    prepared: Arc<Prepared>,
}

/// Every product that can be asked right now.
pub(crate) struct Products {
    resources: Vec<Resource>,
    rows_max: usize,
    rows_per_key_max: NonZeroU8,
    open: ArcSwap<BTreeMap<Key, Open>>,
    /// One preparation at a time: it is memory- and processor-heavy.
    preparing: Mutex<()>,
}

impl Products {
    pub(crate) fn new(
        resources: Vec<Resource>,
        rows_max: usize,
        rows_per_key_max: NonZeroU8,
    ) -> Products {
        Products {
            resources,
            rows_max,
            rows_per_key_max,
            open: ArcSwap::default(),
            preparing: Mutex::new(()),
        }
    }

    /// The product that the permit allows, over the environment's own resource and no other.
    pub(crate) fn get(&self, permit: &Permit) -> Option<Arc<Prepared>> {
        let open = self.open.load();
        let found = open.get(&(permit.product().clone(), permit.environment()))?;
        (found.digest == permit.product_digest()).then(|| Arc::clone(&found.prepared))
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.open.load().len()
    }

    /// Opens what is approved and not open yet, closes what is no longer approved. Returns the new loads. Blocking.
    /// What is approved is asked once it is this preparation's turn: one that waited would otherwise close what the one
    /// before it has opened since.
    pub(crate) fn prepare(
        &self,
        approved: impl FnOnce() -> Vec<Arc<ApprovedProduct>>,
    ) -> Vec<Load> {
        let _one_at_a_time = self
            .preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = self.open.load_full();
        let mut open = BTreeMap::new();
        let mut loads = Vec::new();
        for product in &approved() {
            for resource in self
                .resources
                .iter()
                .filter(|r| r.name == product.product.resource)
            {
                let key =
                    |environment: &Environment| (product.product.reference.clone(), *environment);
                let kept = resource.environments.iter().find_map(|environment| {
                    let found = before.get(&key(environment))?;
                    (found.digest == product.digest).then(|| found.clone())
                });
                let opened = kept.or_else(|| {
                    let prepared = self.build(product, resource)?;
                    loads.extend(prepared.loads());
                    Some(Open {
                        digest: product.digest,
                        prepared: Arc::new(prepared),
                    })
                });
                // One reading serves every environment of the resource; no other resource is in it.
                for environment in &resource.environments {
                    open.extend(opened.clone().map(|opened| (key(environment), opened)));
                }
            }
        }
        self.open.store(Arc::new(open));
        loads
    }

    fn build(&self, product: &ApprovedProduct, resource: &Resource) -> Option<Prepared> {
        let built = verification::Prepared::build(
            &product.product,
            resource.register.as_ref(),
            self.rows_max,
            self.rows_per_key_max,
        );
        match built.map(Prepared::Verification) {
            Ok(prepared) => {
                let product = &product.product.reference;
                let rows: u64 = prepared.loads().iter().map(|load| load.rows).sum();
                tracing::info!(%product, resource = resource.name, rows, "product opened");
                Some(prepared)
            }
            Err(error) => {
                let product = &product.product.reference;
                tracing::error!(%product, resource = resource.name, %error, "product cannot be opened");
                None
            }
        }
    }
}
