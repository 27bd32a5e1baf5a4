//! What the settings of every server refuse; each connector's tests call these with its own parser.

/// A connector's parser over `more` beside a database and an account.
type Parse = fn(&str) -> Result<(), String>;

pub(crate) fn a_connection_in_the_clear_never_leaves_the_machine(parse: Parse) {
    for host in ["127.0.0.1", "127.3.2.1", "::1", "/run/db"] {
        let settings = format!("host = '{host}'\ntls = 'off-loopback-only'");
        assert!(parse(&settings).is_ok(), "{host}");
    }
    for host in [
        "localhost",
        "10.0.0.1",
        "::2",
        "db.example",
        "127.0.0.1.example",
    ] {
        let settings = format!("host = '{host}'\ntls = 'off-loopback-only'");
        let refused = parse(&settings).unwrap_err();
        assert!(refused.starts_with("`tls` may be"), "{host}: {refused}");
    }
    assert!(
        parse("host = 'db.example'")
            .unwrap_err()
            .starts_with("`ca` is missing")
    );
    assert!(parse("host = 'db.example'\nca = 'ca.pem'").is_ok());
    assert!(
        parse("host = '/run/db'\nca = 'ca.pem'")
            .unwrap_err()
            .starts_with("`tls`")
    );
}

pub(crate) fn unknown_keys_and_absurd_numbers_are_refused(parse: Parse) {
    let base = "host = '127.0.0.1'\ntls = 'off-loopback-only'\n";
    for wrong in [
        "passwort = 'x'",
        "password = 'x'",
        "tls = 'off'",
        "port = 0",
        "connections_max = 0",
        "connections_max = 65",
        "statement_timeout_s = 0",
        "lock_timeout_s = 86401",
        "connect_timeout_s = -1",
        "host = ''",
    ] {
        let base = if wrong.starts_with("tls") {
            "host = '127.0.0.1'\n"
        } else {
            base
        };
        let base = if wrong.starts_with("host") {
            "tls = 'off-loopback-only'\n"
        } else {
            base
        };
        assert!(parse(&format!("{base}{wrong}")).is_err(), "{wrong}");
    }
}
