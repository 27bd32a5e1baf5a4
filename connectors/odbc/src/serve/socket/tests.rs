use super::*;

fn server(directory: &Path, access: Access) -> Server {
    Server {
        directory: directory.to_owned(),
        access,
        peer_uids: None,
        connections_max: 4,
        idle_seconds_max: 60,
    }
}

fn directory(mode: u32) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
    directory
}

#[tokio::test]
async fn the_file_has_the_configured_rights_and_goes_with_the_socket() {
    for (access, of_directory, of_file) in [
        (Access::Owner, 0o700, 0o600),
        (Access::Group, 0o2750, 0o660),
    ] {
        let directory = directory(of_directory);
        let socket = Socket::bind(&server(directory.path(), access), "hr").unwrap();
        let path = socket.path().to_owned();
        let mode = fs::symlink_metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o7777, of_file);
        drop(socket);
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_directory_that_others_reach_is_refused() {
    for (access, mode) in [
        (Access::Owner, 0o755),
        (Access::Owner, 0o750),
        (Access::Owner, 0o777),
        (Access::Group, 0o770),
        (Access::Group, 0o755),
    ] {
        let directory = directory(mode);
        let refused = Socket::bind(&server(directory.path(), access), "hr").unwrap_err();
        assert!(matches!(refused, SocketRefused::Directory(_)), "{mode:o}");
    }
    // A link that leads to a good directory can be turned elsewhere by whoever owns the link's place.
    let good = directory(0o700);
    let link = good.path().join("link");
    std::os::unix::fs::symlink(good.path(), &link).unwrap();
    assert!(Socket::bind(&server(&link, Access::Owner), "hr").is_err());
}

#[tokio::test]
async fn only_a_socket_that_nobody_serves_is_replaced() {
    let directory = directory(0o700);
    let server = server(directory.path(), Access::Owner);
    let path = directory.path().join("hr.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let socket = Socket::bind(&server, "hr").unwrap();
    let refused = Socket::bind(&server, "hr").unwrap_err();
    assert!(matches!(refused, SocketRefused::InUse(_)));
    drop(socket);
    fs::write(&path, "a file of somebody's").unwrap();
    assert!(Socket::bind(&server, "hr").is_err());
    assert!(path.exists());
}
