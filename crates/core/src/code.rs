//! The error codes: one word per failure, the same on the wire, in records, metrics, logs and the CLI.
//!
//! This table is the one place where codes exist. Each has a page `docs/errors/CODE.md` made from it. Texts carry no
//! row data: they are constants.

use std::fmt;
use std::str::FromStr;

/// How a transport classifies a failure; the names are those of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The thing exists already, in another form.
    AlreadyExists,
    /// The state forbids it now; retrying unchanged does not help.
    FailedPrecondition,
    /// A defect of ours.
    Internal,
    /// The request is malformed.
    InvalidArgument,
    /// No such thing.
    NotFound,
    /// Known caller, not allowed.
    PermissionDenied,
    /// A quota or limit is reached.
    ResourceExhausted,
    /// The caller is not who it must be.
    Unauthenticated,
    /// Retrying later may help.
    Unavailable,
    /// Nobody can have it here.
    Unimplemented,
}

macro_rules! codes {
    ($($variant:ident, $code:literal, $class:ident, $en:literal, $zh:literal, $remedy_en:literal, $remedy_zh:literal;)*) => {
        /// Why something was refused or failed. Stable: a code is never renamed or reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $(#[doc = $en] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in alphabetical order.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$variant => $code,)* }
            }

            /// How transports classify it.
            pub const fn class(self) -> Class {
                match self { $(ErrorCode::$variant => Class::$class,)* }
            }

            /// What happened, in English.
            pub const fn message_en(self) -> &'static str {
                match self { $(ErrorCode::$variant => $en,)* }
            }

            /// What happened, in Chinese.
            pub const fn message_zh(self) -> &'static str {
                match self { $(ErrorCode::$variant => $zh,)* }
            }

            /// What to do, in English.
            pub const fn remedy_en(self) -> &'static str {
                match self { $(ErrorCode::$variant => $remedy_en,)* }
            }

            /// What to do, in Chinese.
            pub const fn remedy_zh(self) -> &'static str {
                match self { $(ErrorCode::$variant => $remedy_zh,)* }
            }
        }
    };
}

