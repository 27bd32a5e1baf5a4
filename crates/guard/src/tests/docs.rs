//! The manual's list of rules is what the code says. `LINGQU_WRITE_DOCS=1` writes it.

use std::fs;
use std::path::Path;

use crate::Rule;

const BEGIN: &str = "<!-- rules: made from crates/guard/src/rule.rs -->\n";
const END: &str = "<!-- end of rules -->\n";

fn list(page: &str, header: &str, row: impl Fn(Rule) -> (&'static str, &'static str)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the list begins");
    let (_, after) = rest.split_once(END).expect("the list ends");
    let mut table = header.to_owned();
    for rule in Rule::ALL {
        let (what, instead) = row(*rule);
        table.push_str(&format!("| `{}` | {what} | {instead} |\n", rule.code()));
    }
    let wanted = format!("{before}{BEGIN}\n{table}\n{END}{after}");
    if std::env::var_os("LINGQU_WRITE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(
        text == wanted || std::env::var_os("LINGQU_WRITE_DOCS").is_some(),
        "{page} is not what the code says; LINGQU_WRITE_DOCS=1 writes it"
    );
}

#[test]
fn the_manuals_list_every_rule() {
    list(
        "statistics.md",
        "| rule | what is wrong | what would be allowed |\n|---|---|---|\n",
        |rule| (rule.en(), rule.instead_en()),
    );
    list(
        "statistics.zh-CN.md",
        "| 规则 | 不符之处 | 允许的写法 |\n|---|---|---|\n",
        |rule| (rule.zh(), rule.instead_zh()),
    );
}

#[test]
fn codes_are_words_in_alphabetical_order() {
    let codes: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert!(codes.is_sorted() && codes.windows(2).all(|pair| pair[0] != pair[1]));
    let word = |code: &&str| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    assert!(codes.iter().all(word));
}
