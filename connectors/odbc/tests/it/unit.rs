//! The systemd unit: the process reads its configuration, makes its sockets and connects; nothing else.

/// What the unit must say, whatever else it says.
const DEMANDED: &[&str] = &[
    "AmbientCapabilities=",
    "CapabilityBoundingSet=",
    "ExecStart=/usr/bin/lingqu-odbc --config /etc/lingqu-odbc/odbc.toml",
    "KillMode=control-group",
    "LimitCORE=0",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "MemorySwapMax=0",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "ProtectSystem=strict",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictSUIDSGID=yes",
    "RuntimeDirectory=lingqu-odbc",
    "RuntimeDirectoryMode=0750",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "UMask=0077",
];

#[test]
fn the_unit_confines_the_process_and_lets_it_do_its_work() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../deploy/lingqu-odbc.service"
    );
    let unit = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = unit.lines().filter(|line| !line.starts_with('#')).collect();
    for demanded in DEMANDED {
        assert!(lines.contains(demanded), "{demanded}");
    }
    // With users of its own the kernel could not say who connects, and without resource calls a worker could not bound
    // itself: it would refuse to work.
    for forbidden in ["PrivateUsers=yes", "@resources"] {
        assert!(
            !lines.iter().any(|line| line.contains(forbidden)),
            "{forbidden}"
        );
    }
}
