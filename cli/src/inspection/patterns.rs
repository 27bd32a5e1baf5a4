//! The patterns by which personal data is suspected: check digits where there are any, shapes and names otherwise.

/// What a column may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// 居民身份证号, with a valid check digit.
    IdentityNumber,
    /// 银行卡号, with a valid check digit.
    BankCard,
    /// 手机号.
    MobileNumber,
    /// 电子邮箱.
    Mail,
    /// 地址.
    Address,
    /// 姓名.
    PersonName,
}

/// The weights of the first 17 digits of an identity number (GB 11643).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// The check digit by the weighted sum modulo 11.
const CHECKS: &[u8; 11] = b"10X98765432";
/// Frequent surnames: they begin a third of all names each with hardly any other word.
const SURNAMES: &str = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文覃韦农";

impl Pattern {
    /// In the order in which they are tried: the surest first.
    pub(crate) const ALL: [Pattern; 6] = [
        Pattern::IdentityNumber,
        Pattern::BankCard,
        Pattern::MobileNumber,
        Pattern::Mail,
        Pattern::Address,
        Pattern::PersonName,
    ];

    /// Whether a value has it.
    pub(crate) fn fits(self, value: &str) -> bool {
        match self {
            Pattern::Address => is_address(value),
            Pattern::BankCard => is_bank_card(value),
            Pattern::IdentityNumber => is_identity_number(value),
            Pattern::Mail => is_mail(value),
            Pattern::MobileNumber => is_mobile_number(value),
            Pattern::PersonName => is_person_name(value),
        }
    }

    /// How few of the values are enough. What has no check digit is also hit by chance.
    pub(crate) fn one_in(self, usual: usize) -> usize {
        match self {
            Pattern::BankCard | Pattern::PersonName => 3,
            Pattern::Address | Pattern::IdentityNumber | Pattern::Mail | Pattern::MobileNumber => {
                usual
            }
        }
    }

    /// What a column's name says.
    pub(crate) fn of_name(name: &str) -> Option<Pattern> {
        let name = name.to_lowercase();
        let words: Vec<&str> = name
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let has = |parts: &[&str], whole: &[&str]| {
            parts.iter().any(|part| name.contains(part))
                || words.iter().any(|word| whole.contains(word))
        };
        if has(
            &[
                "身份证",
                "证件号",
                "idcard",
                "id_card",
                "id_number",
                "identity_no",
                "idno",
            ],
            &["sfz", "sfzh", "zjhm", "gmsfhm"],
        ) {
            Some(Pattern::IdentityNumber)
        } else if has(
            &["银行卡", "卡号", "bankcard", "bank_card", "card_no", "账号"],
            &["yhkh", "yhzh", "kh"],
        ) {
            Some(Pattern::BankCard)
        } else if has(
            &["手机", "电话", "mobile", "phone", "联系方式"],
            &["tel", "sjh", "sjhm", "lxdh"],
        ) {
            Some(Pattern::MobileNumber)
        } else if has(&["邮箱", "email", "e_mail"], &["mail"]) {
            Some(Pattern::Mail)
        } else if has(
            &["地址", "住址", "address", "户籍"],
            &["addr", "dz", "jtzz", "hjdz"],
        ) {
            Some(Pattern::Address)
        } else if has(
            &["姓名", "full_name", "person_name", "surname", "given_name"],
            &["name", "xm"],
        ) {
            Some(Pattern::PersonName)
        } else {
            None
        }
    }

    /// In English and in Chinese.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Pattern::Address => ("address", "地址"),
            Pattern::BankCard => ("bank card number", "银行卡号"),
            Pattern::IdentityNumber => ("identity number", "身份证号"),
            Pattern::Mail => ("mail address", "电子邮箱"),
            Pattern::MobileNumber => ("mobile number", "手机号"),
            Pattern::PersonName => ("person's name", "姓名"),
        }
    }

    /// A value that nobody has: region code 000000, card and number ranges that are not given out.
    pub(crate) fn made_up(self) -> &'static str {
        match self {
            Pattern::Address => "某省某市某路1号",
            Pattern::BankCard => "0000000000000000",
            Pattern::IdentityNumber => "000000190001010000",
            Pattern::Mail => "nobody@example.invalid",
            Pattern::MobileNumber => "10000000000",
            Pattern::PersonName => "某某",
        }
    }
}

fn digits(text: &str) -> Option<Vec<u32>> {
    text.chars().map(|c| c.to_digit(10)).collect()
}

fn is_identity_number(value: &str) -> bool {
    let (Some(body), Some(check)) = (value.get(..17), value.get(17..)) else {
        return false;
    };
    let Some(body) = digits(body) else {
        return false;
    };
    let number = |from: usize, to: usize| body[from..to].iter().fold(0, |sum, d| sum * 10 + d);
    let (year, month, day) = (number(6, 10), number(10, 12), number(12, 14));
    let is_dated =
        (1850..=2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let sum: u32 = body
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight)
        .sum();
    let expected = CHECKS[(sum % 11) as usize];
    is_dated && check.len() == 1 && check.as_bytes()[0].to_ascii_uppercase() == expected
}

/// 12 to 19 digits under Luhn's rule that do not begin as an identity number's year could.
fn is_bank_card(value: &str) -> bool {
    let compact: String = value.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let Some(digits) = digits(&compact).filter(|digits| (15..=19).contains(&digits.len())) else {
        return false;
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    matches!(digits[0], 3..=6 | 9) && sum.is_multiple_of(10)
}

fn is_mobile_number(value: &str) -> bool {
    let value = value.strip_prefix("+86").unwrap_or(value);
    let compact: String = value.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    digits(&compact)
        .is_some_and(|digits| digits.len() == 11 && digits[0] == 1 && (3..=9).contains(&digits[1]))
}

fn is_mail(value: &str) -> bool {
    let Some((user, host)) = value.split_once('@') else {
        return false;
    };
    let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    is_word(user) && is_word(host) && host.contains('.') && !host.contains('@')
}

fn is_address(value: &str) -> bool {
    let marks = [
        "省", "市", "区", "县", "乡", "镇", "村", "路", "街", "号", "室", "栋",
    ];
    let found = marks.iter().filter(|mark| value.contains(**mark)).count();
    let length = value.chars().count();
    found >= 2 && (5..=200).contains(&length)
}

fn is_person_name(value: &str) -> bool {
    let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c) || c == '·';
    let mut chars = value.chars();
    let begins = chars.next().is_some_and(|first| SURNAMES.contains(first));
    begins && (2..=4).contains(&value.chars().count()) && chars.all(is_han)
}
