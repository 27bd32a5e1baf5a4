//! The answers as JSON: what was released, what it was made from, and the caller's proof.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lingqu_core::product::Load;
use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::{ErrorCode, NodeId};
use lingqu_proto::{ClaimValue, ScoreValue, receipt_to_pb};
use prost::Message;
use serde::Serialize;
use utoipa::ToSchema;

use super::tables::{self, Column};
use crate::call::Answer;
use crate::evaluate::AnswerValue;
use crate::serve::words::{level_word, verdict_zh};
use crate::{Declared, VisibleParameter, VisibleProduct};

/// An answer. 答复。
#[derive(Serialize, ToSchema)]
pub(super) struct CallAnswer {
    /// The call's id. 调用标识。
    call_id: String,
    /// Where it was made; what comes from `PROD_DEBUG` is for debugging only. 环境；PROD_DEBUG 的结果仅供调试。
    environment: &'static str,
    #[serde(flatten)]
    value: Value,
    /// What it was made from. 所依据的数据装载。
    loads: Vec<LoadAnswer>,
    /// The proof that the call stands in the node's log. 回执：调用已存证的证明。
    receipt: ReceiptAnswer,
    /// 32 bytes in hexadecimal that open the record's commitments to this request and answer. Only the caller has them.
    /// 开启密钥，仅调用方持有。
    opening_key: String,
}

/// What the product says; one form per kind of product. 结论，按产品类别。
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Value {
    /// Of a verification. 核验。
    Verdict {
        /// The verdict. 核验结论。
        verdict: &'static str,
        /// The same in Chinese. 核验结论（中文）。
        verdict_zh: &'static str,
    },
    /// Of a model: a class, a score, or `NOT_FOUND` where the grant reveals it. 模型：分级或评分。
    Score {
        /// The class. 分级。
        #[serde(skip_serializing_if = "Option::is_none")]
        class: Option<String>,
        /// The score, rounded. 评分（取整后）。
        #[serde(skip_serializing_if = "Option::is_none")]
        score: Option<f64>,
        /// True if the subject is not in the register; only where granted. 查无，仅在授权载明时返回。
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        not_found: bool,
        /// Reason codes, weightiest first. 原因码，按权重排序。
        reasons: Vec<String>,
    },
    /// Of a statistic. 统计。
    Table {
        /// The columns. 列。
        columns: Vec<Column>,
        /// The rows, values in the order of the columns. 行。
        #[schema(value_type = Vec<Vec<Object>>)]
        rows: Vec<Vec<serde_json::Value>>,
        /// The table as an Arrow IPC stream in base64: the bytes that the record commits to. 存证所承诺的字节。
        arrow_stream: String,
    },
}

/// A verified reading of a resource. 数据装载。
#[derive(Serialize, ToSchema)]
struct LoadAnswer {
    /// Its id. 标识。
    id: String,
    /// The resource. 数据资源。
    resource: String,
    /// The instant that the data speaks for. 数据日期。
    as_of: String,
}

/// A receipt. 回执。
#[derive(Serialize, ToSchema)]
struct ReceiptAnswer {
    /// `LOCAL`: durable at the node; `MIRRORED`: cosigned by the mirror too; `WITNESSED`: and by witnesses. 存证级别。
    #[schema(example = "MIRRORED")]
    audit_level: &'static str,
    /// Name of the node's stream. 日志流名称。
    origin: String,
    /// The record's place in it. 记录序号。
    index: u64,
    /// Size of the stream that the proof leads to. 日志大小。
    tree_size: u64,
    /// Its root, in hexadecimal. 日志根。
    root: String,
    /// The receipt as `lingqu.v1.Receipt` in base64. 二进制回执。
    receipt: String,
    /// The same as a C2SP tlog-proof, for third-party tools. 文本回执（C2SP tlog-proof）。
    tlog_proof: String,
    /// At the level WITNESSED: that the tlog-proof's checkpoint stands in the head log, as a C2SP tlog-proof of its own.
    /// 见证级回执另附：检查点在头部日志中的证明。
    #[serde(skip_serializing_if = "Option::is_none")]
    head_proof: Option<String>,
}

impl CallAnswer {
    /// The answer.
    ///
    /// # Errors
    /// `INTERNAL` for a table that JSON cannot hold, which would be a defect.
    pub(super) fn of(
        answer: &Answer,
        receipt: &Receipt,
        level: Level,
    ) -> Result<CallAnswer, ErrorCode> {
        Ok(CallAnswer {
            call_id: answer.call.to_string(),
            environment: answer.environment.as_str(),
            value: value(&answer.value)?,
            loads: answer.loads.iter().map(LoadAnswer::of).collect(),
            receipt: ReceiptAnswer::of(receipt, level),
            opening_key: hex::encode(answer.opening_key),
        })
    }
}

fn value(value: &AnswerValue) -> Result<Value, ErrorCode> {
    Ok(match value {
        AnswerValue::Score(score) => {
            let (class, number, not_found) = match &score.value {
                ScoreValue::Class(class) => (Some(class.clone()), None, false),
                ScoreValue::NotFound => (None, None, true),
                ScoreValue::Score(number) => (None, Some(*number), false),
            };
            Value::Score {
                class,
                score: number,
                not_found,
                reasons: score.reasons.clone(),
            }
        }
        AnswerValue::Table(table) => Value::Table {
            columns: tables::columns(&table.rows.schema()),
            rows: tables::rows(&table.rows)?,
            arrow_stream: STANDARD.encode(&table.stream),
        },
        AnswerValue::Verdict(verdict) => Value::Verdict {
            verdict: verdict.as_str(),
            verdict_zh: verdict_zh(*verdict),
        },
    })
}

