//! `lingqu-odbc` as a child of a test, and a client of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    Any, CommandGetSqlInfo, CommandGetTables, CommandStatementQuery, ProstMessageExt,
};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, Ticket};
use futures::TryStreamExt;
use prost::Message;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// A running program with a directory of its own.
pub(crate) struct Program {
    child: Child,
    pub(crate) directory: tempfile::TempDir,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Program {
    /// Starts it on sources; `sources` is TOML, in which `DIR` stands for the directory.
    pub(crate) fn start(sources: &str) -> Program {
        let directory = tempfile::tempdir().unwrap();
        Program::start_in(directory, "", sources)
    }

    /// The same in a directory that holds something already.
    pub(crate) fn start_in(directory: tempfile::TempDir, server: &str, sources: &str) -> Program {
        let config = write_config(directory.path(), server, sources);
        let mut child = Command::new(env!("CARGO_BIN_EXE_lingqu-odbc"))
            .arg("--config")
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let wanted = sources.matches("[[source]]").count();
        let mut serving = 0;
        while serving < wanted {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("it did not start: {}", log.lock().unwrap()))
                .unwrap();
            serving += usize::from(line.contains("serving"));
            log.lock().unwrap().push_str(&line);
        }
        let to = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                to.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Program {
            child,
            directory,
            log,
            reader: Some(reader),
        }
    }

    /// What it has logged; complete once it has ended.
    pub(crate) fn stop(mut self) -> String {
        self.end();
        self.log.lock().unwrap().clone()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }

    pub(crate) fn socket(&self, source: &str) -> PathBuf {
        self.directory.path().join(format!("{source}.sock"))
    }

    pub(crate) async fn client(&self, source: &str) -> Client {
        let uri = format!("unix://{}", self.socket(source).display());
        let channel = Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
        Client(FlightServiceClient::new(channel).max_decoding_message_size(64 << 20))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes a configuration whose sockets lie beside it.
pub(crate) fn write_config(directory: &Path, server: &str, sources: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700)).unwrap();
    let here = directory.to_str().unwrap();
    let text =
        format!("[server]\ndirectory = \"{here}\"\n{server}\n{sources}").replace("DIR", here);
    let path = directory.join("odbc.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Where Debian's drivers were unpacked, and the directory of their libraries.
pub(crate) fn drivers() -> (PathBuf, PathBuf) {
    let directory = std::env::var_os("LINGQU_ODBC_DRIVERS")
        .expect("LINGQU_ODBC_DRIVERS names the unpacked drivers; `cargo xtask test` brings them");
    let libraries = std::fs::read_dir(Path::new(&directory).join("usr/lib"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.join("odbc").is_dir())
        .expect("the drivers are not there");
    (libraries.join("odbc"), libraries)
}

/// A client of one source.
#[derive(Clone)]
pub(crate) struct Client(pub(crate) FlightServiceClient<Channel>);

impl Client {
    pub(crate) async fn info(&mut self, command: Vec<u8>) -> Result<FlightInfo, Status> {
        let descriptor = FlightDescriptor::new_cmd(command);
        Ok(self.0.get_flight_info(descriptor).await?.into_inner())
    }

    pub(crate) async fn get(&mut self, ticket: Ticket) -> Result<FlightRecordBatchStream, Status> {
        let data = self.0.do_get(ticket).await?.into_inner();
        let data = data.map_err(|status| arrow_flight::error::FlightError::Tonic(Box::new(status)));
        Ok(FlightRecordBatchStream::new_from_flight_data(data))
    }

    async fn all(&mut self, command: Vec<u8>) -> Result<Vec<RecordBatch>, Status> {
        let info = self.info(command).await?;
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let stream = self.get(ticket).await?;
        stream.try_collect().await.map_err(Status::from)
    }

    pub(crate) async fn statement(&mut self, sql: &str) -> Result<FlightInfo, Status> {
        let command = CommandStatementQuery {
            query: sql.to_owned(),
            transaction_id: None,
        };
        self.info(command.as_any().encode_to_vec()).await
    }

    /// All rows of a statement.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Vec<RecordBatch>, Status> {
        let info = self.statement(sql).await?;
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        self.get(ticket)
            .await?
            .try_collect()
            .await
            .map_err(Status::from)
    }

    /// The rows as text, one line each.
    pub(crate) async fn rows(&mut self, sql: &str) -> Result<Vec<String>, Status> {
        let mut rows = Vec::new();
        for batch in self.query(sql).await? {
            for row in 0..batch.num_rows() {
                let cells: Vec<String> = batch
                    .columns()
                    .iter()
                    .map(|column| match column.is_null(row) {
                        true => "NULL".to_owned(),
                        false => arrow_cast::display::array_value_to_string(column, row).unwrap(),
                    })
                    .collect();
                rows.push(cells.join("|"));
            }
        }
        Ok(rows)
    }

    pub(crate) async fn tables(
        &mut self,
        command: CommandGetTables,
    ) -> Result<Vec<RecordBatch>, Status> {
        self.all(command.as_any().encode_to_vec()).await
    }

    pub(crate) async fn sql_info(&mut self) -> Result<Vec<RecordBatch>, Status> {
        let command = CommandGetSqlInfo { info: Vec::new() };
        self.all(command.as_any().encode_to_vec()).await
    }

    pub(crate) async fn action(&mut self, name: &str, body: Vec<u8>) -> Result<Vec<u8>, Status> {
        let action = Action::new(name, body);
        let mut results = self.0.do_action(action).await?.into_inner();
        Ok(results.try_next().await?.unwrap().body.to_vec())
    }

    pub(crate) async fn counters(&mut self) -> serde_json::Value {
        let body = self
            .action("lingqu.odbc.counters", Vec::new())
            .await
            .unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

/// The code and the stable word of a failure.
pub(crate) fn reason(status: &Status) -> (Code, String) {
    let word = status.metadata().get("lingqu-reason");
    let word = word.map(|word| word.to_str().unwrap().to_owned());
    (status.code(), word.unwrap_or_default())
}

/// The schema of the only table of an answer.
pub(crate) fn described(batches: &[RecordBatch]) -> arrow_schema::Schema {
    let batch = &batches[0];
    assert_eq!(batch.num_rows(), 1);
    let column = batch.column_by_name("table_schema").unwrap();
    let bytes = column
        .as_any()
        .downcast_ref::<arrow_array::BinaryArray>()
        .unwrap()
        .value(0);
    arrow_schema::Schema::try_from(arrow_flight::IpcMessage(bytes.to_vec().into())).unwrap()
}

/// Bytes that are no message at all.
pub(crate) fn any(type_url: &str, value: Vec<u8>) -> Vec<u8> {
    Any {
        type_url: type_url.to_owned(),
        value: value.into(),
    }
    .encode_to_vec()
}
