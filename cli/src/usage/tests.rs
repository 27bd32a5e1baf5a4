use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn refused(line: &str) -> String {
    match Arguments::understand(&words(line), Language::En) {
        Err(Stopped::Usage(what)) => what,
        Err(Stopped::Help(_)) => panic!("{line}: help"),
        Ok(_) => panic!("{line}: understood"),
    }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Every command and every argument, with where it stands.
fn texts(command: &Command, path: &str, into: &mut Vec<(String, String)>) {
    let here = format!("{path} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string);
    into.push((here.clone(), about.unwrap_or_default()));
    for argument in command.get_arguments() {
        if ["help", "version"].contains(&argument.get_id().as_str()) {
            continue;
        }
        let help = argument.get_help().map(ToString::to_string);
        into.push((
            format!("{here} {}", argument.get_id()),
            help.unwrap_or_default(),
        ));
    }
    for subcommand in command.get_subcommands() {
        texts(subcommand, &here, into);
    }
}

#[test]
fn every_help_text_is_there_in_both_languages() {
    let mut all = Vec::new();
    texts(&Arguments::command(), "", &mut all);
    assert!(all.len() > 100, "only {}", all.len());
    for (place, text) in all {
        let both = text.split_once(BETWEEN);
        let holds =
            both.is_some_and(|(en, zh)| !is_chinese(en) && !en.is_empty() && is_chinese(zh));
        // The name of the whole is Chinese in both.
        assert!(holds || place == " lingqu", "{place}: {text}");
    }
}

#[test]
fn help_begins_with_the_language_that_was_asked_for() {
    for (language, chinese_first) in [(Language::En, false), (Language::Zh, true)] {
        let Err(Stopped::Help(text)) =
            Arguments::understand(&words("lingqu call verify --help"), language)
        else {
            panic!("no help");
        };
        let (en, zh) = (text.find("The stated purpose"), text.find("使用目的"));
        assert_eq!(en > zh, chinese_first, "{text}");
    }
}

#[test]
fn what_makes_no_command_says_which_word_is_wrong() {
    for (line, named) in [
        ("lingqu node --confg n.toml", "--confg"),
        ("lingqu fly", "fly"),
        ("lingqu node", "--config"),
        ("lingqu status --socket", "--socket"),
        ("lingqu pki issue --dir d --id bank --out o", "bank"),
        ("lingqu --lang fr status --socket s", "fr"),
    ] {
        let what = refused(line);
        assert!(what.contains(named), "{line}: {what}");
    }
}

#[test]
fn a_claim_that_was_mistyped_is_not_repeated() {
    let line = "lingqu call verify --claim 450900198001010011";
    let what = refused(line);
    assert!(
        what.contains("--claim") && !what.contains("45090019"),
        "{what}"
    );
}
