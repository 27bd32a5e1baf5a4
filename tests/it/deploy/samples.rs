//! The commented configurations: each is read as it is and with every default written out, which changes nothing; and
//! every key that the program knows stands in it, in both languages.

use std::collections::BTreeSet;
use std::path::Path;

use lingqu_coordinator::Config;
use lingqu_node::NodeConfig;
use toml::{Table, Value};

use crate::binary::root;

/// A key that no configuration has.
const UNKNOWN: &str = "zzz_unknown";

fn sample(name: &str) -> String {
    std::fs::read_to_string(root().join("deploy").join(name)).unwrap()
}

/// Keys that a shared section has and one service refuses.
const REFUSED: [(&str, &str); 1] = [("coordinator.toml", "otlp")];

/// The sample with every default written out: a line `#key = …` is one.
fn written_out(text: &str) -> String {
    switched_on(text, "#")
}

/// The same with every example too: a line `##key = …` is one.
fn with_examples(text: &str) -> String {
    switched_on(&switched_on(text, "##"), "#")
}

fn switched_on(text: &str, sign: &str) -> String {
    let line = |line: &str| match line.strip_prefix(sign) {
        Some(rest) if is_key(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn is_key(rest: &str) -> bool {
    let key = rest.split(" = ").next().unwrap_or_default();
    let is_table = rest.starts_with('[') && rest.ends_with(']');
    is_table || (rest.contains(" = ") && !key.is_empty() && !key.contains(' '))
}

/// What a reader of configurations says to a text: nothing, or why not.
type Read = fn(&str) -> Result<String, String>;

fn node(text: &str) -> Result<String, String> {
    let config = NodeConfig::parse(text).map_err(|error| error.to_string())?;
    Ok(format!("{config:?}"))
}

fn coordinator(text: &str) -> Result<String, String> {
    let config =
        Config::parse(text, Path::new("/etc/lingqu")).map_err(|error| error.to_string())?;
    Ok(format!("{config:?}"))
}

const SAMPLES: [(&str, Read); 2] = [("node.toml", node), ("coordinator.toml", coordinator)];

#[test]
fn the_samples_are_read_and_the_defaults_that_they_state_are_the_defaults() {
    for (name, read) in SAMPLES {
        let text = sample(name);
        let short = read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let long = read(&written_out(&text)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(short, long, "{name}: a default is not what the sample says");
    }
}

#[test]
fn every_key_stands_in_the_sample() {
    for (name, read) in SAMPLES {
        let text = with_examples(&sample(name));
        read(&text).unwrap_or_else(|error| panic!("{name}, with examples: {error}"));
        let document: Table = text.parse().unwrap();
        let mut paths = Vec::new();
        tables(&document, &mut Vec::new(), &mut paths);
        assert!(paths.len() >= 6, "{name}: {paths:?}");
        // A connector has keys of its own, which it checks itself; the keys of `ids` are names that the operator chose.
        let own = |last: &String| last == "settings" || last == "ids";
        paths.retain(|path| !path.last().is_some_and(own));
        for path in paths {
            let mut spoilt = document.clone();
            let table = at(&mut spoilt, &path);
            let written: BTreeSet<String> = table.keys().cloned().collect();
            table.insert(UNKNOWN.to_owned(), Value::Integer(1));
            let told = read(&spoilt.to_string()).expect_err("an unknown key is refused");
            for key in expected(&told) {
                if REFUSED.contains(&(name, &key)) {
                    continue;
                }
                assert!(
                    written.contains(&key),
                    "{name}: `{key}` is missing in [{}]",
                    path.join(".")
                );
            }
        }
    }
}

/// The keys that the refusal of an unknown one names: those that there are.
fn expected(told: &str) -> Vec<String> {
    let (_, keys) = told
        .split_once(&format!("unknown field `{UNKNOWN}`, expected "))
        .unwrap_or_else(|| panic!("{told}"));
    let keys: Vec<String> = keys
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(!keys.is_empty(), "{told}");
    keys
}

/// The paths of all tables, the root's empty one included; of a list of tables the first stands for all.
fn tables(table: &Table, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    found.push(path.clone());
    for (key, value) in table {
        let inner = match value {
            Value::Table(inner) => Some(inner),
            Value::Array(list) => list.first().and_then(Value::as_table),
            _ => None,
        };
        if let Some(inner) = inner {
            path.push(key.clone());
            tables(inner, path, found);
            path.pop();
        }
    }
}

fn at<'a>(table: &'a mut Table, path: &[String]) -> &'a mut Table {
    path.iter()
        .fold(table, |table, key| match table.get_mut(key).unwrap() {
            Value::Table(inner) => inner,
            Value::Array(list) => list[0].as_table_mut().unwrap(),
            other => panic!("{other}"),
        })
}

#[test]
fn every_key_is_explained_in_both_languages() {
    let chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    for (name, _) in SAMPLES {
        let mut comment = String::new();
        let mut explained = 0;
        for line in sample(name).lines() {
            let key = line.trim_start_matches('#');
            if line.starts_with("# ") {
                comment.push_str(line);
            } else if line.is_empty() || line.starts_with('[') {
                comment.clear();
            } else if is_key(key) {
                // A comment holds for all keys below it up to the next one; well-known words need none of their own.
                explained +=
                    usize::from(comment.contains(chinese) && comment.is_ascii().eq(&false));
            }
        }
        assert!(
            explained >= 15,
            "{name}: only {explained} keys have a comment in both languages"
        );
    }
}
