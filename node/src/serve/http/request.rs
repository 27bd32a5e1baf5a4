//! The bodies that call a product. Their fields have the names of the gRPC requests, ids and dates as text.

use std::fmt;

use lingqu_core::ErrorCode;
use lingqu_core::decide::Asked;
use lingqu_core::product::ProductKind;
use lingqu_proto::{CallInvalid, ClaimValue, ProductCall};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use utoipa::ToSchema;

use crate::serve::context::{environment_from_word, minted};
use crate::serve::sql::ARGUMENTS_MAX;

/// A body that becomes a call.
pub(super) trait CallBody: DeserializeOwned + Send {
    /// The call, as strictly read as every other way in reads it.
    fn into_call(self) -> Result<ProductCall, CallInvalid>;
}

macro_rules! call_body {
    ($(#[$doc:meta])* $name:ident, $of:expr, $(#[$values_doc:meta])* $values:ident) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            /// `call_` and 32 hexadecimal digits, chosen at random by the caller and the same on a retry. A retry is
            /// answered again without being evaluated or charged again. Without it the node chooses one, and a retry is
            /// a new call.
            /// 调用标识，由调用方随机选取，重试时保持不变；重试不会重复计算和计量。缺省时由节点生成。
            #[schema(pattern = "^call_[0-9a-f]{32}$", example = "call_00112233445566778899aabbccddeeff")]
            call_id: Option<String>,
            /// The grant; may be left out only if exactly one of the caller's grants fits.
            /// 授权令牌标识；仅当恰有一个授权符合时可省略。
            #[schema(example = "grant_demo")]
            grant: Option<String>,
            /// The purpose, as the grant has it. 用途，须与授权一致。
            #[serde(default)]
            #[schema(required = true, example = "LENDING_CREDIT")]
            purpose: String,
            /// The scenario, as the grant has it. 场景标识，须与授权一致。
            #[serde(default)]
            #[schema(required = true, example = "SC-0001")]
            scenario: String,
            /// Unified social credit code of the party for whom the answer is finally meant.
            /// 数据使用方的统一社会信用代码。
            #[serde(default)]
            #[schema(required = true, example = "91450000MA5DEM001X")]
            end_user: String,
            /// The environment. 环境。
            environment: Environment,
            /// The product, as `unit.product`. 数据产品。
            #[schema(pattern = "^[a-z][a-z0-9_]{0,47}\\.[a-z][a-z0-9_]{0,47}$")]
            product: String,
            /// Its version; left out, the one that the grant names. 版本；缺省为授权载明的版本。
            version: Option<u32>,
            $(#[$values_doc])*
            #[schema(value_type = std::collections::BTreeMap<String, Value>)]
            $values: Values,
            /// Answer only from data as of this date or later: `YYYY-MM-DD` (midnight of UTC+8) or
            /// `YYYY-MM-DDThh:mm:ssZ`. 数据日期下限。
            #[schema(example = "2026-01-01")]
            as_of_min: Option<String>,
        }

        impl CallBody for $name {
            fn into_call(self) -> Result<ProductCall, CallInvalid> {
                let of: fn(Parts) -> Result<ProductCall, CallInvalid> = $of;
                of(Parts {
                    call_id: self.call_id,
                    grant: self.grant,
                    purpose: self.purpose,
                    scenario: self.scenario,
                    end_user: self.end_user,
                    environment: self.environment,
                    product: self.product,
                    version: self.version,
                    values: self.$values,
                    as_of_min: self.as_of_min,
                })
            }
        }
    };
}

call_body! {
    /// What would a call with these arguments answer, under which rules and at what cost? Of a product of any kind; no
    /// data is touched. 调用说明：会答复什么、适用哪些规则、计量多少；不触及数据。
    ExplainRequest, |parts| parts.into_call(None).map(ProductCall::explained),
    /// What the call would state, each once. 该调用所要填写的全部内容，各一次。
    arguments
}
call_body! {
    /// Does this claim match the unit's register? 核验：所述信息与登记是否一致？
    VerifyRequest, |parts| parts.into_call(Some(ProductKind::Verification)),
    /// Every field of the product, each once. 产品的全部字段，各一次。
    claims
}
call_body! {
    /// Which class or score has this subject? 模型：该对象的分级或评分？
    ScoreRequest, |parts| parts.into_call(Some(ProductKind::Model)),
    /// Every key field of the product, each once: who is to be scored. 产品的全部定位字段，各一次。
    subject
}
call_body! {
    /// A registered statistic. 统计：经登记的统计产品。
    QueryRequest, |parts| parts.into_call(Some(ProductKind::Statistic)),
    /// Every parameter of the product, each once. 产品的全部参数，各一次。
    parameters
}

/// Where a call runs. 环境。
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(super) enum Environment {
    /// Sample data. 测试环境（样例数据）。
    #[serde(rename = "TEST")]
    Test,
    /// Production data, for debugging. 生产调试环境。
    #[serde(rename = "PROD_DEBUG")]
    ProdDebug,
    /// Production data. 生产环境。
    #[serde(rename = "PROD")]
    Prod,
}

impl Environment {
    fn word(self) -> &'static str {
        match self {
            Environment::Test => "TEST",
            Environment::ProdDebug => "PROD_DEBUG",
            Environment::Prod => "PROD",
        }
    }
}

