//! The page `/audit`: the records of a region as a regulator follows them, each shown only after it was read back and
//! checked, with filters, charts, and the proofs to take away.
//!
//! It is for regulators, as the feed is, and limited to their region. It works without scripts. The page itself is the
//! coordinator's word; the receipts that it hands out are not: whoever has the trust file checks them offline.

mod asked;
mod chart;
mod states;
mod view;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use lingqu_core::ErrorCode;
use lingqu_core::receipt::receipts_to_text;
use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_transport::problem_of;

use super::Pages;
use super::language::Asked as Manner;
use super::query;
use crate::audit::prove::Place;
use crate::audit::search::{Filter, Findings};
use crate::refusal::Refusal;
use crate::store::parties::Party;
use asked::Asked;
use view::Page;

/// The page's style sheet, after the console's.
pub(super) const STYLE: &str = concat!(
    include_str!("../../../templates/console.css"),
    include_str!("../../../templates/audit.css")
);

/// What is asked for on the way: who asks, and what.
struct Question {
    viewer: Party,
    asked: Asked,
    manner: Manner,
}

/// The page.
pub(super) async fn page(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    // Read before anything is waited for: a request cannot be shared between threads.
    let question = pages.question(&request);
    answer(async {
        let question = question?;
        let _place = pages.services.viewers.take(question.viewer.id.as_str())?;
        pages.record(&question.viewer, "audit").await?;
        let findings = pages.findings(&question).await?;
        let spans = pages.spans(&question).await?;
        let directory = pages.services.registry.directory();
        let page = Page::new(&pages.services, &directory, &question, &findings, &spans);
        let page = page.render().map_err(|error| {
            tracing::error!(%error, "the page cannot be made");
            ErrorCode::Internal
        })?;
        let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        let mut response = (html, page).into_response();
        pages.protect(&mut response, &pages.audit_policy);
        Ok(response)
    })
    .await
}

/// The receipts of the records that the page with the same query shows, as one file.
pub(super) async fn receipts(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let question = pages.question(&request);
    answer(async {
        let question = question?;
        let _place = pages.services.viewers.take(question.viewer.id.as_str())?;
        let findings = pages.findings(&question).await?;
        let places: Vec<Place> = findings.rows.iter().map(|found| found.place()).collect();
        pages
            .hand_out(&question.viewer, &places, "lingqu.receipts")
            .await
    })
    .await
}

/// The receipt of one record.
pub(super) async fn receipt(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let (viewer, place) = (pages.viewer(&request), place(request.uri()));
    answer(async {
        let viewer = viewer?;
        let _place = pages.services.viewers.take(viewer.id.as_str())?;
        let place = place.ok_or(ErrorCode::RequestInvalid)?;
        let stream = pages.services.mirror.shared.stream(&place.origin);
        // That a stream of another region exists is not told either.
        if !stream.is_some_and(|stream| viewer.region.covers(&stream.region)) {
            return Err(ErrorCode::RegionForbidden.into());
        }
        let name = format!("lingqu.{}.receipt", place.index);
        pages.hand_out(&viewer, &[place], &name).await
    })
    .await
}

/// The record that a link of the page names.
fn place(uri: &http::Uri) -> Option<Place> {
    let number = |name| query::value(uri, name)?.parse::<u64>().ok();
    Some(Place {
        origin: query::value(uri, "stream")?,
        head: number("head")?,
        index: number("index")?,
    })
}

async fn answer(answered: impl Future<Output = Result<Response, Refusal>>) -> Response {
    let answered = answered.await;
    answered.unwrap_or_else(|refusal| problem_of(refusal.code))
}

impl Pages {
    fn question(&self, request: &Request) -> Result<Question, Refusal> {
        let viewer = self.viewer(request)?;
        let asked = Asked::of(request.uri());
        let narrowed = asked.region.as_ref();
        if narrowed.is_some_and(|region| !viewer.region.covers(region)) {
            return Err(ErrorCode::RegionForbidden.into());
        }
        Ok(Question {
            viewer,
            manner: Manner::of(request.uri(), request.headers()),
            asked,
        })
    }

    /// Searches where it holds nobody up.
    async fn findings(&self, question: &Question) -> Result<Findings, Refusal> {
        let registry = &self.services.registry;
        let owners = question.asked.unit.as_ref().map(|unit| {
            let directory = registry.directory();
            let nodes = directory.nodes.values();
            let nodes = nodes.filter(|node| node.unit.as_str() == unit);
            nodes
                .map(|node| node.id.to_string())
                .collect::<BTreeSet<_>>()
        });
        let filter = Filter {
            owners,
            ..question.asked.filter.clone()
        };
        let (auditor, now) = (Arc::clone(&self.services.auditor), registry.now());
        let (region, before) = (question.region().clone(), question.asked.before);
        let rows_max = self.services.mirror.limits.audit_rows_max;
        let search = move || {
            let window = auditor.window();
            window.search(&region, &filter, before, rows_max, now)
        };
        let found = tokio::task::spawn_blocking(search).await;
        Ok(found.map_err(|error| {
            tracing::error!(%error, "a search failed");
            ErrorCode::Internal
        })?)
    }

    /// Hands out receipts as a file. That they were taken is on record before.
    async fn hand_out(
        &self,
        viewer: &Party,
        places: &[Place],
        name: &str,
    ) -> Result<Response, Refusal> {
        let receipts = self.services.auditor.receipts(places).await?;
        let mut draft = Draft::new(Kind::Control);
        draft.clear = Clear::default()
            .text(Field::Action, "audit_receipts")
            .text(Field::Subject, viewer.id.as_str())
            .text(Field::Actor, viewer.id.as_str())
            .text(Field::Region, viewer.region.as_str())
            .number(Field::Count, places.len() as u64);
        self.services.mirror.append_own(vec![draft]).await?;
        let text = match receipts.as_slice() {
            [one] if !name.ends_with("receipts") => one.tlog_proof().to_string(),
            all => receipts_to_text(all),
        };
        let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        let mut response = (plain, text).into_response();
        self.protect(&mut response, &self.policy);
        let attached = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
        let attached = attached.expect("a file name of constants and digits is visible ASCII");
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, attached);
        Ok(response)
    }
}

impl Question {
    /// The region that is looked at.
    fn region(&self) -> &lingqu_core::Region {
        self.asked.region.as_ref().unwrap_or(&self.viewer.region)
    }
}

impl crate::audit::search::Found {
    fn place(&self) -> Place {
        Place {
            origin: self.origin.clone(),
            head: self.row.head,
            index: self.row.index,
        }
    }
}
