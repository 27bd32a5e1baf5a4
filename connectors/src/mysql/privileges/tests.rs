use super::*;

#[test]
fn only_reading_is_harmless() {
    for harmless in [
        "GRANT USAGE ON *.* TO `r`@`%` IDENTIFIED BY PASSWORD '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'",
        "GRANT SELECT, SHOW VIEW ON `d`.* TO `r`@`%`",
        "GRANT SELECT (`a`, `b, INSERT`) ON `d`.`t` TO `r`@`%`",
        "GRANT SELECT ON ` ON x TO `.`t` TO `r`@`%`",
        "GRANT `reader`@`%` TO `r`@`%`",
        "SET DEFAULT ROLE `reader` FOR `r`@`%`",
    ] {
        assert_eq!(findings(harmless), [""; 0], "{harmless}");
    }
    for (line, expected) in [
        (
            "GRANT ALL PRIVILEGES ON `d`.* TO `r`@`%`",
            vec!["ALL PRIVILEGES on `d`.*"],
        ),
        (
            "GRANT SELECT, INSERT, UPDATE (`a`, `b`) ON `d`.`t` TO `r`@`%` WITH GRANT OPTION",
            vec![
                "INSERT on `d`.`t`",
                "UPDATE on `d`.`t`",
                "GRANT OPTION on `d`.`t`",
            ],
        ),
        ("GRANT SELECT, FILE ON *.* TO `r`@`%`", vec!["FILE on *.*"]),
        (
            "GRANT EXECUTE ON PROCEDURE `d`.`p` TO `r`@`%`",
            vec!["EXECUTE on PROCEDURE `d`.`p`"],
        ),
        ("GRANT PROXY ON ''@'%' TO 'r'@'%'", vec!["PROXY on ''@'%'"]),
        (
            "GRANT `x` TO `r`@`%` WITH ADMIN OPTION",
            vec!["ADMIN OPTION of a role"],
        ),
        (
            "REVOKE INSERT ON `d`.* FROM `r`@`%`",
            vec!["a grant that is not understood"],
        ),
        ("", vec!["a grant that is not understood"]),
    ] {
        assert_eq!(findings(line), expected, "{line}");
    }
}

#[test]
fn roles_are_told_from_privileges() {
    assert_eq!(
        role("GRANT `a`@`%`,`b`@`%` TO `r`@`%`"),
        Some("`a`@`%`,`b`@`%`")
    );
    assert_eq!(role("GRANT ` ON `@`%` TO `r`@`%`"), Some("` ON `@`%`"));
    assert_eq!(role("GRANT SELECT ON *.* TO `r`@`%`"), None);
}
