//! PostgreSQL and MariaDB, each in a directory of its own and on a loopback port, ended with the test.
//!
//! The demonstration has the same for everything that it needs; depending on its package would build a whole network for
//! the sake of a driver, and this process shares no code with the network.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// `nobody`: PostgreSQL does not serve root.
const NOBODY: u32 = 65_534;

/// The directory that a variable names, or the first usual one with the program.
fn programs(variable: &str, program: &str, usual: &[&str]) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = named.into_iter().chain(std::env::split_paths(&path));
    let mut places = places.chain(usual.iter().map(PathBuf::from));
    let found = places.find_map(|place| place.join(program).canonicalize().ok());
    let found = found.unwrap_or_else(|| {
        panic!("{variable} names the directory of `{program}`; `cargo xtask test` brings it")
    });
    found.parent().unwrap().to_owned()
}

/// A program of a server, with the libraries that were unpacked above it.
fn command(directory: &Path, program: &str) -> Command {
    let libraries = directory
        .ancestors()
        .filter(|above| above.parent().is_some())
        .filter_map(|above| std::fs::read_dir(above.join("usr/lib")).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let mut command = Command::new(directory.join(program));
    command
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/bin:/bin")
        .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap())
        .stdin(Stdio::null())
        .current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&text)
    );
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A running PostgreSQL. The account `postgres` may do everything over the Unix socket; others need a password.
pub(crate) struct Postgres {
    programs: PathBuf,
    files: TempDir,
    pub(crate) port: u16,
}

impl Postgres {
    pub(crate) fn start() -> Postgres {
        let newest = || {
            let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
            let mut versions: Vec<PathBuf> = versions.map(|entry| entry.unwrap().path()).collect();
            versions.sort();
            Some(versions.pop()?.join("bin").to_str()?.to_owned())
        };
        let usual = newest().unwrap_or_default();
        let server = Postgres {
            programs: programs("LINGQU_POSTGRES", "postgres", &[&usual]),
            files: tempfile::Builder::new()
                .prefix("odbc-pg-")
                .tempdir()
                .unwrap(),
            port: free_port(),
        };
        if is_root() {
            std::os::unix::fs::chown(server.files.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        run(server
            .command("initdb")
            .args([
                "--username",
                "postgres",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ])
            .args([
                "--auth-local",
                "trust",
                "--auth-host",
                "scram-sha-256",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(server.data()));
        let settings = server.data().join("postgresql.conf");
        let mut text = std::fs::read_to_string(&settings).unwrap();
        text.push_str(&format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nfsync = off\n",
            server.port,
            server.files.path().display()
        ));
        std::fs::write(&settings, text).unwrap();
        run(server
            .command("pg_ctl")
            .args(["start", "--wait", "--silent", "--pgdata"])
            .arg(server.data())
            .arg("--log")
            .arg(server.files.path().join("log")));
        server
    }

    /// Runs statements as the account that may do everything.
    pub(crate) fn execute(&self, sql: &str) {
        let port = self.port.to_string();
        run(self
            .command("psql")
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
            .args([
                "--username",
                "postgres",
                "--dbname",
                "postgres",
                "--port",
                &port,
            ])
            .arg("--host")
            .arg(self.files.path())
            .args(["--command", sql]));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = command(&self.programs, program);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.files.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "--mode", "immediate", "--silent", "--pgdata"]);
        let _ = stop.arg(self.data()).output();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A running MariaDB with what its statements made.
pub(crate) struct MariaDb {
    server: Child,
    _files: TempDir,
    pub(crate) port: u16,
}

impl MariaDb {
    /// Runs the statements, each on a line of its own, once it is up.
    pub(crate) fn start(sql: &str) -> MariaDb {
        let programs = programs(
            "LINGQU_MARIADB",
            "mariadbd",
            &["/usr/sbin", "/usr/libexec", "/usr/local/sbin"],
        );
        let files = tempfile::Builder::new()
            .prefix("odbc-my-")
            .tempdir()
            .unwrap();
        let at = |name: &str| files.path().join(name);
        let above = programs.parent().unwrap();
        let shares = ["share/mysql", "share/mariadb"].map(|name| above.join(name));
        let share = shares.into_iter().find(|path| path.is_dir()).unwrap();
        let server = || {
            let mut server = command(&programs, "mariadbd");
            server
                .arg("--no-defaults")
                .arg(format!("--datadir={}", at("data").display()))
                .arg(format!("--lc-messages-dir={}", share.display()))
                .arg(format!(
                    "--character-sets-dir={}",
                    share.join("charsets").display()
                ))
                .arg(format!("--tmpdir={}", files.path().display()))
                .arg("--innodb-buffer-pool-size=32M");
            if is_root() {
                server.arg("--user=root");
            }
            server
        };
        std::fs::create_dir(at("data")).unwrap();
        let mut system =
            "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
                .to_owned();
        for name in [
            "mysql_system_tables",
            "mysql_performance_tables",
            "mysql_system_tables_data",
        ] {
            system.push_str(&std::fs::read_to_string(share.join(format!("{name}.sql"))).unwrap());
        }
        std::fs::write(at("system.sql"), system).unwrap();
        let input = std::fs::File::open(at("system.sql")).unwrap();
        run(server().arg("--bootstrap").stdin(input));
        // The last statement tells, by a file, that all of them have run.
        let done = at("done");
        let sql = format!("{sql}\nSELECT 1 INTO OUTFILE '{}';\n", done.display());
        std::fs::write(at("init.sql"), sql).unwrap();
        let port = free_port();
        let mut child = server()
            .arg(format!("--port={port}"))
            .arg("--bind-address=127.0.0.1")
            .arg(format!("--socket={}", at("socket").display()))
            .arg(format!("--init-file={}", at("init.sql").display()))
            .arg("--skip-name-resolve")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = String::new();
        while !seen.contains("ready for connections") {
            seen.push_str(&lines.next().unwrap_or_else(|| panic!("{seen}")).unwrap());
            seen.push('\n');
        }
        assert!(done.exists(), "its statements failed: {seen}");
        std::thread::spawn(move || lines.by_ref().for_each(drop));
        MariaDb {
            server: child,
            _files: files,
            port,
        }
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
