//! Commands are found by name, and the usage text names them all.

use super::*;

#[test]
fn commands_are_found_by_their_whole_name_only() {
    for command in COMMANDS {
        assert_eq!(find(command.name.as_ref()).unwrap().name, command.name);
    }
    assert_eq!(find("--help".as_ref()).unwrap().name, "help");
    assert!(find("tes".as_ref()).is_none());
    assert!(find("".as_ref()).is_none());
}

#[test]
fn usage_names_every_command() {
    for command in COMMANDS {
        assert!(usage().contains(&format!("\n  {} ", command.name)));
    }
}
