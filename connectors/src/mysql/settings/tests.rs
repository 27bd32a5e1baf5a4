use super::*;
use crate::server::settings::cases;

fn parse(more: &str) -> Result<(), String> {
    let text = format!("database = 'd'\nuser = 'u'\n{more}");
    let settings = Settings::parse(text.parse().expect("it is TOML"));
    settings.map(drop).map_err(|refused| refused.to_string())
}

#[test]
fn a_connection_in_the_clear_never_leaves_the_machine() {
    cases::a_connection_in_the_clear_never_leaves_the_machine(parse);
}

#[test]
fn unknown_keys_and_absurd_numbers_are_refused() {
    cases::unknown_keys_and_absurd_numbers_are_refused(parse);
}
