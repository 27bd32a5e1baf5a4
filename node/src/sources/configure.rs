//! Sources and resources from the sections of `node.toml`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lingqu_connector_sdk::{Kinds, SettingsRefused, TableName};
use lingqu_core::grant::Environment;

use super::{AsOf, FILE_SOURCE, FILE_TABLE, NamedSource, ParquetFile, Refresh, Resource};
use crate::config::{NodeConfig, ResourceSection, SourceSection};

/// Most sources, and most resources.
const SECTIONS_MAX: usize = 1_000;
/// Most replicas of one source.
const REPLICAS_MAX: usize = 8;
/// Longest update cycle, in days.
const CYCLE_DAYS_MAX: u32 = 3_660;

/// What the sections come to.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Every `[[source]]`, in their order.
    pub sources: Vec<NamedSource>,
    /// Every `[[resource]]`, in their order.
    pub resources: Vec<Arc<Resource>>,
}

/// Why a section cannot be used. Names sections and keys; never a setting's value.
#[derive(Debug, thiserror::Error)]
pub enum SourcesRefused {
    /// A connector refuses its settings.
    #[error("source `{name}`: {why}")]
    Settings {
        /// The source.
        name: String,
        /// Why.
        why: SettingsRefused,
    },
    /// A key of a source does not fit.
    #[error("source `{name}`: `{key}` {why}")]
    Source {
        /// The source.
        name: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A key of a resource does not fit.
    #[error("resource `{name}`: `{key}` {why}")]
    Resource {
        /// The resource.
        name: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// The connectors that this program has.
pub fn kinds() -> Kinds {
    lingqu_connectors::kinds()
}

/// Makes the sources and resources of a configuration. Opens nothing yet.
///
/// # Errors
/// [`SourcesRefused`] names the first section and key that do not fit.
pub fn configure(config: &NodeConfig, kinds: &Kinds) -> Result<Configured, SourcesRefused> {
    let mut sources: BTreeMap<&str, NamedSource> = BTreeMap::new();
    let mut listed = Vec::new();
    for section in &config.sources {
        let source = source(section, config, kinds)?;
        if sources.len() >= SECTIONS_MAX || sources.contains_key(section.name.as_str()) {
            return Err(of_source(
                section,
                "name",
                "stands twice, or there are too many sources",
            ));
        }
        listed.push(source.clone());
        sources.insert(&section.name, source);
    }
    let mut resources: Vec<Arc<Resource>> = Vec::new();
    for section in &config.resources {
        let resource = resource(section, config, &sources)?;
        let is_taken = resources.iter().any(|other| {
            let mut environments = resource.environments.iter();
            environments.any(|one| other.is(&resource.name, Some(*one)))
        });
        if is_taken || resources.len() >= SECTIONS_MAX {
            let why = "has a resource of this name already, or there are too many";
            return Err(of_resource(section, "environments", why));
        }
        resources.push(Arc::new(resource));
    }
    Ok(Configured {
        sources: listed,
        resources,
    })
}

fn source(
    section: &SourceSection,
    config: &NodeConfig,
    kinds: &Kinds,
) -> Result<NamedSource, SourcesRefused> {
    if !is_name(&section.name) {
        return Err(of_source(
            section,
            "name",
            "is not 1 to 64 of `a-z 0-9 _ -`",
        ));
    }
    let settings = section.settings.0.clone();
    let connector = kinds
        .configure(&section.kind, settings, &config.base)
        .map_err(|why| SourcesRefused::Settings {
            name: section.name.clone(),
            why,
        })?;
    Ok(NamedSource {
        name: section.name.clone(),
        connector,
    })
}

fn resource(
    section: &ResourceSection,
    config: &NodeConfig,
    sources: &BTreeMap<&str, NamedSource>,
) -> Result<Resource, SourcesRefused> {
    let refused = |key, why| Err(of_resource(section, key, why));
    if !is_name(&section.name) || section.name.contains('-') {
        return refused("name", "is not 1 to 64 of `a-z 0-9 _`");
    }
    let (sources, table) = match (&section.path, &section.source, &section.table) {
        (Some(path), None, None) => {
            let connector = Arc::new(ParquetFile { path: path.clone() });
            let name = FILE_SOURCE.to_owned();
            (vec![NamedSource { name, connector }], FILE_TABLE)
        }
        (None, Some(source), Some(table)) => (
            with_replicas(section, source, config, sources)?,
            table.as_str(),
        ),
        _ => return refused("source", "and `table` are given, or `path`, and not both"),
    };
    let Some(environments) = environments(&section.environments) else {
        return refused(
            "environments",
            "are PROD, PROD_DEBUG or both, or TEST alone",
        );
    };
    let Ok(refresh) = section.refresh.parse::<Refresh>() else {
        return refused(
            "refresh",
            "is `manual`, or `every` and a time such as `24h`",
        );
    };
    let as_of = as_of(section)?;
    if matches!((&as_of, refresh), (AsOf::Fixed(_), Refresh::Every(_))) {
        return refused(
            "refresh",
            "would keep the fixed date of `as_of` for newer data",
        );
    }
    let update_cycle = match section.update_cycle_days {
        None => None,
        Some(days) if (1..=CYCLE_DAYS_MAX).contains(&days) => {
            Some(Duration::from_secs(u64::from(days) * 86_400))
        }
        Some(_) => return refused("update_cycle_days", "is not between 1 and 3,660"),
    };
    let Ok(table) = table.parse::<TableName>() else {
        return refused("table", "is not one to three names with dots between them");
    };
    Ok(Resource {
        name: section.name.clone(),
        environments,
        sources,
        table,
        as_of,
        refresh,
        update_cycle,
    })
}

fn as_of(section: &ResourceSection) -> Result<AsOf, SourcesRefused> {
    let refused = |why| Err(of_resource(section, "as_of", why));
    match (section.as_of.as_deref(), &section.as_of_column) {
        (Some("load"), None) => Ok(AsOf::Load),
        (Some(date), None) => match date.parse() {
            Ok(date) => Ok(AsOf::Fixed(date)),
            Err(_) => refused("is no date: `YYYY-MM-DD`, `YYYY-MM-DDThh:mm:ssZ`, or `load`"),
        },
        (None, Some(column)) => Ok(AsOf::Column(column.clone())),
        (None, None) | (Some(_), Some(_)) => refused("or `as_of_column` is given, and not both"),
    }
}

/// The source and its replicas, each once.
fn with_replicas(
    section: &ResourceSection,
    source: &str,
    config: &NodeConfig,
    sources: &BTreeMap<&str, NamedSource>,
) -> Result<Vec<NamedSource>, SourcesRefused> {
    let unknown = || of_resource(section, "source", "names no `[[source]]`");
    let first = config.sources.iter().find(|one| one.name == source);
    let first = first.ok_or_else(unknown)?;
    if first.replicas.len() > REPLICAS_MAX {
        return Err(of_source(first, "replicas", "are more than 8"));
    }
    let mut names = vec![source];
    for replica in &first.replicas {
        if names.contains(&replica.as_str()) {
            return Err(of_source(
                first,
                "replicas",
                "name a source twice, or the source itself",
            ));
        }
        names.push(replica);
    }
    names
        .into_iter()
        .map(|name| {
            let found = sources.get(name).cloned();
            found.ok_or_else(|| of_source(first, "replicas", "name no `[[source]]`"))
        })
        .collect()
}

/// The environments of one resource. Sample data and production data never share one: what is tried out on samples must
/// not be able to reach anything else.
fn environments(words: &[String]) -> Option<Vec<Environment>> {
    let named: Vec<Environment> = words
        .iter()
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    let is_mixed = named.len() > 1 && named.contains(&Environment::Test);
    let is_doubled = (1..named.len()).any(|i| named[..i].contains(&named[i]));
    (!named.is_empty() && !is_mixed && !is_doubled).then_some(named)
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn of_source(section: &SourceSection, key: &'static str, why: &'static str) -> SourcesRefused {
    SourcesRefused::Source {
        name: section.name.clone(),
        key,
        why,
    }
}

fn of_resource(section: &ResourceSection, key: &'static str, why: &'static str) -> SourcesRefused {
    SourcesRefused::Resource {
        name: section.name.clone(),
        key,
        why,
    }
}

#[cfg(test)]
mod tests;