/// A value: a text of at most 1,024 bytes, or an integer of 64 bits. 文本或整数。
#[derive(ToSchema)]
#[schema(as = Value)]
#[allow(dead_code, reason = "it is only described; `Values` reads the values")]
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    /// An integer. 整数。
    Integer(i64),
    /// A text. 文本。
    Text(String),
}

/// Values by name, each name once.
pub(super) struct Values(Vec<(String, ClaimValue)>);

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({})", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts and integers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
        let mut values: Vec<(String, ClaimValue)> = Vec::new();
        while let Some((name, OneValue(value))) = map.next_entry::<String, OneValue>()? {
            // A parser that kept the last of two would read another request than one that keeps the first.
            if values.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom("a name is there twice"));
            }
            if values.len() == ARGUMENTS_MAX {
                return Err(A::Error::custom("too many names"));
            }
            values.push((name, value));
        }
        Ok(Values(values))
    }
}

struct OneValue(ClaimValue);

impl<'de> Deserialize<'de> for OneValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneValueVisitor)
    }
}

struct OneValueVisitor;

impl Visitor<'_> for OneValueVisitor {
    type Value = OneValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an integer")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<OneValue, E> {
        Ok(OneValue(ClaimValue::Integer(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<OneValue, E> {
        let value = i64::try_from(value).map_err(|_| E::custom("too large"))?;
        self.visit_i64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<OneValue, E> {
        Ok(OneValue(ClaimValue::Text(value.to_owned())))
    }
}

/// What the bodies have in common.
struct Parts {
    call_id: Option<String>,
    grant: Option<String>,
    purpose: String,
    scenario: String,
    end_user: String,
    environment: Environment,
    product: String,
    version: Option<u32>,
    values: Values,
    as_of_min: Option<String>,
}

impl Parts {
    fn into_call(self, kind: Option<ProductKind>) -> Result<ProductCall, CallInvalid> {
        let id = match &self.call_id {
            Some(id) => id.parse().map_err(|_| CallInvalid {
                code: ErrorCode::CallIdInvalid,
                field: "call_id",
                reason: "is not `call_` and 32 hexadecimal digits, or all zero",
            })?,
            None => minted()?,
        };
        let environment = environment_from_word(self.environment.word())
            .ok_or(invalid("environment", "is unknown"))?;
        if self.version == Some(0) {
            return Err(invalid("version", "is zero"));
        }
        let asked = Asked {
            grant: parsed("grant", self.grant.as_deref())?,
            product: self
                .product
                .parse()
                .map_err(|_| invalid("product", "is not `unit.product`"))?,
            version: self.version,
            purpose: self.purpose,
            scenario: self.scenario,
            end_user: self.end_user,
            environment,
        };
        let as_of_min = parsed("as_of_min", self.as_of_min.as_deref())?;
        ProductCall::new(id, &asked, kind, &self.values.0, as_of_min)
    }
}

fn parsed<T: std::str::FromStr>(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, CallInvalid> {
    text.map(str::parse)
        .transpose()
        .map_err(|_| invalid(field, "cannot be read"))
}

fn invalid(field: &'static str, reason: &'static str) -> CallInvalid {
    CallInvalid {
        code: ErrorCode::RequestInvalid,
        field,
        reason,
    }
}
