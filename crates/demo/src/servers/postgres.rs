//! PostgreSQL.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::programs::{Programs, as_nobody, give_to_nobody, is_root, run};
use super::{ServerFailed, ServerIdentity, directory, doing, free_port, places, tail};

/// Names the directory of `postgres`, `initdb` and `pg_ctl`.
const VARIABLE: &str = "LINGQU_POSTGRES";
/// Longest that starting may take, in seconds.
const START_S: u32 = 60;

/// A running server with the database `postgres`. The account `postgres` may do everything, over the Unix socket and
/// without a password; all others need theirs.
#[derive(Debug)]
pub struct Postgres {
    programs: Programs,
    files: TempDir,
    as_nobody: bool,
    port: u16,
}

impl Postgres {
    /// Starts one. With an identity, it offers TLS.
    ///
    /// # Errors
    /// There is none on this machine, or it does not start.
    pub fn start(identity: Option<&ServerIdentity>) -> Result<Postgres, ServerFailed> {
        let programs =
            Programs::find(places(VARIABLE, usual), "postgres").ok_or(ServerFailed::Missing {
                program: "postgres",
                package: "PostgreSQL",
                variable: VARIABLE,
            })?;
        let server = Postgres {
            programs,
            files: directory("pg")?,
            as_nobody: is_root()?,
            port: free_port()?,
        };
        if server.as_nobody {
            give_to_nobody(server.files.path())?;
        }
        server.make(identity)?;
        let started = run(server
            .command("pg_ctl")
            .args(["start", "--wait", "--silent"])
            .args([
                "--timeout",
                &START_S.to_string(),
                "--pgdata",
                &server.data().display().to_string(),
                "--log",
                &server.log().display().to_string(),
            ]));
        match started {
            Err(ServerFailed::Program { program, output }) => Err(ServerFailed::Program {
                program,
                output: format!("{output}\n{}", tail(&server.log())),
            }),
            other => other.map(|()| server),
        }
    }

    /// Stops it hard, as a crash does, and starts it again on the same port.
    ///
    /// # Errors
    /// It does not start again.
    pub fn restart(&self) -> Result<(), ServerFailed> {
        run(self
            .command("pg_ctl")
            .args(["restart", "--mode", "immediate", "--wait", "--silent"])
            .args(["--timeout", &START_S.to_string()])
            .arg("--pgdata")
            .arg(self.data())
            .arg("--log")
            .arg(self.log()))
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its Unix socket.
    pub fn socket(&self) -> &Path {
        self.files.path()
    }

    /// Runs statements as the account that may do everything.
    ///
    /// # Errors
    /// One of them failed.
    pub fn execute(&self, sql: &str) -> Result<(), ServerFailed> {
        let mut file = tempfile::NamedTempFile::new_in(self.files.path())
            .map_err(doing("making a file of statements"))?;
        file.write_all(sql.as_bytes())
            .map_err(doing("writing a file of statements"))?;
        if self.as_nobody {
            give_to_nobody(file.path())?;
        }
        let port = self.port.to_string();
        run(self
            .command("psql")
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
            .args(["--username", "postgres", "--dbname", "postgres"])
            .arg("--host")
            .arg(self.socket())
            .args(["--port", &port])
            .arg("--file")
            .arg(file.path()))
    }

    /// Makes the cluster and its settings.
    fn make(&self, identity: Option<&ServerIdentity>) -> Result<(), ServerFailed> {
        run(self
            .command("initdb")
            .args([
                "--username",
                "postgres",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ])
            .args(["--auth-local", "trust", "--auth-host", "scram-sha-256"])
            .args(["--no-instructions", "--no-sync"])
            .arg("--pgdata")
            .arg(self.data()))?;
        let mut settings = format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n\
             fsync = off\nlog_min_messages = warning\nmax_connections = 50\ntemp_file_limit = '256MB'\n",
            self.port,
            self.socket().display()
        );
        if let Some(identity) = identity {
            settings
                .push_str("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n");
            self.write("server.pem", &identity.certificate)?;
            self.write("server.key", &identity.key)?;
        }
        let file = self.data().join("postgresql.conf");
        let mut all = fs::read_to_string(&file).map_err(doing("reading postgresql.conf"))?;
        all.push_str(&settings);
        fs::write(&file, all).map_err(doing("writing postgresql.conf"))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ServerFailed> {
        let path = self.data().join(name);
        fs::write(&path, text).map_err(doing(format!("writing {name}")))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(doing(format!("protecting {name}")))?;
        if self.as_nobody {
            give_to_nobody(&path)?;
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.programs.command(program);
        if self.as_nobody {
            as_nobody(&mut command);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.files.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.files.path().join("log")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Immediately: nobody needs what it holds. If it never started there is nothing to stop.
        let _ = self
            .command("pg_ctl")
            .args(["stop", "--mode", "immediate", "--silent", "--pgdata"])
            .arg(self.data())
            .output();
    }
}

/// The machine's own, of the newest version first, then what was brought.
fn usual() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(versions(Path::new("/usr/lib/postgresql")));
    let exe = std::env::current_exe().unwrap_or_default();
    for above in exe.ancestors().skip(1) {
        places.extend(versions(&above.join("tools/postgres/usr/lib/postgresql")));
    }
    places
}

fn versions(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        std::cmp::Reverse(name.parse::<u32>().unwrap_or_default())
    });
    found.into_iter().map(|path| path.join("bin")).collect()
}