impl LoadAnswer {
    fn of(load: &Load) -> LoadAnswer {
        LoadAnswer {
            id: load.id.to_string(),
            resource: load.resource.clone(),
            as_of: load.as_of.to_string(),
        }
    }
}

impl ReceiptAnswer {
    fn of(receipt: &Receipt, level: Level) -> ReceiptAnswer {
        ReceiptAnswer {
            audit_level: level_word(level),
            origin: receipt.checkpoint.origin.clone(),
            index: receipt.index,
            tree_size: receipt.checkpoint.size,
            root: hex::encode(receipt.checkpoint.root.0),
            receipt: STANDARD.encode(receipt_to_pb(receipt, level).encode_to_vec()),
            tlog_proof: receipt.tlog_proof().to_string(),
            head_proof: receipt.head_tlog_proof().map(|proof| proof.to_string()),
        }
    }
}

/// What a caller may use. 调用方可用的数据产品。
#[derive(Serialize, ToSchema)]
pub(super) struct Products {
    /// The node. 数源节点。
    node: String,
    /// The products. 数据产品。
    products: Vec<ProductAnswer>,
}

/// A product. 数据产品。
#[derive(Serialize, ToSchema)]
struct ProductAnswer {
    /// `unit.product`, also its name in SQL. 产品标识，亦为 SQL 名称。
    product: String,
    /// Its version. 版本。
    version: u32,
    /// `verification`, `model` or `statistic`. 产品类别。
    kind: &'static str,
    /// The unit whose data it reads. 数源单位。
    unit: String,
    /// Title in Chinese. 中文名称。
    title_zh: String,
    /// Title in English. 英文名称。
    title_en: String,
    /// What it takes, in the order of positional calls. 参数，按位置顺序。
    parameters: Vec<ParameterAnswer>,
    /// The columns of its answer; empty while a statistic has no data to answer from. 答复的列；统计产品尚无数据时为空。
    output: Vec<Column>,
    /// The caller's grants for it. 可用的授权。
    grants: Vec<String>,
}

/// What a product takes. 参数。
#[derive(Serialize, ToSchema)]
struct ParameterAnswer {
    /// Its name. 名称。
    name: String,
    /// `text`, `integer` or `date`. 类型。
    #[serde(rename = "type")]
    kind: &'static str,
    /// How it is compared with the register: `exact`, `folded`, `integer`, `date` or `at_least`; none for a parameter of
    /// a statistic. 比对方式；统计参数没有。
    #[serde(skip_serializing_if = "Option::is_none")]
    comparator: Option<String>,
    /// The values that it may have; without this field, any of the type. 可取的值；没有此字段则不限。
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    values: Option<Vec<serde_json::Value>>,
    /// True if the values are edges of bins, which only cut between bins. 取值是否为分箱边界。
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    edges: bool,
}

impl ParameterAnswer {
    fn of(parameter: &VisibleParameter) -> ParameterAnswer {
        let value = |value: &ClaimValue| match value {
            ClaimValue::Integer(number) => serde_json::Value::from(*number),
            ClaimValue::Text(text) => serde_json::Value::from(text.as_str()),
        };
        let values = parameter.declared.list().iter().map(value).collect();
        ParameterAnswer {
            name: parameter.name.clone(),
            kind: parameter.kind,
            comparator: parameter.comparator.clone(),
            values: (parameter.declared != Declared::Any).then_some(values),
            edges: matches!(parameter.declared, Declared::Edges(_)),
        }
    }
}

impl Products {
    pub(super) fn of(node: &NodeId, products: &[VisibleProduct]) -> Products {
        Products {
            node: node.to_string(),
            products: products.iter().map(ProductAnswer::of).collect(),
        }
    }
}

impl ProductAnswer {
    fn of(product: &VisibleProduct) -> ProductAnswer {
        let parameters = product.parameters.iter();
        ProductAnswer {
            product: product.reference.id.to_string(),
            version: product.reference.version,
            kind: product.kind.as_str(),
            unit: product.unit.to_string(),
            title_zh: product.title_zh.clone(),
            title_en: product.title_en.clone(),
            parameters: parameters.map(ParameterAnswer::of).collect(),
            output: tables::columns(&product.output),
            grants: product.grants.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A problem (RFC 9457). 错误。
#[derive(ToSchema)]
#[allow(dead_code, reason = "described here; the transport writes it")]
pub(super) struct Problem {
    /// The error code: `docs/errors/CODE.md` says what to do. 错误码。
    #[schema(example = "GRANT_EXPIRED")]
    r#type: String,
    /// What happened. 错误说明（英文）。
    title: String,
    /// The same in Chinese. 错误说明（中文）。
    title_zh: String,
    /// The HTTP status. HTTP 状态码。
    status: u16,
    /// What is wrong in the request, where that is why. 请求中的具体问题。
    detail: Option<String>,
}
