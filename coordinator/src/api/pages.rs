//! The pages for people, in both languages: `/console`, with what is registered, what runs, and the newest calls, and
//! `/audit`, with the checked records for regulators.
//!
//! They are made here whole, work without scripts and load nothing else. Everything that others have written is escaped
//! by the template. Who may see them at all is decided at the door; here they are limited to the region of whoever
//! looks, and the look itself goes on record, as a subscription to the feed does.

/// The words of a page: a struct of texts, and one of it for each language.
macro_rules! words {
    ($($name:ident: $zh:literal, $en:literal;)*) => {
        /// Every word that stands in the template.
        pub(super) struct Words { $(pub(super) $name: &'static str,)* }

        static CHINESE: Words = Words { $($name: $zh,)* };
        static ENGLISH: Words = Words { $($name: $en,)* };
    };
}

mod audit;
mod language;
mod query;
mod view;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, header};
use lingqu_core::record::{Clear, Draft, Field, Kind};
use lingqu_core::{ErrorCode, PartyId, Timestamp};
use lingqu_proto::access::{AUDIT, AUDIT_RECEIPT, AUDIT_RECEIPTS, CONSOLE};
use lingqu_tlog::{Intl, Suite};
use lingqu_transport::{Connected, PeerId, problem_of};

use super::grpc::Services;
use crate::refusal::Refusal;
use crate::store::parties::Party;
use language::Asked;
use view::Page;

/// The page's style sheet, which stands in the page itself.
const STYLE: &str = include_str!("../../templates/console.css");

/// How long further looks of the same party belong to the one that is on record.
const LOOK: Duration = Duration::from_secs(600);

/// The route of the page.
pub(crate) fn router(services: Services) -> Router {
    let pages = Pages {
        services,
        policy: policy(STYLE, "'none'"),
        audit_policy: policy(audit::STYLE, "'self'"),
        looks: Mutex::default(),
    };
    Router::new()
        .route(CONSOLE, get(console))
        .route(AUDIT, get(audit::page))
        .route(AUDIT_RECEIPT, get(audit::receipt))
        .route(AUDIT_RECEIPTS, get(audit::receipts))
        .with_state(Arc::new(pages))
}

/// What a browser may load for a page, run, and send its forms to: one style sheet that stands in the page, no script.
fn policy(style: &str, forms: &str) -> HeaderValue {
    let digest = BASE64.encode(Intl::digest(&[style.as_bytes()]).0);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 and constants are visible ASCII")
}

struct Pages {
    services: Services,
    /// What a browser is told to load and run: this one style sheet and nothing else.
    policy: HeaderValue,
    /// The same for the audit page, which has a form that asks it again.
    audit_policy: HeaderValue,
    /// When each party's last look at a page was recorded. Only enrolled parties get here.
    looks: Mutex<HashMap<(PartyId, &'static str), Timestamp>>,
}

async fn console(State(pages): State<Arc<Pages>>, request: Request) -> Response {
    let asked = Asked::of(request.uri(), request.headers());
    let page = match pages.viewer(&request) {
        Ok(viewer) => pages.console(viewer, asked).await,
        Err(code) => Err(code.into()),
    };
    page.unwrap_or_else(|refusal| problem_of(refusal.code))
}

impl Pages {
    async fn console(&self, viewer: Party, asked: Asked) -> Result<Response, Refusal> {
        let _place = self.services.viewers.take(viewer.id.as_str())?;
        self.record(&viewer, "console").await?;
        let limits = &self.services.mirror.limits;
        let overview = self
            .services
            .registry
            .overview(&viewer.region, limits.console_rows_max)
            .await?;
        let calls = self
            .services
            .mirror
            .recent_calls(&viewer.region, limits.console_calls_max)
            .await?;
        let page = Page::new(&self.services, &viewer, asked, &overview, &calls);
        let page = page.render().map_err(|error| {
            tracing::error!(%error, "the page cannot be made");
            ErrorCode::Internal
        })?;
        let mut response =
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
        self.protect(&mut response, &self.policy);
        Ok(response)
    }

    /// Who looks, as the register has it now.
    fn viewer(&self, request: &Request) -> Result<Party, ErrorCode> {
        let connected = request.extensions().get::<Arc<Connected>>();
        let connected = connected.ok_or(ErrorCode::CallerCertUntrusted)?;
        match &connected.peer()?.id {
            PeerId::Party(id) => self.services.registry.actor(id),
            PeerId::Coordinator(_) | PeerId::Node(_) => Err(ErrorCode::CallerRoleForbidden),
        }
    }

    /// Whoever watches is watched: the look is an act of its own, durable before the page leaves. A page that is
    /// refreshed again and again is one look in ten minutes.
    async fn record(&self, viewer: &Party, page: &'static str) -> Result<(), ErrorCode> {
        let now = self.services.registry.now();
        let look = (viewer.id.clone(), page);
        let known = self.looks().get(&look).copied();
        if known.is_some_and(|last| now >= last && now.since(last) < LOOK) {
            return Ok(());
        }
        let mut draft = Draft::new(Kind::Control);
        draft.clear = Clear::default()
            .text(Field::Action, page)
            .text(Field::Subject, viewer.id.as_str())
            .text(Field::Actor, viewer.id.as_str())
            .text(Field::Region, viewer.region.as_str());
        self.services.mirror.append_own(vec![draft]).await?;
        self.looks().insert(look, now);
        Ok(())
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, HashMap<(PartyId, &'static str), Timestamp>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn protect(&self, response: &mut Response, policy: &HeaderValue) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        for (name, value) in [
            // What one party may see must not lie in a cache, and no other page may frame or read it.
            (header::CACHE_CONTROL, "no-store"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::VARY, "accept-language"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(
            "cross-origin-resource-policy",
            HeaderValue::from_static("same-origin"),
        );
    }
}

#[cfg(test)]
mod tests;
