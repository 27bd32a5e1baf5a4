//! Statistic with noise: every declared group of a registered template, each figure with discrete Gaussian noise.
//!
//! What it costs is paid before anything is looked at (`pay`), durably and for good; the evaluation asks for the
//! proof. The same question over the same load is answered from the store, so that asking again averages nothing: only
//! the grant's own cap is charged then. See `docs/dp.md`.

mod answers;

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use lingqu_core::ErrorCode;
use lingqu_core::Fault;
use lingqu_core::decide::Permit;
use lingqu_core::product::{DpTerms, Load, SignedPolicy, Statistic};
use lingqu_guard::{
    Clamp, DpBound, DpProduct, DpTemplate, Engine, GuardLimits, PartitionRefused, Place,
};
use lingqu_journal::{Charge, Debited, DpCharge, Journal};
use lingqu_proto::ClaimValue;
use lingqu_tlog::{Hash, Intl, Suite};
use tokio::sync::OwnedMutexGuard;

use super::Table;
use super::statistic::{
    Opening, PrepareRefused, TableSource, arguments, bind_fault, check, ipc_stream, template_source,
};

pub(crate) use answers::Answers;

/// A statistic with noise over its loads, ready to be asked.
pub struct Prepared {
    /// The loads it answers from; the protected one first.
    pub loads: Vec<Load>,
    /// The policies whose domains and bounds are in its answers, by name and version.
    policies: Vec<String>,
    product: Arc<DpProduct>,
    engine: Arc<Engine>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("loads", &self.loads)
            .finish_non_exhaustive()
    }
}

