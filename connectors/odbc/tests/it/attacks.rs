//! Attacks over the socket.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;

use crate::program::{Program, any, drivers, reason, write_config};

fn lite() -> String {
    let (odbc, libraries) = drivers();
    format!(
        "[[source]]\nname = \"lite\"\ndriver = \"{}/libsqlite3odbc.so\"\nparameters = {{ Database = \"DIR/t.db\" }}\n\
         environment = {{ LD_LIBRARY_PATH = \"{}\" }}\n[[source.table]]\nname = [\"a\"]\n",
        odbc.display(),
        libraries.display()
    )
}

#[tokio::test]
async fn another_user_gets_nothing() {
    // The kernel reports this very user; the program is told to serve another one.
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start_in(directory, "peer_uids = [4294967294]", &lite());
    let mut stream = tokio::net::UnixStream::connect(program.socket("lite"))
        .await
        .unwrap();
    let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty(), "{bytes:?}");
    let mode = std::fs::metadata(program.socket("lite"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(program.stop().contains("another user"));
}

#[tokio::test]
async fn a_thousand_connections_are_a_handful() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start_in(directory, "connections_max = 4", &lite());
    let connections: Vec<UnixStream> = (0..1_000)
        .filter_map(|_| UnixStream::connect(program.socket("lite")).ok())
        .collect();
    let mut open = 0;
    let mut held = Vec::new();
    for connection in connections {
        connection.set_nonblocking(true).unwrap();
        let mut connection = tokio::net::UnixStream::from_std(connection).unwrap();
        // Those that are kept are spoken to; the others read their end. The first frame of a server comes unasked.
        let _ = connection
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await;
        let mut byte = [0; 1];
        let kept = matches!(connection.read(&mut byte).await, Ok(1));
        open += usize::from(kept);
        if kept {
            held.push(connection);
        }
    }
    assert_eq!(open, 4);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start_in(directory, "idle_seconds_max = 1", &lite());
    let mut stream = tokio::net::UnixStream::connect(program.socket("lite"))
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    // Reading to the end came back: the other side closed.
}

#[tokio::test]
async fn oversized_requests_and_foreign_commands_are_refused() {
    let program = Program::start(&lite());
    let mut client = program.client("lite").await;
    let long = format!(r#"SELECT "a" FROM "a"{}"#, " ".repeat(262_144));
    let refused = client.statement(&long).await.unwrap_err();
    assert_eq!(
        reason(&refused),
        (Code::InvalidArgument, "REQUEST_INVALID".to_owned())
    );
    let huge = " ".repeat(8 << 20);
    let refused = client.statement(&huge).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    for sql in [
        r#"SELECT "a" FROM "a"; DROP TABLE "a""#,
        r#"SELECT "a" FROM "a" UNION SELECT "a" FROM "b""#,
        "DELETE FROM \"a\"",
    ] {
        let refused = client.statement(sql).await.unwrap_err();
        assert_eq!(reason(&refused).1, "REQUEST_INVALID", "{sql}");
    }
    let url = "type.googleapis.com/arrow.flight.protocol.sql.";
    for command in [
        Vec::new(),
        vec![0xff; 64],
        any(&format!("{url}CommandStatementUpdate"), vec![10, 1, b'x']),
        any(
            &format!("{url}CommandPreparedStatementQuery"),
            vec![10, 1, b'x'],
        ),
        any(&format!("{url}CommandGetCatalogs"), Vec::new()),
        any(&format!("{url}CommandStatementSubstraitPlan"), Vec::new()),
        any(&format!("{url}TicketStatementQuery"), Vec::new()),
        any("type.googleapis.com/else", Vec::new()),
    ] {
        let refused = client.info(command).await.unwrap_err();
        assert_eq!(reason(&refused).1, "COMMAND_UNSUPPORTED");
    }
    // A ticket is not believed either: its statement is parsed again.
    for handle in [
        &b""[..],
        b"1234567",
        b"12345678DROP TABLE x",
        b"12345678\xff",
    ] {
        let mut value = vec![10, u8::try_from(handle.len()).unwrap()];
        value.extend_from_slice(handle);
        let ticket = any(&format!("{url}TicketStatementQuery"), value);
        assert!(client.get(arrow_flight::Ticket::new(ticket)).await.is_err());
    }
    assert!(client.action("DropTable", Vec::new()).await.is_err());
    assert_eq!(client.counters().await["workers_started"], 0);
}

#[tokio::test]
async fn names_that_try_to_leave_their_quotes_name_nothing() {
    let program = Program::start(&format!(
        "{}[[source.table]]\nname = ['t\"; DROP TABLE victim; --']\n",
        lite()
    ));
    let mut client = program.client("lite").await;
    let error = client
        .rows(r#"SELECT "a" FROM "t""; DROP TABLE victim; --""#)
        .await
        .unwrap_err();
    // The database looked for a table of that very name. This driver says of every error that it is a general one.
    assert_eq!(reason(&error).1, "SOURCE_FAILED", "{error}");
}

#[test]
fn the_program_does_not_start_where_others_could_reach_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = write_config(directory.path(), "", &lite());
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lingqu-odbc"))
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("only the owner"), "{text}");
}

#[test]
fn a_worker_without_a_job_does_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_lingqu-odbc"))
        .arg("worker-of-lingqu-odbc")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}
