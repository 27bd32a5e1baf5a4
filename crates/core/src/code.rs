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
    /// Never on the wire: only the command line and `lingqu doctor` say it, about the machine they run on.
    Local,
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
        "retry with the same call id: nothing is evaluated or charged again, except that a statistic with noise may pay once more of its \
         privacy budget if nothing was evaluated yet",
        "使用同一调用标识重试，不会重复计算或计费；加噪统计若尚未计算，可能再扣减一次隐私预算";
    AuthorityPrefixMissing, "AUTHORITY_PREFIX_MISSING", Local,
        "no configured authority may speak for an id that this service must deal with", "没有任何已配置的签发机构可代表本服务必须往来的标识",
        "add the prefix to the authority that issues that id, under `tls.authorities`", "在 `tls.authorities` 中为签发该标识的机构补充前缀";
    BodyOrderForbidden, "BODY_ORDER_FORBIDDEN", PermissionDenied,
        "whoever signed or brought the order may not give it", "下令方或提交方无权下达该指令",
        "have a regulator that the node names order the opening, and bring it itself; have the unit order the erasure", "调阅由节点所列监管部门签署并自行提交，删除由数源单位签署";
    BodyOrderStale, "BODY_ORDER_STALE", FailedPrecondition,
        "the order is older than a day, or dated ahead", "指令签署已逾一日，或时间晚于当前",
        "sign it again", "重新签署";
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
    CertExpired, "CERT_EXPIRED", Local,
        "a certificate is not valid at this time", "证书当前不在有效期内",
        "put a valid certificate in its place; it is taken up without a restart", "更换为有效证书，无需重启即可生效";
    CertExpiresSoon, "CERT_EXPIRES_SOON", Local,
        "a certificate ends within 30 days", "证书将在30日内到期",
        "renew it now and put it in place; it is taken up without a restart", "尽快续期并替换，无需重启即可生效";
    CertKeyMismatch, "CERT_KEY_MISMATCH", Local,
        "certificate and private key do not belong together", "证书与私钥不匹配",
        "put the key in place that the certificate was issued for", "换上签发该证书时所用的私钥";
    CertOtherId, "CERT_OTHER_ID", Local,
        "the certificate names another id than the configuration", "证书中的标识与配置不一致",
        "obtain a certificate with the uri name `lingqu:ID` of this service", "申领带有本服务 `lingqu:标识` URI 名称的证书";
    CertSubjectsEqual, "CERT_SUBJECTS_EQUAL", Local,
        "certificate and authority have the same subject name", "证书与签发机构的主体名称相同",
        "issue the certificate under another subject: OpenSSL-based clients take it for self-signed", "以不同的主体名称重新签发，否则基于 OpenSSL 的客户端会视为自签名证书";
    CertUnreadable, "CERT_UNREADABLE", Local,
        "a certificate file cannot be read or used", "证书文件无法读取或使用",
        "provide PEM certificates: the own one first, then any intermediate ones", "提供 PEM 格式证书，本方证书在前，中间证书在后";
    CheckFailed, "CHECK_FAILED", Local,
        "something that was to be checked does not hold", "核验未通过",
        "do not rely on it; find out where it came from", "不要采信，并查明其来源";
    ClaimInvalid, "CLAIM_INVALID", InvalidArgument,
        "the claim does not fit the product's fields", "核验请求的字段与产品定义不符",
        "send every field of the product once, with the documented type", "按产品定义逐项提供字段且类型正确";
    ClockSetBack, "CLOCK_SET_BACK", FailedPrecondition,
        "the node's clock is behind a time it has already recorded", "节点时钟早于已记录的时间",
        "set the node's clock right", "校正节点时钟";
    ClockSkew, "CLOCK_SKEW", FailedPrecondition,
        "the node's clock and the coordinator's differ by more than 30 seconds", "节点与协调端时钟相差超过30秒",
        "synchronise the node's clock", "同步节点时钟";
    ClockUnsteady, "CLOCK_UNSTEADY", Local,
        "the clock of this machine jumps or is not set", "本机时钟跳变或未设置",
        "set the clock and keep it by a time service", "校正时钟并启用时间同步服务";
    CodeInvalid, "CODE_INVALID", PermissionDenied,
        "the enrolment code is unknown, used, expired or for another id", "准入码不存在、已使用、已过期或不属于该标识",
        "ask the operating agency for a new code", "向运营机构申领新的准入码";
    CommandUnsupported, "COMMAND_UNSUPPORTED", Unimplemented,
        "the node does not offer this command", "节点不提供该命令",
        "read which commands the node offers in the manual for clients", "查阅客户端手册中节点提供的命令";
    ConfigInvalid, "CONFIG_INVALID", Local,
        "the configuration cannot be used: a key is missing, unknown or has a wrong value", "配置无法使用：缺少键、存在未知键或取值错误",
        "correct the line that the message names; the sample in `deploy/` explains every key", "按提示更正该行，`deploy/` 中的样例解释了每个键";
    CoordinatorOtherIdentity, "COORDINATOR_OTHER_IDENTITY", Local,
        "somebody else answers at the coordinator's address", "协调端地址上应答的并非预期的协调端",
        "check url, id and authorities; if they are right, somebody is in between", "核对地址、标识与签发机构；若均无误，则链路中可能有他人介入";
    CoordinatorUnreachable, "COORDINATOR_UNREACHABLE", Local,
        "the coordinator cannot be reached", "无法连接协调端",
        "check address, network and firewall, and whether the coordinator runs", "检查地址、网络与防火墙，以及协调端是否运行";
    DataDirExposed, "DATA_DIR_EXPOSED", Local,
        "other users of this machine can reach the data directory", "本机其他用户可以访问数据目录",
        "`chmod 700` the directory and give it to the service's own user", "将目录权限设为700，并归服务专用账户所有";
    DataDirUnusable, "DATA_DIR_UNUSABLE", Local,
        "the data directory cannot be written", "数据目录不可写",
        "make the directory and give it to the user that the service runs as", "创建目录并归服务运行账户所有";
    DataDirVolatile, "DATA_DIR_VOLATILE", Local,
        "the data directory lies in memory and is lost with the power", "数据目录位于内存文件系统，断电即失",
        "put it on a disk: records of calls must survive", "改用磁盘目录，调用记录必须持久保存";
    DebugPrecondition, "DEBUG_PRECONDITION", FailedPrecondition,
        "the grant does not open debugging on production data with its three statements", "授权未载明生产环境调试验证的三项声明",
        "have a grant signed that states national security, trade secrets and privacy unharmed, with a window and a budget", "申请载明不危害国家安全、不侵犯商业秘密和个人隐私并含期限与次数的授权";
    DebugWindowClosed, "DEBUG_WINDOW_CLOSED", FailedPrecondition,
        "the window of debugging on production data is not open now", "当前不在生产环境调试验证的期限内",
        "debug within the window that the grant names, or have another one signed", "在授权载明的期限内调试，或重新签署";
    DiskSpaceLow, "DISK_SPACE_LOW", Local,
        "little space is left where the data directory lies", "数据目录所在磁盘剩余空间不足",
        "free or add space: without space for records no call is answered", "清理或扩容，无空间存证时不会答复任何调用";
    DiskSyncSlow, "DISK_SYNC_SLOW", Local,
        "the disk takes long to make a record durable", "磁盘落盘速度过慢",
        "use a local disk with a protected write cache: every answer waits for it", "使用带掉电保护缓存的本地磁盘，每次答复都需等待落盘";
    DiskSyncSuspicious, "DISK_SYNC_SUSPICIOUS", Local,
        "the disk says that records are durable faster than a disk can", "磁盘落盘速度快得不合常理，可能并未真正落盘",
        "make sure that neither the drive, the hypervisor nor the file system ignores flushes", "确认硬盘、虚拟化层与文件系统均未忽略刷盘指令";
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
    FileInvalid, "FILE_INVALID", Local,
        "a file does not hold what it should", "文件内容不符合要求",
        "correct the file as the message says", "按提示更正文件";
    FileUnreadable, "FILE_UNREADABLE", Local,
        "a file is missing or cannot be opened", "文件不存在或无法打开",
        "check path and permissions", "检查路径与权限";
    FileUnwritable, "FILE_UNWRITABLE", Local,
        "a file cannot be written, or is there already", "文件无法写入或已存在",
        "choose another path, or remove what is there if nobody needs it", "更换路径，或在确认无用后删除原文件";
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
    GrantInForce, "GRANT_IN_FORCE", FailedPrecondition,
        "the grant has not ended", "授权尚未终止",
        "confirm the destruction after the grant has expired or was revoked", "待授权到期或撤销后再确认销毁";
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
        "the caller is neither the grant's licensee nor its delegate; only records say so, the caller is told GRANT_UNKNOWN", "调用方不是被授权主体或其受托方；仅记入日志，对调用方答复 GRANT_UNKNOWN",
        "call with the licensee's or a delegate's certificate", "使用被授权主体或受托方的证书";
    GrantRevoked, "GRANT_REVOKED", PermissionDenied,
        "the grant is revoked", "授权已撤销",
        "ask the operating agency", "请联系运营机构";
    GrantSuspended, "GRANT_SUSPENDED", PermissionDenied,
        "the grant is suspended", "授权已暂停",
        "wait until the suspension is lifted, or ask the operating agency", "等待恢复，或联系运营机构";
    GrantUnknown, "GRANT_UNKNOWN", PermissionDenied,
        "the node holds no such grant of the caller, and none that fits", "节点没有该调用方的此项授权或符合的授权",
        "obtain a grant, or wait until it has reached the node; a grant of another party counts as none", "申请授权，或等待授权送达节点；他方的授权视同没有";
    GrantUnsignedByAgency, "GRANT_UNSIGNED_BY_AGENCY", PermissionDenied,
        "the grant lacks the signature of an operating agency that the unit trusts", "授权缺少受信任运营机构的签名",
        "have the operating agency sign", "请运营机构签署";
    GrantUnsignedByLicensee, "GRANT_UNSIGNED_BY_LICENSEE", PermissionDenied,
        "the grant lacks the licensee's signature", "授权缺少被授权主体的签名",
        "have the licensee sign", "请被授权主体签署";
    GrantUnsignedByUnit, "GRANT_UNSIGNED_BY_UNIT", PermissionDenied,
        "the grant lacks the signature of this node's own unit", "授权缺少本节点数源单位的签名",
        "have the unit sign", "请数源单位签署";
    HeadLogUnfollowed, "HEAD_LOG_UNFOLLOWED", Local,
        "the node does not follow the head log of its region, so it notices nothing of what the coordinator leaves out", "节点未核对本区域的头部日志，无法发现协调端的遗漏",
        "set `trust.head_key` in `node.toml` to the head log's key, as the coordinator's operator and the supervisors publish it", "在 `node.toml` 中将 `trust.head_key` 设为协调端与主管部门公布的头部日志公钥";
    IllegalTransition, "ILLEGAL_TRANSITION", FailedPrecondition,
        "the case's state does not allow this act", "案件当前状态不允许该事项",
        "look at the case's state and history", "查看案件状态与办理记录";
    InputUnusable, "INPUT_UNUSABLE", Local,
        "an input cannot be used", "输入无法使用",
        "correct what the message names", "按提示更正输入";
    Internal, "INTERNAL", Internal,
        "the node failed; the cause is in its own log under this call's id", "节点内部错误，原因见节点日志",
        "retry with the same call id; ask the unit if it persists", "使用同一调用标识重试，仍失败请联系数源单位";
    JournalDamaged, "JOURNAL_DAMAGED", Local,
        "the journal does not verify", "日志校验未通过",
        "leave the files as they are, restore a backup of the whole data directory, and let the mirror give back what is newer", "保持文件原样，恢复整个数据目录的备份，较新的记录由镜像补回";
    JournalUnchecked, "JOURNAL_UNCHECKED", Local,
        "the journal was not checked", "日志未校验",
        "stop the service and run the check again, or ask the running one with `lingqu status`", "停止服务后重新检查，或以 `lingqu status` 查询运行中的服务";
    KeyFileExposed, "KEY_FILE_EXPOSED", Local,
        "other users of this machine can read a private key", "本机其他用户可以读取私钥",
        "`chmod 600` the file; if it was readable for long, replace the key", "将文件权限设为600；若已暴露较久，应更换密钥";
    KeyProofInvalid, "KEY_PROOF_INVALID", InvalidArgument,
        "possession of a key was not proven", "未能证明持有密钥",
        "sign the proof with the key itself", "使用该密钥本身签署证明";
    KeyRefused, "KEY_REFUSED", InvalidArgument,
        "the public key is weak or malformed", "公钥格式错误或为弱密钥",
        "generate a new key", "重新生成密钥";
    KeyShared, "KEY_SHARED", Local,
        "one key has two roles", "同一密钥用于两种用途",
        "make a key of its own for each role", "为每种用途分别生成密钥";
    KeyUnreadable, "KEY_UNREADABLE", Local,
        "a private key cannot be read", "私钥无法读取",
        "provide an Ed25519 key in PKCS #8 PEM, as `lingqu pki key` makes it", "提供 PKCS #8 PEM 格式的 Ed25519 密钥，可由 `lingqu pki key` 生成";
    ListenUnusable, "LISTEN_UNUSABLE", Local,
        "the address to listen at cannot be used", "监听地址无法使用",
        "choose a free port and an address of this machine", "选择空闲端口和本机地址";
    LoadRefused, "LOAD_REFUSED", Local,
        "the reading does not fit what answers now, so the load before it goes on", "新读取的数据与现有产品不相容，继续使用原有装载",
        "see the node's log for the product or rule, correct the source, and load again", "查看节点日志中的产品或规则，更正数据源后重新装载";
    LoadRunning, "LOAD_RUNNING", Local,
        "a load of this resource is under way", "该数据资源正在装载",
        "follow it with `lingqu source watch`, or end it with `lingqu source stop`", "使用 `lingqu source watch` 查看进度，或用 `lingqu source stop` 中止";
    LoadStopped, "LOAD_STOPPED", Local,
        "the load was stopped, and the load before it goes on", "装载已中止，继续使用原有装载",
        "begin it again with `lingqu source load` when it suits", "合适时使用 `lingqu source load` 重新装载";
    LoadUnknown, "LOAD_UNKNOWN", Local,
        "there is no such load, or none is under way", "装载不存在，或没有正在进行的装载",
        "see the loads with `lingqu source status`", "使用 `lingqu source status` 查看各装载";
    MaterialMissing, "MATERIAL_MISSING", FailedPrecondition,
        "the application lacks material of the checklist", "申请材料不齐全",
        "have the missing material supplemented: the case lists it", "按案卷所列一次性告知并补正";
    ModelRefused, "MODEL_REFUSED", InvalidArgument,
        "the product's model is not one that a node can evaluate", "产品中的模型不在可计算范围内",
        "use a scorecard or an ONNX model of trees, linear models and scalers that fits its declared features and output", "使用与声明的特征和输出一致的评分卡或由树、线性模型、标准化组成的 ONNX 模型";
    NodeNotReady, "NODE_NOT_READY", Unavailable,
        "the node has not yet compared its journal with its mirror since it started", "节点启动后尚未与镜像核对日志",
        "wait until the node has reached its coordinator", "等待节点连上协调端";
    NotAuthenticated, "NOT_AUTHENTICATED", Local,
        "consistent, NOT authenticated: nobody's keys were given to check against", "内容自洽，但未经认证：未提供用于核对的密钥",
        "give `--trust` to check who signed it", "用 `--trust` 提供信任文件以核对签名方";
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
    OpenFilesLow, "OPEN_FILES_LOW", Local,
        "fewer files may be open than connections are configured", "可打开文件数低于配置的连接数",
        "raise `LimitNOFILE` (systemd) or `ulimit -n`, or lower `limits.connections_max`", "提高 `LimitNOFILE`（systemd）或 `ulimit -n`，或调低 `limits.connections_max`";
    OperatorRedevelopmentForbidden, "OPERATOR_REDEVELOPMENT_FORBIDDEN", PermissionDenied,
        "an operating agency may not be authorised for redevelopment", "运营机构不得申请再开发授权",
        "leave redevelopment to parties that are independent of the agency", "由独立于运营机构的主体申请";
    OpinionAlreadyGiven, "OPINION_ALREADY_GIVEN", AlreadyExists,
        "this reviewer has given its opinion in this case", "该审核主体已出具意见",
        "an opinion is given once; start a new case if it must change", "意见仅出具一次，如需变更请另行立案";
    OutputFailed, "OUTPUT_FAILED", Local,
        "the output cannot be written", "结果无法写出",
        "check where standard output leads", "检查标准输出的去向";
    Overloaded, "OVERLOADED", ResourceExhausted,
        "the server is at its configured limit", "服务已达到配置上限",
        "retry later", "请稍后重试";
    PageSizeUntested, "PAGE_SIZE_UNTESTED", Local,
        "the machine has a page size that was never tested", "本机内存页大小未经测试",
        "use a kernel with pages of 4 to 64 KiB", "使用4至64 KiB内存页的内核";
    ParameterInvalid, "PARAMETER_INVALID", InvalidArgument,
        "the parameters do not fit what the product declares", "参数与产品声明不符",
        "give every declared parameter once, with one of its declared values", "按产品声明逐项提供参数且取值在声明范围内";
    PeerUnreachable, "PEER_UNREACHABLE", Local,
        "the other side could not be reached, or the connection was lost", "无法连接对方或连接中断",
        "check address, network and whether the other side runs", "检查地址、网络以及对方是否运行";
    PrivacyBudgetExhausted, "PRIVACY_BUDGET_EXHAUSTED", ResourceExhausted,
        "the answer would cost more privacy budget than is left", "答复所需的隐私预算超出剩余额度",
        "ask what was already answered, or for a larger limit in the grant or the unit's policy", "使用已有答复的查询，或申请提高授权或数源单位策略中的额度";
    ProductCannotRun, "PRODUCT_CANNOT_RUN", Local,
        "the product cannot run as it is written", "产品按现有定义无法运行",
        "correct the product, the policy or the resource as the message says", "按提示更正产品、策略或数据资源";
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
    ResourceChanged, "RESOURCE_CHANGED", FailedPrecondition,
        "the table behind the resource has changed its columns, and the unit has not looked at it yet", "数据资源所在表的字段已变化，数源单位尚未确认",
        "the unit compares the columns with `lingqu source status` and confirms with `lingqu source accept`", "数源单位使用 `lingqu source status` 核对字段，并以 `lingqu source accept` 确认";
    ResourceDateInvalid, "RESOURCE_DATE_INVALID", Local,
        "the date that a resource speaks for is malformed or in the future", "数据资源的数据日期格式错误或晚于当前时间",
        "correct `as_of` of the resource", "更正该资源的 `as_of`";
    ResourceStale, "RESOURCE_STALE", Local,
        "a resource is older than its update cycle, or than a year where none is configured", "数据资源超过更新周期未更新；未配置周期的，数据日期已超过一年",
        "load newer data, or tell callers why this is the newest", "装载较新数据，或向调用方说明原因";
    ResourceTooLarge, "RESOURCE_TOO_LARGE", Local,
        "a resource has more rows or bytes than the configured limit", "数据资源的行数或字节数超过配置上限",
        "raise `limits.rows_max` or `limits.load_bytes_max` if memory allows, or split the resource", "内存允许时提高 `limits.rows_max` 或 `limits.load_bytes_max`，或拆分资源";
    ResourceUnavailable, "RESOURCE_UNAVAILABLE", Unavailable,
        "the resource has no current load", "资源没有可用的装载",
        "ask the unit to load it", "请数源单位装载数据";
    ResourceUnknown, "RESOURCE_UNKNOWN", Local,
        "no such resource or source is configured", "未配置该数据资源或数据源",
        "use a name that stands in `node.toml`, with an environment that it serves", "使用 `node.toml` 中的名称及其适用环境";
    RetentionNotElapsed, "RETENTION_NOT_ELAPSED", FailedPrecondition,
        "what was kept must be kept longer", "留存期限未满",
        "wait until the retention after the end of the grant is over, at least six calendar months", "等待授权终止后的留存期限届满，至少六个月";
    RevocationForbidden, "REVOCATION_FORBIDDEN", PermissionDenied,
        "the signer may not revoke this", "签署方无权撤销该对象",
        "have the operating agency or the object's own unit sign", "由运营机构或相关数源单位签署";
    ScenarioMismatch, "SCENARIO_MISMATCH", PermissionDenied,
        "the grant is for another scenario", "授权属于另一场景",
        "state the grant's scenario", "填写授权对应的场景";
    SourceUnavailable, "SOURCE_UNAVAILABLE", Local,
        "the source cannot be read as configured", "数据源无法按配置读取",
        "see what `lingqu source check` says of it: address, account, table, columns", "使用 `lingqu source check` 检查地址、账号、表和字段";
    SourceWritable, "SOURCE_WRITABLE", Local,
        "the account could write at the source", "该账号在数据源上具有写权限",
        "give the node an account that can only read", "为节点配置仅有读取权限的账号";
    SqlFormUnsupported, "SQL_FORM_UNSUPPORTED", InvalidArgument,
        "the statement is not of the one form in which a product is called", "语句不是调用数据产品的唯一形式",
        "write `SELECT * FROM unit.product(arguments)` with literals or placeholders", "使用 `SELECT * FROM unit.product(参数)`，参数为字面量或占位符";
    StatementUnknown, "STATEMENT_UNKNOWN", NotFound,
        "the caller has no such prepared statement, or no longer", "调用方没有该预备语句，或已失效",
        "prepare the statement again", "重新预备该语句";
    Stopped, "STOPPED", PermissionDenied,
        "the unit has stopped this", "数源单位已停止该项",
        "ask the unit", "请联系数源单位";
    StreamPruned, "STREAM_PRUNED", NotFound,
        "the stream has ended, and its records were dropped when they no longer had to be kept", "该日志流已结束，其记录已在留存期满后清除",
        "ask whoever exported the stream for the archive; receipts hold without it, and its last checkpoint and the proof of its end are still given", "向导出过该日志流的一方索取归档；收据无需归档即可核验，最终检查点与终结证明仍可取得";
    SubjectLimitReached, "SUBJECT_LIMIT_REACHED", ResourceExhausted,
        "this subject was asked about as often as the unit allows", "对同一主体的查询次数已达数源单位上限",
        "wait until the unit's window is over", "等待统计窗口结束";
    SuspensionForbidden, "SUSPENSION_FORBIDDEN", PermissionDenied,
        "the signer may not suspend this grant, or not lift this suspension", "签署方无权暂停该授权或恢复该暂停",
        "have the operating agency or a unit of the grant sign; whoever suspended lifts", "由运营机构或相关数源单位签署；由原暂停方恢复";
    SuspensionUnknown, "SUSPENSION_UNKNOWN", NotFound,
        "there is no such suspension, or it is lifted", "该暂停不存在或已恢复",
        "look at the case's history", "查看案件办理记录";
    SystemRefused, "SYSTEM_REFUSED", Local,
        "the operating system refused", "操作系统拒绝",
        "look at the system's limits and log", "检查系统限制与系统日志";
    TermTooLong, "TERM_TOO_LONG", InvalidArgument,
        "a grant's term is at most five years", "授权期限最长五年",
        "shorten the term", "缩短期限";
    TicketInvalid, "TICKET_INVALID", PermissionDenied,
        "the ticket is unknown, used, too old, or was issued to another caller or for another grant", "凭单不存在、已使用、已过期，或签发给其他调用方或其他授权",
        "ask for the query's flight info again", "重新获取查询的FlightInfo";
    UsageInvalid, "USAGE_INVALID", Local,
        "the command line cannot be understood", "命令行无法识别",
        "see `--help` of the command", "参见该命令的 `--help`";
    WitnessesUnpinned, "WITNESSES_UNPINNED", Local,
        "a policy asks for witnesses, and the node pins none: its products answer nobody", "策略要求见证，但节点未配置见证方：相关产品不会作答",
        "set `trust.witnesses` in `node.toml` to the witnesses' policy that the unit accepts, with `trust.head_key`, or sign other terms", "在 `node.toml` 中将 `trust.witnesses` 设为本单位认可的见证规则（同时设置 `trust.head_key`），或改签其他条件";
    WitnessStateMissing, "WITNESS_STATE_MISSING", Local,
        "the witness does not know what it has cosigned of a log", "见证方缺少某一日志的见证状态",
        "bring the state back; `lingqu witness init` is right only for a log that this witness has never cosigned", "恢复原有状态；仅对从未见证过的日志才可执行 lingqu witness init";
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

impl ErrorCode {
    /// The code as a caller is told it. Of a grant that is another party's, a caller learns what it would learn if there
    /// were no such grant; unit and regulator read the reason in the record.
    pub const fn told(self) -> ErrorCode {
        match self {
            ErrorCode::GrantPartyMismatch => ErrorCode::GrantUnknown,
            told => told,
        }
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
