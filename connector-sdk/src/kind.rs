//! The connectors a program was built with, by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::{Connector, SettingsRefused};

/// Makes sources of one kind from their settings.
pub trait ConnectorKind: Send + Sync + 'static {
    /// The name in `kind = "…"`.
    fn name(&self) -> &'static str;

    /// A source from its typed settings. Opens nothing yet. Relative paths in the settings are relative to `base`.
    ///
    /// # Errors
    /// A key is missing, unknown or unusable.
    fn configure(
        &self,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused>;
}

/// Connectors by name.
#[derive(Default)]
pub struct Kinds(BTreeMap<&'static str, Box<dyn ConnectorKind>>);

impl Kinds {
    /// Adds one; a later one replaces an earlier one of the same name.
    pub fn with(mut self, kind: impl ConnectorKind) -> Kinds {
        self.0.insert(kind.name(), Box::new(kind));
        self
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    /// A source of the kind `name`.
    ///
    /// # Errors
    /// There is no such kind, or it refuses the settings.
    pub fn configure(
        &self,
        name: &str,
        settings: toml::Table,
        base: &Path,
    ) -> Result<Arc<dyn Connector>, SettingsRefused> {
        match self.0.get(name) {
            Some(kind) => kind.configure(settings, base),
            None => Err(SettingsRefused::KindUnknown {
                found: name.to_owned(),
                known: self.names().collect::<Vec<_>>().join(", "),
            }),
        }
    }
}
