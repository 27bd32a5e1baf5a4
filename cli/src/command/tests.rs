use clap::CommandFactory;

use super::*;

#[test]
fn the_arguments_do_not_contradict_themselves() {
    Arguments::command().debug_assert();
}

#[test]
fn what_the_documentation_shows_is_understood() {
    for document in [
        include_str!("../../../docs/cli.md"),
        include_str!("../../../docs/cli.zh-CN.md"),
    ] {
        let examples = examples(document);
        assert!(examples.len() >= 25, "only {} examples", examples.len());
        for example in examples {
            let words = example
                .split_whitespace()
                .map(|word| word.trim_matches('\''));
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("{example}\n{error}");
            }
        }
    }
}

/// There "…" stands for the connection: with its TLS options under their own names where a command also signs.
#[test]
fn what_the_page_on_authorisation_shows_is_understood() {
    let at = "--coordinator https://coordinator.example:7600 --id coord_gx --ca ca.pem";
    let signing = format!("{at} --tls-cert own.pem --tls-key own.key");
    let plain = format!("{at} --cert own.pem --key own.key");
    for document in [
        include_str!("../../../docs/authorisation.md"),
        include_str!("../../../docs/authorisation.zh-CN.md"),
    ] {
        let examples = examples(document);
        assert!(examples.len() >= 14, "only {} examples", examples.len());
        for example in examples {
            let parses = |connection: &str| {
                let whole = example.replace('…', connection);
                let words = whole.split_whitespace();
                Arguments::try_parse_from(words.map(|word| word.trim_matches('"'))).is_ok()
            };
            assert!(parses(&signing) || parses(&plain), "{example}");
        }
    }
}

/// The lines of the code blocks that begin with `lingqu`, continued lines joined.
fn examples(document: &str) -> Vec<String> {
    let joined = document.replace("\\\n", " ");
    let mut inside = false;
    let mut examples = Vec::new();
    for line in joined.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside && line.starts_with("lingqu ") {
            examples.push(line.to_owned());
        }
    }
    examples
}

#[test]
fn one_stop_scope_is_needed_and_only_one() {
    let base = "lingqu stop --socket s --key k --unit party_u --node node_n";
    for (scope, accepted) in [
        ("--all", true),
        ("--party party_a", true),
        ("--grant grant_1", true),
        ("--product tb.x@1", true),
        ("", false),
        ("--all --party party_a", false),
        ("--product tb.x", false),
        ("--party node_a", false),
    ] {
        let words = format!("{base} {scope}");
        let parsed = Arguments::try_parse_from(words.split_whitespace());
        assert_eq!(parsed.is_ok(), accepted, "{scope}");
    }
}