/// Why a statistic with noise cannot be opened. Names tables, columns and rules, never values.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// Its template or tables do not fit.
    #[error(transparent)]
    Prepare(#[from] PrepareRefused),
    /// Its tables cannot be read.
    #[error(transparent)]
    Read(#[from] PartitionRefused),
}

/// The template of a statistic with noise, from schemas and policies alone.
pub(super) fn register(
    statistic: &Statistic,
    terms: &DpTerms,
    rules: &[lingqu_guard::TableRules],
    limits: &GuardLimits,
) -> Result<DpTemplate, PrepareRefused> {
    let source = template_source(statistic);
    let clamp = |clamp: &lingqu_core::product::Clamp| Clamp {
        column: clamp.column.clone(),
        min: clamp.min,
        max: clamp.max,
    };
    let terms = lingqu_guard::DpTerms {
        rho: terms.rho,
        groups_per_entity_max: terms.groups_per_entity_max,
        rows_per_entity_max: terms.rows_per_entity_max,
        clamps: terms.clamps.iter().map(clamp).collect(),
    };
    check(DpTemplate::register(&source, &terms, rules, limits))
}

impl Prepared {
    /// Has the guard check the template and read the tables, over these readings and no others.
    ///
    /// # Errors
    /// [`NotOpened`]
    pub fn build(
        (statistic, terms): (&Statistic, &DpTerms),
        sources: &[TableSource<'_>],
        policies: &[Arc<SignedPolicy>],
        engine: &Arc<Engine>,
        limits: &GuardLimits,
    ) -> Result<Prepared, NotOpened> {
        let opening = Opening::of(sources)?;
        let template = register(statistic, terms, &opening.rules, limits)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|_| PrepareRefused::Check)?;
        // Products are opened where nothing asynchronous may wait.
        let opened = std::thread::scope(|scope| {
            let open = || runtime.block_on(engine.open_dp(&template, opening.tables));
            scope.spawn(open).join()
        });
        let product = opened.map_err(|_| PrepareRefused::Check)??;
        let named = |policy: &Arc<SignedPolicy>| format!("{}@{}", policy.id, policy.version);
        Ok(Prepared {
            loads: opening.loads,
            policies: policies.iter().map(named).collect(),
            product: Arc::new(product),
            engine: Arc::clone(engine),
        })
    }

    /// Binds a call's parameters.
    ///
    /// # Errors
    /// Which of them is to blame.
    pub fn parameters(&self, values: &[(String, ClaimValue)]) -> Result<DpBound, Fault> {
        let template = self.product.template();
        let bound = template.bind(&arguments(values));
        bound.map_err(|refused| bind_fault(&refused, template.parameters()))
    }

    /// A place for one run.
    ///
    /// # Errors
    /// `OVERLOADED`.
    pub fn enter(&self) -> Result<Place, ErrorCode> {
        self.engine.enter().map_err(|_| ErrorCode::Overloaded)
    }

    /// The columns of every answer.
    pub fn output_schema(&self) -> SchemaRef {
        self.product.template().output_schema()
    }

    /// What the call asks, and what its answer costs.
    pub(super) fn question(&self, permit: &Permit, bound: &DpBound) -> Question {
        Question {
            key: self.key(permit, bound),
            schema: self.output_schema(),
            space: self.product.template().cost().clone(),
        }
    }

    /// What makes two questions one: the signed product, the policies, the loads, the class of environments and the
    /// arguments. Not the grant, not the caller, not the purpose: they share the answer.
    fn key(&self, permit: &Permit, bound: &DpBound) -> Hash {
        let mut bytes = Vec::new();
        let mut add = |part: &[u8]| {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        add(permit.product().to_string().as_bytes());
        add(&permit.product_digest().0);
        add(&[u8::from(permit.environment().is_production())]);
        add(&(self.loads.len() as u64).to_be_bytes());
        for load in &self.loads {
            add(load.id.as_str().as_bytes());
        }
        for policy in &self.policies {
            add(policy.as_bytes());
        }
        add(&bound.canonical());
        Intl::digest(&[b"lingqu/noisy-answer/v1\0", &bytes])
    }

    /// The stored answer that was paid for, or a new one, which is stored before it leaves.
    pub(super) async fn run(
        &self,
        place: Place,
        bound: DpBound,
        paid: Paid,
    ) -> Result<Table, ErrorCode> {
        if let Some(stored) = paid.stored {
            return Ok(stored);
        }
        if paid.debited.is_from_store() {
            return Err(ErrorCode::EvaluationFailed);
        }
        let rows = self
            .engine
            .answer_dp(place, Arc::clone(&self.product), bound)
            .await
            .map_err(|_| ErrorCode::EvaluationFailed)?;
        let stream = ipc_stream(&rows).map_err(|_| ErrorCode::EvaluationFailed)?;
        let table = Table { rows, stream };
        // What could not be stored leaves all the same: it is paid for. Asked again, it is charged again.
        paid.answers.keep(paid.key, &table).await;
        Ok(table)
    }
}

/// A question to a statistic with noise.
#[derive(Debug)]
pub(crate) struct Question {
    key: Hash,
    schema: SchemaRef,
    space: lingqu_guard::DpCost,
}

/// Proof that a question's privacy was paid for, with the stored answer if there is one. Held until the answer is
/// stored, so that a second asker of the same finds it instead of paying for another.
pub(crate) struct Paid {
    debited: Debited,
    stored: Option<Table>,
    key: Hash,
    answers: Arc<Answers>,
    _turn: OwnedMutexGuard<()>,
}

impl fmt::Debug for Paid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paid")
            .field("debited", &self.debited)
            .finish_non_exhaustive()
    }
}

/// Pays for a question: of the space's budget and the grant's, or of the grant's alone where the answer is stored. What
/// it costs depends on the product, whether it is stored on what was asked before, and neither on any row.
///
/// # Errors
/// `PRIVACY_BUDGET_EXHAUSTED`: nothing was spent. `AUDIT_UNAVAILABLE` and `INTERNAL`: nothing may be answered.
pub(crate) async fn pay(
    answers: &Arc<Answers>,
    journal: &Journal,
    charge: &mut Charge,
    question: Question,
) -> Result<Paid, ErrorCode> {
    let Question { key, schema, space } = question;
    let turn = answers.turn(key).lock_owned().await;
    let stored = answers.find(key, &schema).await;
    let cost = DpCharge {
        space: space.space,
        rho: space.rho,
        space_limit: space.budget.rho_total(),
        from_store: stored.is_some(),
    };
    let debited = journal.debit(charge, cost).await?;
    // At this point the debit is on record. Whatever happens now, a crash too, it is spent.
    Ok(Paid {
        debited,
        stored,
        key,
        answers: Arc::clone(answers),
        _turn: turn,
    })
}
