//! What is checked: one table, in the order in which it is run. The documentation is compared with it by a test.

use serde::Serialize;

/// One thing that a connector must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, which does not change.
    pub id: &'static str,
    /// What holds if it passes.
    pub en: &'static str,
    /// 中文.
    pub zh: &'static str,
}

const fn check(id: &'static str, en: &'static str, zh: &'static str) -> Check {
    Check { id, en, zh }
}

/// Every check. Those that act on the source (a restart, another column) come last.
pub const CHECKS: &[Check] = &[
    check(
        "reach",
        "the source answers and states its version",
        "数据源可达并说明其版本",
    ),
    check(
        "describe",
        "tables are listed once, in order, with the schema that opening gives",
        "表清单有序、无重复，且与打开后的结构一致",
    ),
    check(
        "encrypted",
        "the connection is encrypted and the server verified",
        "连接已加密并验证服务端身份",
    ),
    check(
        "read-only.account",
        "the account can only read",
        "账户仅有读取权限",
    ),
    check(
        "read-only.attempt",
        "an attempt to write is refused by the source",
        "写入尝试被数据源拒绝",
    ),
    check(
        "secrets",
        "no secret shows in `Debug`",
        "调试输出不含口令等机密",
    ),
    check(
        "load.columns",
        "the columns asked for come, in that order, and no others",
        "按所请求字段及次序返回，且不多不少",
    ),
    check(
        "load.stable",
        "reading twice gives the same rows in the same order",
        "重复读取结果与次序一致",
    ),
    check(
        "load.concurrent",
        "several readings at once give the same",
        "并发读取互不影响",
    ),
    check(
        "types.decimal",
        "decimals keep every digit",
        "小数不丢失任何位数",
    ),
    check(
        "types.timestamp-zone",
        "timestamps keep their moment and their zone",
        "时间戳保持时刻与时区",
    ),
    check(
        "types.text-utf8",
        "text keeps every character",
        "文本不丢失任何字符",
    ),
    check(
        "types.text-gbk",
        "text that the source keeps in GBK is read right",
        "源端 GBK 文本读取正确",
    ),
    check(
        "types.null-empty",
        "null stays null and empty stays empty",
        "空值与空串不混淆",
    ),
    check(
        "types.char-padding",
        "padding of CHAR columns is not part of the value",
        "CHAR 补位空格不计入取值",
    ),
    check(
        "types.big-integer",
        "integers of 64 bits keep every digit",
        "64 位整数不丢失精度",
    ),
    check(
        "types.date-before-1970",
        "dates before 1970 stay what they are",
        "1970 年以前的日期保持不变",
    ),
    check(
        "push-down.projection",
        "reading some columns equals choosing them afterwards",
        "字段下推与引擎结果一致",
    ),
    check(
        "push-down.compare",
        "comparisons equal the engine's",
        "比较条件下推与引擎结果一致",
    ),
    check(
        "push-down.in",
        "lists of values equal the engine's, with nulls too",
        "取值列表下推与引擎结果一致（含空值）",
    ),
    check(
        "push-down.null",
        "tests for null equal the engine's",
        "空值判断下推与引擎结果一致",
    ),
    check(
        "push-down.like",
        "patterns equal the engine's",
        "模式匹配下推与引擎结果一致",
    ),
    check(
        "push-down.logic",
        "AND, OR and NOT equal the engine's",
        "逻辑组合下推与引擎结果一致",
    ),
    check(
        "push-down.limit",
        "a limit never costs a row that was wanted",
        "条数限制下推不丢失应返回的行",
    ),
    check(
        "limit.rows",
        "a table of more rows than allowed is an error, never fewer rows",
        "超出行数上限即报错，绝不少返回",
    ),
    check(
        "limit.bytes",
        "a table of more bytes than allowed is an error",
        "超出字节上限即报错",
    ),
    check(
        "limit.batch",
        "no batch has more rows than allowed",
        "单批行数不超限",
    ),
    check(
        "limit.time",
        "a reading that takes too long is ended",
        "读取超时即终止",
    ),
    check(
        "flow.cancel",
        "a dropped reading stops the work at the source",
        "取消读取后源端停止工作",
    ),
    check(
        "flow.back-pressure",
        "a slow consumer holds the source up instead of filling memory",
        "消费变慢时源端随之等待，内存不增长",
    ),
    check(
        "change.restart",
        "a restart of the source ends readings with an error, and later ones work again",
        "源端重启时在途读取报错，恢复后可继续读取",
    ),
    check(
        "change.schema",
        "other columns or types than before are noticed",
        "结构变更能被发现",
    ),
    check(
        "errors.values",
        "no error quotes a value",
        "错误信息不含数据取值",
    ),
];
