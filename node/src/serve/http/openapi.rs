//! The description of the JSON interface (OpenAPI 3.1), made from the types that are read and written.
//!
//! `docs/openapi.json` is the same text; a test keeps it so.

use std::sync::LazyLock;

use utoipa::OpenApi;

use super::answer::{CallAnswer, Problem, Products};
use super::request::{ExplainRequest, QueryRequest, ScoreRequest, VerifyRequest};

/// The interface. Every operation needs a client certificate (mutual TLS).
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lingqu node · 灵渠数源节点",
        description = "Verifications, models and statistics of a data-source unit, called by parties that hold a grant. \
                       Mutual TLS with a party's certificate is required. Every call is on record before its answer \
                       leaves; the receipt proves it.\n\n\
                       数源单位的核验、模型和统计产品，由持有授权令牌的主体调用。须使用主体数字证书建立双向TLS连接。\
                       每次调用在答复放行前均已存证，回执即为证明。",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((url = "https://node.example:7443", description = "A node. 数源节点。")),
    paths(describe, explain, products, query, score, verify),
    tags(
        (name = "calls", description = "Calls of products. 产品调用。"),
        (name = "listings", description = "What there is. 目录。"),
    ),
    modifiers(&ClientCertificate),
)]
struct Document;

/// The one means of authentication.
struct ClientCertificate;

impl utoipa::Modify for ClientCertificate {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{SecurityRequirement, SecurityScheme};
        let scheme = SecurityScheme::MutualTls {
            description: Some(
                "A party's certificate from an authority that the node trusts. 主体数字证书。"
                    .to_owned(),
            ),
            deprecated: None,
            extensions: None,
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("mutualTLS", scheme);
        let none: [&str; 0] = [];
        document.security = Some(vec![SecurityRequirement::new("mutualTLS", none)]);
    }
}

/// The document as text.
pub fn document() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut text = Document::openapi()
            .to_pretty_json()
            .expect("a document of texts and numbers can be written");
        text.push('\n');
        text
    });
    &TEXT
}

macro_rules! operation {
    ($(#[$doc:meta])* $name:ident, $path:literal, $body:ident) => {
        $(#[$doc])*
        #[utoipa::path(
            post,
            path = $path,
            tag = "calls",
            operation_id = stringify!($name),
            request_body = $body,
            responses(
                (status = 200, description = "The answer with its receipt. 答复及回执。", body = CallAnswer),
                (status = "default", description = "Refused; `type` is the error code. 拒绝，`type` 为错误码。",
                 body = Problem, content_type = "application/problem+json"),
            ),
        )]
        #[allow(dead_code, reason = "only its description is used")]
        fn $name() {}
    };
}

operation! {
    /// Tells what a call would answer and cost, without making it.
    ///
    /// 说明一次调用会答复什么、计量多少，不实际调用。
    explain, "/v1/explain", ExplainRequest
}
operation! {
    /// Calls a statistic.
    ///
    /// 调用统计产品。
    query, "/v1/query", QueryRequest
}
operation! {
    /// Calls a model.
    ///
    /// 调用模型产品。
    score, "/v1/score", ScoreRequest
}
operation! {
    /// Calls a verification.
    ///
    /// 调用核验产品。
    verify, "/v1/verify", VerifyRequest
}

/// Lists what the caller may use.
///
/// 列出调用方可用的数据产品。
#[utoipa::path(
    get,
    path = "/v1/products",
    tag = "listings",
    operation_id = "products",
    responses(
        (status = 200, description = "The products. 数据产品。", body = Products),
        (status = "default", description = "Refused. 拒绝。", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
#[allow(dead_code, reason = "only its description is used")]
fn products() {}

/// This document.
///
/// 本文档。
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "listings",
    operation_id = "describe",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
)]
#[allow(dead_code, reason = "only its description is used")]
fn describe() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        if std::env::var_os("LINGQU_WRITE_DOCS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == document(),
            "docs/openapi.json is not what the code says; LINGQU_WRITE_DOCS=1 writes it"
        );
    }
}
