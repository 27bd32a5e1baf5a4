//! MariaDB.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use super::programs::{Programs, is_root, run};
use super::{ServerFailed, ServerIdentity, directory, doing, free_port, places};

/// Names the directory of `mariadbd`.
const VARIABLE: &str = "LINGQU_MARIADB";

/// A running server without a database. The account `root` may do everything, over the Unix socket and without a
/// password.
#[derive(Debug)]
pub struct MariaDb {
    /// Before its files, so that it ends before they go.
    running: Mutex<Running>,
    files: TempDir,
    port: u16,
}

/// The process and how it was started.
#[derive(Debug)]
struct Running {
    command: Command,
    child: Option<Child>,
}

impl MariaDb {
    /// Starts one. With an identity, it offers TLS.
    ///
    /// # Errors
    /// There is none on this machine, or it does not start.
    pub fn start(identity: Option<&ServerIdentity>) -> Result<MariaDb, ServerFailed> {
        let programs =
            Programs::find(places(VARIABLE, usual), "mariadbd").ok_or(ServerFailed::Missing {
                program: "mariadbd",
                package: "MariaDB",
                variable: VARIABLE,
            })?;
        let files = directory("my")?;
        let port = free_port()?;
        make(&programs, files.path())?;
        let at = |name: &str| files.path().join(name);
        let mut command = server(&programs, files.path())?;
        command
            .arg(format!("--port={port}"))
            .arg("--bind-address=127.0.0.1")
            .arg(format!("--socket={}", at("socket").display()))
            .arg("--innodb-flush-log-at-trx-commit=0")
            .arg("--skip-name-resolve");
        if let Some(identity) = identity {
            fs::write(at("server.pem"), &identity.certificate)
                .map_err(doing("writing a certificate"))?;
            fs::write(at("server.key"), &identity.key).map_err(doing("writing a key"))?;
            command
                .arg(format!("--ssl-cert={}", at("server.pem").display()))
                .arg(format!("--ssl-key={}", at("server.key").display()));
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running {
            command,
            child: None,
        };
        running.start()?;
        Ok(MariaDb {
            files,
            port,
            running: Mutex::new(running),
        })
    }

    /// Stops it hard, as a crash does, and starts it again on the same port.
    ///
    /// # Errors
    /// It does not start again.
    pub fn restart(&self) -> Result<(), ServerFailed> {
        // Whoever panicked while holding the lock left a process that is there or not, which is what the next one asks.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.stop();
        running.start()
    }

    /// The TCP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.files.path().join("socket")
    }
}

impl Running {
    /// Starts it and reads what it says until it is ready, and goes on reading, so that it never waits for a reader.
    fn start(&mut self) -> Result<(), ServerFailed> {
        let mut child = self.command.spawn().map_err(doing("running mariadbd"))?;
        let messages = child.stderr.take();
        self.child = Some(child);
        let mut lines = BufReader::new(messages.ok_or_else(|| failed("no messages"))?).lines();
        let mut seen = String::new();
        loop {
            let Some(Ok(line)) = lines.next() else {
                return Err(failed(&seen));
            };
            seen.push_str(&line);
            seen.push('\n');
            if line.contains("ready for connections") {
                break;
            }
        }
        std::thread::spawn(move || lines.by_ref().for_each(drop));
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // If it has ended by itself, there is nothing to stop.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Makes the system's tables.
fn make(programs: &Programs, files: &Path) -> Result<(), ServerFailed> {
    fs::create_dir(files.join("data")).map_err(doing("making a directory"))?;
    let mut sql =
        "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket = NULL;\n"
            .to_owned();
    for name in [
        "mysql_system_tables.sql",
        "mysql_performance_tables.sql",
        "mysql_system_tables_data.sql",
    ] {
        let path = share(programs).join(name);
        let text = fs::read_to_string(&path);
        sql.push_str(&text.map_err(doing(format!("reading {}", path.display())))?);
    }
    let statements = files.join("bootstrap.sql");
    fs::write(&statements, sql).map_err(doing("writing statements"))?;
    let input = fs::File::open(&statements).map_err(doing("reading statements"))?;
    run(server(programs, files)?.arg("--bootstrap").stdin(input))
}

/// The server's program with what every run of it needs.
fn server(programs: &Programs, files: &Path) -> Result<Command, ServerFailed> {
    let mut command = programs.command("mariadbd");
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", files.join("data").display()))
        .arg(format!("--lc-messages-dir={}", share(programs).display()))
        .arg(format!(
            "--character-sets-dir={}",
            share(programs).join("charsets").display()
        ))
        .arg(format!("--tmpdir={}", files.display()))
        .arg("--innodb-buffer-pool-size=64M");
    if is_root()? {
        command.arg("--user=root");
    }
    Ok(command)
}

/// `usr/share/mysql` beside `usr/sbin`.
fn share(programs: &Programs) -> PathBuf {
    let above = programs.directory().parent().unwrap_or(Path::new("/"));
    let named = ["share/mysql", "share/mariadb"].map(|name| above.join(name));
    let found = named.iter().find(|path| path.is_dir());
    found.unwrap_or(&named[0]).clone()
}

fn failed(output: &str) -> ServerFailed {
    ServerFailed::Program {
        program: "mariadbd".to_owned(),
        output: output.trim_end().to_owned(),
    }
}

/// The machine's own, then what was brought.
fn usual() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(["/usr/sbin", "/usr/libexec", "/usr/local/sbin"].map(PathBuf::from));
    let exe = std::env::current_exe().unwrap_or_default();
    places.extend({ exe.ancestors().skip(1) }.map(|above| above.join("tools/mariadb/usr/sbin")));
    places
}
