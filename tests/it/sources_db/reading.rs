//! What the tests of all servers share: settings, readings, and the same filter asked twice.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::TableProviderFilterPushDown;
use datafusion::prelude::{Expr, SessionContext};
use futures::TryStreamExt as _;
use lingqu_connector_sdk::{Connector, LoadRequest, ReadLimits, SourceError, TableName};
use lingqu_demo::servers::ServerIdentity;
use lingqu_journal::SystemClock;
use lingqu_transport::PeerId;
use lingqu_transport::pki::DevAuthority;
use tempfile::TempDir;

/// A directory with the authority's certificate, a secret and what a server proves itself with.
pub(super) struct Trust {
    pub(super) dir: TempDir,
    pub(super) identity: ServerIdentity,
}

impl Trust {
    pub(super) fn new() -> Trust {
        let dir = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create("databases", &SystemClock).unwrap();
        let stranger = DevAuthority::create("stranger", &SystemClock).unwrap();
        let id: PeerId = "node_database".parse().unwrap();
        let issued = authority
            .issue(&id, &["127.0.0.1"], 30, &SystemClock)
            .unwrap();
        std::fs::write(dir.path().join("ca.pem"), authority.certificate_pem()).unwrap();
        std::fs::write(dir.path().join("stranger.pem"), stranger.certificate_pem()).unwrap();
        let files = issued.write(dir.path()).unwrap();
        let identity = ServerIdentity {
            certificate: std::fs::read_to_string(files.certificate).unwrap(),
            key: std::fs::read_to_string(files.key).unwrap(),
        };
        let trust = Trust { dir, identity };
        trust.secret("secret", "reads-only-7");
        trust.secret("wrong", "guessed");
        trust
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    fn secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// A connector of the kind from its settings as they stand in a file.
pub(super) fn connector(kind: &str, settings: &str, base: &Path) -> Arc<dyn Connector> {
    let settings = settings.parse().unwrap();
    lingqu_connectors::kinds()
        .configure(kind, settings, base)
        .unwrap()
}

pub(super) fn table(name: &str) -> TableName {
    name.parse().unwrap()
}

pub(super) fn request(name: &str, columns: &[&str]) -> LoadRequest {
    LoadRequest {
        table: table(name),
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        limits: ReadLimits::default(),
    }
}

/// All rows.
pub(super) async fn load(
    connector: &Arc<dyn Connector>,
    request: &LoadRequest,
) -> Result<Vec<RecordBatch>, SourceError> {
    let reading = connector.load(request).await?;
    Ok(reading.batches.try_collect::<Vec<_>>().await?)
}

/// Rows as the engine prints them, one string each, cells between bars.
pub(super) fn printed(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(batches).unwrap().to_string();
    let rows = text.lines().filter(|line| line.starts_with('|')).skip(1);
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    rows.map(|line| cells(line).join("|")).collect()
}

/// Asks for the rows of a filter twice: of the table, and of the same rows in memory. Says whether the filter was
/// pushed down.
pub(super) async fn same_as_engine(
    connector: &Arc<dyn Connector>,
    name: &str,
    filter: &Expr,
) -> bool {
    let provider = connector.open(&table(name)).await.unwrap();
    let schema = provider.schema();
    let columns: Vec<String> = { schema.fields().iter() }
        .map(|field| field.name().clone())
        .collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let rows = load(connector, &request(name, &columns)).await.unwrap();
    let memory = MemTable::try_new(provider.schema(), vec![rows]).unwrap();
    let at_source = filtered(Arc::clone(&provider), filter).await;
    let in_engine = filtered(Arc::new(memory), filter).await;
    assert_eq!(at_source, in_engine, "{filter}");
    let pushed = provider.supports_filters_pushdown(&[filter]).unwrap();
    pushed == [TableProviderFilterPushDown::Exact]
}

async fn filtered(provider: Arc<dyn TableProvider>, filter: &Expr) -> Vec<String> {
    let context = SessionContext::new();
    context.register_table("t", provider).unwrap();
    let frame = context.table("t").await.unwrap();
    let frame = frame.filter(filter.clone()).unwrap();
    let mut rows = printed(&frame.collect().await.unwrap());
    rows.sort();
    rows
}

/// Waits until the source works on nothing for this account any more.
pub(super) async fn until_nothing_runs(connector: &Arc<dyn Connector>) {
    let quiet = async {
        while connector.running_queries().await.unwrap() != Some(0) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(crate::network::PATIENCE, quiet).await;
    waited.expect("the source goes on working for nobody");
}
