//! The worker: the one place where a driver is loaded. It does one job and ends.
//!
//! Whatever a driver does here, it does to this process: it has no secrets but those of its own source, no listening
//! socket, no environment but the configured one, and its memory is bounded by the kernel. It answers through a pipe that
//! the driver does not know of; what a driver prints goes nowhere.

mod columns;
mod confine;
mod decimal;
mod describe;
mod moment;
mod read;
mod text;

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use arrow_odbc::odbc_api::{Connection, ConnectionOptions, Environment, Error};
use zeroize::Zeroizing;

use self::confine::Pipe;
use crate::failure::{Failure, Stage};
use crate::frame::{Event, write_event};
use crate::job::{Job, Task};

/// Longest job in bytes.
const JOB_BYTES_MAX: u64 = 16 << 20;

/// Why a worker stops.
#[derive(Debug, thiserror::Error)]
enum Stop {
    /// What is reported.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Nobody listens any more.
    #[error("the pipe is closed")]
    Pipe(#[from] std::io::Error),
}

/// Does the job that comes through standard input.
pub(crate) fn main() -> ExitCode {
    // A panic's text may quote a value; it is reported as what it is, without its text.
    std::panic::set_hook(Box::new(|_| {}));
    let Ok(mut pipe) = confine::take_output() else {
        return ExitCode::FAILURE;
    };
    let Some(job) = job() else {
        return ExitCode::FAILURE;
    };
    if confine::bound(job.limits.memory_bytes_max, job.parent).is_err() {
        return ExitCode::FAILURE;
    }
    let done = catch_unwind(AssertUnwindSafe(|| run(&job, &mut pipe)));
    let failure = match done {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(Stop::Failure(failure))) => failure,
        Ok(Err(Stop::Pipe(_))) => return ExitCode::FAILURE,
        Err(_) => Failure::DriverMisbehaved,
    };
    match write_event(&mut pipe, &Event::Failed(failure)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn job() -> Option<Job> {
    let mut text = Zeroizing::new(Vec::new());
    let input = std::io::stdin().lock();
    input.take(JOB_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn run(job: &Job, pipe: &mut Pipe) -> Result<(), Stop> {
    let environment = Environment::new().map_err(|error| failure(&error, Stage::Connect))?;
    let connection = connect(&environment, job)?;
    match &job.task {
        Task::Describe(tables) => {
            for (index, table) in tables.iter().enumerate() {
                let columns = describe::table(&connection, job, table)
                    .and_then(describe::Description::columns);
                write_event(
                    pipe,
                    &Event::Described {
                        table: index,
                        columns,
                    },
                )?;
            }
        }
        Task::Probe => {
            let name = connection
                .database_management_system_name()
                .map_err(|error| failure(&error, Stage::Connect))?;
            write_event(pipe, &Event::Probed { server: name })?;
        }
        Task::Read { select, table } => {
            let rows = read::rows(&connection, job, select, table, pipe)?;
            // From here on all rows were sent. Only now is it said that these are all.
            write_event(pipe, &Event::Done { rows })?;
        }
    }
    Ok(())
}

fn connect<'e>(environment: &'e Environment, job: &Job) -> Result<Connection<'e>, Failure> {
    let options = ConnectionOptions {
        login_timeout_sec: (job.limits.login_seconds_max > 0)
            .then_some(job.limits.login_seconds_max),
        packet_size: None,
    };
    let refused = |error: Error| failure(&error, Stage::Connect);
    let connection = environment
        .connect_with_connection_string(job.connection(), options)
        .map_err(refused)?;
    for statement in &job.session {
        connection.execute(statement, (), None).map_err(refused)?;
    }
    Ok(connection)
}

/// The failure that an error of ODBC is. Its text stays here.
fn failure(error: &Error, stage: Stage) -> Failure {
    let record = match error {
        Error::Diagnostics { record, .. }
        | Error::UnsupportedOdbcApiVersion(record)
        | Error::InvalidRowArraySize { record, .. }
        | Error::UnableToRepresentNull(record)
        | Error::OracleOdbcDriverDoesNotSupport64Bit(record) => record,
        Error::TooLargeColumnBufferSize { .. } => return Failure::RowTooWide,
        Error::FailedSettingConnectionPooling
        | Error::FailedAllocatingEnvironment
        | Error::NoDiagnostics { .. }
        | Error::AbortedConnectionStringCompletion
        | Error::FailedReadingInput(_)
        | Error::TooLargeValueForBuffer { .. } => return Failure::Failed { code: None },
    };
    Failure::of_state(&record.state.0, stage)
}