codes! {
    AgreementAltered, "AGREEMENT_ALTERED", FailedPrecondition,
        "the signature is not over the bytes that the others signed", "签署内容与其他签署方所签原文不一致",
        "fetch the case's documents and sign exactly those bytes", "取回案卷中的文本，对原文逐字节签署";
    AgreementTermMissing, "AGREEMENT_TERM_MISSING", InvalidArgument,
        "the agreement lacks a mandatory term", "协议缺少必备条款",
        "add the term that the message names", "补充提示所列条款";
    AlreadyEnrolled, "ALREADY_ENROLLED", AlreadyExists,
        "the id or key is already enrolled", "该标识或密钥已登记",
        "enrol under the id that the code names, with keys used nowhere else", "使用准入码对应的标识，并使用从未登记过的密钥";
    AlreadyExpired, "ALREADY_EXPIRED", FailedPrecondition,
        "the term is over, so it can no longer be renewed", "期限已届满，不能再续签",
        "submit a new application", "重新提交申请";
    AsOfUnavailable, "AS_OF_UNAVAILABLE", FailedPrecondition,
        "the data is older than the call asks for", "数据日期早于请求要求的日期",
        "ask without a lower bound, or wait for the next load", "去掉日期下限，或等待下一次装载";
    AuditUnavailable, "AUDIT_UNAVAILABLE", Unavailable,
        "the call's record could not be secured, so its answer was withheld", "调用记录未能按要求存证，答案未放行",
        "retry with the same call id: nothing is evaluated or charged again", "使用同一调用标识重试，不会重复计算或计费";
    CallerCertExpired, "CALLER_CERT_EXPIRED", Unauthenticated,
        "the caller's certificate is not valid at this time", "调用方证书当前不在有效期内",
        "connect again with a valid certificate", "更换有效证书后重新连接";
    CallerCertUntrusted, "CALLER_CERT_UNTRUSTED", Unauthenticated,
        "the certificate is not from a trusted authority", "证书不是受信任机构签发",
        "use a certificate from an authority that the node trusts", "使用节点信任的机构签发的证书";
    CallerOutsidePrefix, "CALLER_OUTSIDE_PREFIX", Unauthenticated,
        "the authority that issued the certificate may not speak for this id", "证书签发机构无权代表该标识",
        "obtain the certificate from the authority responsible for this id", "向负责该标识的机构申领证书";
    CallerRevoked, "CALLER_REVOKED", PermissionDenied,
        "the calling party is revoked", "调用方已被撤销",
        "ask the operating agency", "请联系运营机构";
    CallerRoleForbidden, "CALLER_ROLE_FORBIDDEN", PermissionDenied,
        "the caller's role may not use this operation", "调用方角色无权使用该操作",
        "use the identity whose role allows it", "使用具备相应角色的身份";
    CallIdInvalid, "CALL_ID_INVALID", InvalidArgument,
        "the call id is not 16 bytes, or all zero", "调用标识不是16字节或全为零",
        "choose 16 random bytes for each call", "每次调用选取16个随机字节";
    CallIdReused, "CALL_ID_REUSED", AlreadyExists,
        "the call id was used for another request", "该调用标识已用于另一请求",
        "choose a new call id for each request", "每个请求使用新的调用标识";
    CallIdSpent, "CALL_ID_SPENT", AlreadyExists,
        "the call was already answered and its answer is no longer held", "该调用已答复，答复已不再保存",
        "choose a new call id: it is a new call and charged as one", "使用新的调用标识，将作为新调用计量";
    CasesTooMany, "CASES_TOO_MANY", ResourceExhausted,
        "the applicant has too many open or too many new cases", "申请主体在办案件或当日新提交案件过多",
        "wait for a decision, or withdraw what is no longer needed", "等待办结，或撤回不再需要的申请";
    CaseActorForbidden, "CASE_ACTOR_FORBIDDEN", PermissionDenied,
        "this act is not the caller's to do in this case", "调用方在本案中无权办理该事项",
        "leave it to the party that the case shows", "由案卷所示的主体办理";
    CaseLapsed, "CASE_LAPSED", FailedPrecondition,
        "nothing was supplemented by the date that the notice set", "未在告知期限内补正，申请已失效",
        "submit a new application", "重新提交申请";
    CaseUnknown, "CASE_UNKNOWN", NotFound,
        "there is no such case, or the caller takes no part in it", "案件不存在，或调用方与本案无关",
        "check the case id", "核对案件编号";
    CatalogGrantOnly, "CATALOG_GRANT_ONLY", PermissionDenied,
        "a catalog grant allows viewing and promoting, not calling", "目录授权仅可查看和推广，不可调用",
        "apply for a scenario grant", "申请场景授权";
    ClaimInvalid, "CLAIM_INVALID", InvalidArgument,
        "the claim does not fit the product's fields", "核验请求的字段与产品定义不符",
        "send every field of the product once, with the documented type", "按产品定义逐项提供字段且类型正确";
    ClockSetBack, "CLOCK_SET_BACK", FailedPrecondition,
        "the node's clock is behind a time it has already recorded", "节点时钟早于已记录的时间",
        "set the node's clock right", "校正节点时钟";
    ClockSkew, "CLOCK_SKEW", FailedPrecondition,
        "the node's clock and the coordinator's differ by more than 30 seconds", "节点与协调端时钟相差超过30秒",
        "synchronise the node's clock", "同步节点时钟";
    CodeInvalid, "CODE_INVALID", PermissionDenied,
        "the enrolment code is unknown, used, expired or for another id", "准入码不存在、已使用、已过期或不属于该标识",
        "ask the operating agency for a new code", "向运营机构申领新的准入码";
    CommandUnsupported, "COMMAND_UNSUPPORTED", Unimplemented,
        "the node does not offer this command", "节点不提供该命令",
        "read which commands the node offers in the manual for clients", "查阅客户端手册中节点提供的命令";
    DebugPrecondition, "DEBUG_PRECONDITION", FailedPrecondition,
        "the grant does not open debugging on production data with its three statements", "授权未载明生产环境调试验证的三项声明",
        "have a grant signed that states national security, trade secrets and privacy unharmed, with a window and a budget", "申请载明不危害国家安全、不侵犯商业秘密和个人隐私并含期限与次数的授权";
    DebugWindowClosed, "DEBUG_WINDOW_CLOSED", FailedPrecondition,
        "the window of debugging on production data is not open now", "当前不在生产环境调试验证的期限内",
        "debug within the window that the grant names, or have another one signed", "在授权载明的期限内调试，或重新签署";
    EndUserMissing, "END_USER_MISSING", InvalidArgument,
        "the call does not name its end user", "调用未指明数据使用方",
        "state the end user's unified social credit code", "填写数据使用方的统一社会信用代码";
    EndUserNotGranted, "END_USER_NOT_GRANTED", PermissionDenied,
        "the grant does not allow this end user", "授权未包含该数据使用方",
        "call for an end user that the grant lists", "仅为授权列明的数据使用方调用";
    EnvMismatch, "ENV_MISMATCH", PermissionDenied,
        "the grant does not allow this environment", "授权不适用于该环境",
        "call in an environment that the grant lists", "在授权列明的环境中调用";
    EpochInvalid, "EPOCH_INVALID", PermissionDenied,
        "the revocation list is not signed by the pinned coordinator", "撤销清单不是由受信任协调端签署",
        "look at the coordinator connection: somebody may be forging", "检查协调端连接，可能存在伪造";
    EpochMissing, "EPOCH_MISSING", FailedPrecondition,
        "the node has no revocation list, or an older one than it has seen", "节点没有撤销清单，或清单旧于已见过的",
        "wait until the node has reached its coordinator", "等待节点连上协调端";
    EpochRollback, "EPOCH_ROLLBACK", FailedPrecondition,
        "the revocation list is older than one already seen", "撤销清单旧于已见过的清单",
        "look at the coordinator: it may have been restored from a backup", "检查协调端，可能由旧备份恢复";
    EpochStale, "EPOCH_STALE", FailedPrecondition,
        "the revocation list is older than the unit's policy allows", "撤销清单已超过数源单位策略允许的时限",
        "restore the connection to the coordinator", "恢复与协调端的连接";
    EvaluationFailed, "EVALUATION_FAILED", Internal,
        "the evaluation did not end with an answer; it is charged and recorded", "计算未能得出结果，已计量并记录",
        "ask the unit's operators; a smaller question may fit the limits of time and memory", "联系数源单位运维人员；缩小问题范围或可满足时间和内存限制";
    FeedResumeInvalid, "FEED_RESUME_INVALID", InvalidArgument,
        "the resume point lies beyond what exists", "续传位置超出现有范围",
        "resume from a point that was received, or from the beginning", "从已收到的位置或从头续传";
    GrantAltered, "GRANT_ALTERED", PermissionDenied,
        "a signature on the grant does not fit its bytes", "授权令牌与签名不符，可能被篡改",
        "file the grant as it was signed", "提交未经改动的授权令牌";
    GrantAmbiguous, "GRANT_AMBIGUOUS", InvalidArgument,
        "more than one grant fits", "有多个授权符合",
        "name the grant in the call", "在调用中指明授权";
    GrantExceedsApplication, "GRANT_EXCEEDS_APPLICATION", FailedPrecondition,
        "the grant allows more than was applied for and reviewed", "授权内容超出已审核的申请范围",
        "narrow the grant to the application, or apply for more", "将授权限于申请范围内，或另行申请";
    GrantExpired, "GRANT_EXPIRED", PermissionDenied,
        "the grant's term is over", "授权已到期",
        "renew the grant", "续签授权";
    GrantNotFiled, "GRANT_NOT_FILED", PermissionDenied,
        "the grant is not filed by the pinned coordinator", "授权未在受信任协调端备案",
        "file the grant", "办理备案";
    GrantNotYetValid, "GRANT_NOT_YET_VALID", PermissionDenied,
        "the grant's term has not begun", "授权尚未生效",
        "wait until the term begins", "等待授权生效";
    GrantOtherNode, "GRANT_OTHER_NODE", PermissionDenied,
        "the grant does not name this node", "授权未包含本节点",
        "call a node that the grant names", "调用授权列明的节点";
    GrantPartyMismatch, "GRANT_PARTY_MISMATCH", PermissionDenied,
        "the caller is neither the grant's licensee nor its delegate", "调用方不是被授权主体或其受托方",
        "call with the licensee's or a delegate's certificate", "使用被授权主体或受托方的证书";
    GrantRevoked, "GRANT_REVOKED", PermissionDenied,
        "the grant is revoked", "授权已撤销",
        "ask the operating agency", "请联系运营机构";
    GrantSuspended, "GRANT_SUSPENDED", PermissionDenied,
        "the grant is suspended", "授权已暂停",
        "wait until the suspension is lifted, or ask the operating agency", "等待恢复，或联系运营机构";
    GrantUnknown, "GRANT_UNKNOWN", PermissionDenied,
        "the node holds no such grant, and none that fits", "节点没有该授权或符合的授权",
        "obtain a grant, or wait until it has reached the node", "申请授权，或等待授权送达节点";
    GrantUnsignedByAgency, "GRANT_UNSIGNED_BY_AGENCY", PermissionDenied,
        "the grant lacks the signature of an operating agency that the unit trusts", "授权缺少受信任运营机构的签名",
        "have the operating agency sign", "请运营机构签署";
    GrantUnsignedByLicensee, "GRANT_UNSIGNED_BY_LICENSEE", PermissionDenied,
        "the grant lacks the licensee's signature", "授权缺少被授权主体的签名",
        "have the licensee sign", "请被授权主体签署";
    GrantUnsignedByUnit, "GRANT_UNSIGNED_BY_UNIT", PermissionDenied,
        "the grant lacks the signature of this node's own unit", "授权缺少本节点数源单位的签名",
        "have the unit sign", "请数源单位签署";
    IllegalTransition, "ILLEGAL_TRANSITION", FailedPrecondition,
        "the case's state does not allow this act", "案件当前状态不允许该事项",
        "look at the case's state and history", "查看案件状态与办理记录";
    Internal, "INTERNAL", Internal,
        "the node failed; the cause is in its own log under this call's id", "节点内部错误，原因见节点日志",
        "retry with the same call id; ask the unit if it persists", "使用同一调用标识重试，仍失败请联系数源单位";
    KeyProofInvalid, "KEY_PROOF_INVALID", InvalidArgument,
        "possession of a key was not proven", "未能证明持有密钥",
        "sign the proof with the key itself", "使用该密钥本身签署证明";
    KeyRefused, "KEY_REFUSED", InvalidArgument,
        "the public key is weak or malformed", "公钥格式错误或为弱密钥",
        "generate a new key", "重新生成密钥";
    MaterialMissing, "MATERIAL_MISSING", FailedPrecondition,
        "the application lacks material of the checklist", "申请材料不齐全",
        "have the missing material supplemented: the case lists it", "按案卷所列一次性告知并补正";
    ModelRefused, "MODEL_REFUSED", InvalidArgument,
        "the product's model is not one that a node can evaluate", "产品中的模型不在可计算范围内",
        "use a scorecard or an ONNX model of trees, linear models and scalers that fits its declared features and output", "使用与声明的特征和输出一致的评分卡或由树、线性模型、标准化组成的 ONNX 模型";
    NodeNotReady, "NODE_NOT_READY", Unavailable,
        "the node has not yet compared its journal with its mirror since it started", "节点启动后尚未与镜像核对日志",
        "wait until the node has reached its coordinator", "等待节点连上协调端";
    NotEnrolled, "NOT_ENROLLED", PermissionDenied,
        "the caller is not enrolled, or suspended", "调用方未登记或已暂停",
        "enrol first", "请先办理登记";
    ObjectConflict, "OBJECT_CONFLICT", AlreadyExists,
        "another object with this id and version is filed", "相同标识和版本的对象已备案",
        "file a new version", "提交新版本";
    ObjectInvalid, "OBJECT_INVALID", InvalidArgument,
        "the signed object cannot be read, or contradicts itself", "签署对象无法解析或自相矛盾",
        "correct the object and sign again", "更正后重新签署";
    ObjectSignatureInvalid, "OBJECT_SIGNATURE_INVALID", PermissionDenied,
        "a required signature is missing or wrong", "缺少必要签名或签名错误",
        "have every required signer sign the exact bytes", "由全部必要签署方对原文签名";
    OneTimeNoticeAlreadyGiven, "ONE_TIME_NOTICE_ALREADY_GIVEN", FailedPrecondition,
        "everything missing must be named in one notice, and it was given", "应一次性告知需补正的内容，告知已作出",
        "accept or reject the application", "受理或不予受理该申请";
    OperatorRedevelopmentForbidden, "OPERATOR_REDEVELOPMENT_FORBIDDEN", PermissionDenied,
        "an operating agency may not be authorised for redevelopment", "运营机构不得申请再开发授权",
        "leave redevelopment to parties that are independent of the agency", "由独立于运营机构的主体申请";
    OpinionAlreadyGiven, "OPINION_ALREADY_GIVEN", AlreadyExists,
        "this reviewer has given its opinion in this case", "该审核主体已出具意见",
        "an opinion is given once; start a new case if it must change", "意见仅出具一次，如需变更请另行立案";
    Overloaded, "OVERLOADED", ResourceExhausted,
        "the server is at its configured limit", "服务已达到配置上限",
        "retry later", "请稍后重试";
    ParameterInvalid, "PARAMETER_INVALID", InvalidArgument,
        "the parameters do not fit what the product declares", "参数与产品声明不符",
        "give every declared parameter once, with one of its declared values", "按产品声明逐项提供参数且取值在声明范围内";
    ProductKindMismatch, "PRODUCT_KIND_MISMATCH", InvalidArgument,
        "the product is of another kind than the operation", "产品类别与所调用的操作不符",
        "verify verifications, score models, query statistics", "核验类产品用核验，模型类用评分，统计类用查询";
    ProductNotApproved, "PRODUCT_NOT_APPROVED", PermissionDenied,
        "the unit has not approved this version of the product", "数源单位未批准该产品版本",
        "ask the unit for its approval", "请数源单位批准";
    ProductNotGranted, "PRODUCT_NOT_GRANTED", PermissionDenied,
        "the grant does not name this product and version", "授权未包含该产品或版本",
        "call a product that the grant names", "调用授权列明的产品";
    ProductRevoked, "PRODUCT_REVOKED", PermissionDenied,
        "the product version is revoked", "产品版本已撤销",
        "use a current version", "使用现行版本";
    ProductUnknown, "PRODUCT_UNKNOWN", NotFound,
        "the node serves no such product", "节点没有该产品",
        "check the product's name and node", "核对产品名称和节点";
    PurposeForbidden, "PURPOSE_FORBIDDEN", PermissionDenied,
        "the unit's policy does not allow this purpose", "数源单位策略不允许该用途",
        "call for a purpose that the policy lists", "按策略允许的用途调用";
    PurposeMismatch, "PURPOSE_MISMATCH", PermissionDenied,
        "the grant does not allow this purpose", "授权不包含该用途",
        "state a purpose that the grant lists", "填写授权列明的用途";
    QuotaExhausted, "QUOTA_EXHAUSTED", ResourceExhausted,
        "the grant's quantity at this node is used up", "授权在本节点的用量已用完",
        "wait for the next day (UTC+8) or renew the grant", "等待次日（UTC+8）或续签授权";
    RateLimited, "RATE_LIMITED", ResourceExhausted,
        "too many calls of this party at once, or too many refused ones", "该调用方并发或被拒调用过多",
        "slow down", "降低调用频率";
    RegionForbidden, "REGION_FORBIDDEN", PermissionDenied,
        "the region lies outside the subscriber's own", "所请求区域超出订阅方辖区",
        "follow your own region or one below it", "仅订阅本辖区或其下级区域";
    RequestEnvelopeUnsupported, "REQUEST_ENVELOPE_UNSUPPORTED", InvalidArgument,
        "this node does not accept signed request envelopes", "节点尚不接受签名请求信封",
        "call over mutual TLS without an envelope", "使用双向TLS直接调用";
    RequestInvalid, "REQUEST_INVALID", InvalidArgument,
        "a field of the request is missing or malformed", "请求字段缺失或格式错误",
        "correct the field that the message names", "按提示更正字段";
    ResourceUnavailable, "RESOURCE_UNAVAILABLE", Unavailable,
        "the resource has no current load", "资源没有可用的装载",
        "ask the unit to load it", "请数源单位装载数据";
    RevocationForbidden, "REVOCATION_FORBIDDEN", PermissionDenied,
        "the signer may not revoke this", "签署方无权撤销该对象",
        "have the operating agency or the object's own unit sign", "由运营机构或相关数源单位签署";
    ScenarioMismatch, "SCENARIO_MISMATCH", PermissionDenied,
        "the grant is for another scenario", "授权属于另一场景",
        "state the grant's scenario", "填写授权对应的场景";
    SqlFormUnsupported, "SQL_FORM_UNSUPPORTED", InvalidArgument,
        "the statement is not of the one form in which a product is called", "语句不是调用数据产品的唯一形式",
        "write `SELECT * FROM unit.product(arguments)` with literals or placeholders", "使用 `SELECT * FROM unit.product(参数)`，参数为字面量或占位符";
    StatementUnknown, "STATEMENT_UNKNOWN", NotFound,
        "the caller has no such prepared statement, or no longer", "调用方没有该预备语句，或已失效",
        "prepare the statement again", "重新预备该语句";
    Stopped, "STOPPED", PermissionDenied,
        "the unit has stopped this", "数源单位已停止该项",
        "ask the unit", "请联系数源单位";
    SuspensionForbidden, "SUSPENSION_FORBIDDEN", PermissionDenied,
        "the signer may not suspend this grant, or not lift this suspension", "签署方无权暂停该授权或恢复该暂停",
        "have the operating agency or a unit of the grant sign; whoever suspended lifts", "由运营机构或相关数源单位签署；由原暂停方恢复";
    SuspensionUnknown, "SUSPENSION_UNKNOWN", NotFound,
        "there is no such suspension, or it is lifted", "该暂停不存在或已恢复",
        "look at the case's history", "查看案件办理记录";
    TermTooLong, "TERM_TOO_LONG", InvalidArgument,
        "a grant's term is at most five years", "授权期限最长五年",
        "shorten the term", "缩短期限";
    TicketInvalid, "TICKET_INVALID", PermissionDenied,
        "the ticket is unknown, used, too old, or was issued to another caller or for another grant", "凭单不存在、已使用、已过期，或签发给其他调用方或其他授权",
        "ask for the query's flight info again", "重新获取查询的FlightInfo";
}

/// A word that is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an error code")]
pub struct CodeUnknown;

impl FromStr for ErrorCode {
    type Err = CodeUnknown;

    fn from_str(word: &str) -> Result<Self, CodeUnknown> {
        ErrorCode::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == word)
            .ok_or(CodeUnknown)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_sorted_and_round_trip() {
        for pair in ErrorCode::ALL.windows(2) {
            assert!(
                pair[0].as_str() < pair[1].as_str(),
                "{} before {}",
                pair[0],
                pair[1]
            );
        }
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse::<ErrorCode>(), Ok(*code));
        }
    }
}
