//! Checking an evidence package: every listed file has its digest, nothing else lies there, every receipt is proven, and
//! the reports say what the receipts prove.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lingqu_core::receipt::{Level, Receipt};
use lingqu_core::trust::Trust;
use lingqu_tlog::{Intl, Note, VerifierKey};
use serde_json::json;

use super::manifest::{Manifest, digest};
use super::policies::Policies;
use super::report::{Item, chinese, english};
use super::{HEADS, LINKS, MANIFEST, RECEIPTS, RECEIPTS_MAX, REPORTS, refused};
use crate::command::audit::links::{Named, tell};
use crate::command::audit::verify::{Verify, parse, prove_receipt};
use crate::command::call::level;
use crate::failure::Failure;
use crate::record_json;
use crate::session::Session;

/// Largest file of a package, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Checks the package and shows what it proves.
pub(crate) fn verify(
    arguments: &Verify,
    trusts: &[Trust<Intl>],
    mut links: Named,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    let dir = &arguments.what;
    let note = text(&dir.join(MANIFEST))?;
    let note = Note::parse(&note).map_err(refused)?;
    let manifest =
        Manifest::parse(&note.text).ok_or_else(|| refused("the manifest is malformed"))?;
    let is_signed = signed(&note, arguments.extractor.as_ref())?;
    let Listed {
        receipts,
        links: own_links,
        policies,
    } = receipts(dir, &manifest)?;
    for link in own_links {
        links.push(link)?;
    }
    let (trusts, steps) = links.follow(trusts)?;
    tell(&steps, session);
    if trusts.is_empty() {
        for (path, receipt) in &receipts {
            receipt
                .check_consistency::<Intl>()
                .map_err(|error| refused(format_args!("{path}: {error}")))?;
        }
        session.line("consistent, NOT authenticated · 内容自洽，但未经认证")?;
        return Err(Failure::NotAuthenticated);
    }
    let mut items = Vec::with_capacity(receipts.len());
    for (path, receipt) in receipts {
        let proven = prove_receipt(&receipt, &trusts, arguments.accept_lagged)?;
        items.push(Item {
            path,
            witnessed: policies.witnessed(&receipt, &trusts)?,
            stream: receipt.checkpoint.origin,
            proven,
        });
    }
    // A report is only believed because it says what the receipts do.
    let reports = [english(&manifest, &items), chinese(&manifest, &items)];
    for (path, report) in REPORTS.iter().zip(reports) {
        if text(&dir.join(path))? != report {
            return Err(refused(format_args!(
                "{path} does not say what the receipts prove"
            )));
        }
    }
    show(arguments, &manifest, &items, is_signed, session)
}

fn show(
    arguments: &Verify,
    manifest: &Manifest,
    items: &[Item],
    is_signed: bool,
    session: &mut Session<'_>,
) -> Result<(), Failure> {
    if !is_signed {
        session.say(
            "the records are proven; who put them together is not: give --extractor",
            "记录已证明；证据制作人的签名未核对：请以 --extractor 指定其验证密钥",
        );
    }
    let by_extractor =
        |item: &&Item| item.witnessed.is_some() && item.proven.level < Level::Witnessed;
    if let Some(item) = items.iter().find(by_extractor)
        && let Some(witnessed) = &item.witnessed
    {
        let policy = &witnessed.policy;
        session.say(
            format_args!("witnesses were checked by `{policy}` in the package, which is its extractor's word: give --trust with the head log's own"),
            format_args!("见证方按证据包内 `{policy}` 核对，该文件由制作人提供：请以 --trust 给出头部日志的信任文件"),
        );
    }
    if arguments.json {
        let records = items.iter().map(|item| {
            json!({
                "stream": item.stream,
                "level": level(item.proven.level),
                "record": record_json::of(&item.proven.record),
            })
        });
        return session.json(&json!({
            "authenticated": true,
            "extractor_verified": is_signed,
            "case": manifest.case,
            "document": manifest.document,
            "extracted_by": manifest.extracted_by,
            "extracted_at": manifest.extracted_at,
            "records": records.collect::<Vec<_>>(),
        }));
    }
    session.line(format_args!(
        "authenticated · 已认证: case {}, document {}, extracted by {} at {}, {} records",
        manifest.case,
        manifest.document,
        manifest.extracted_by,
        manifest.extracted_at,
        items.len()
    ))?;
    for item in items {
        let line = record_json::line(&item.proven.record);
        let level = level(item.proven.level);
        session.line(format_args!("{} {level} {line}", item.stream))?;
    }
    Ok(())
}

/// Whether the extractor's signature was checked; one that does not hold refuses the package.
fn signed(note: &Note, extractor: Option<&VerifierKey<Intl>>) -> Result<bool, Failure> {
    match extractor {
        Some(key) => note
            .verify(std::slice::from_ref(key))
            .map(|_| true)
            .map_err(|error| refused(format_args!("manifest: {error}"))),
        None => Ok(false),
    }
}

/// What a package holds besides its reports.
#[derive(Default)]
struct Listed {
    /// With the names of their files.
    receipts: Vec<(String, Receipt)>,
    /// From one stream to the next.
    links: Vec<Receipt>,
    policies: Policies,
}

/// The receipts, in order, and what belongs to them, after the whole directory was held against the manifest.
fn receipts(dir: &Path, manifest: &Manifest) -> Result<Listed, Failure> {
    let mut listed = BTreeSet::from([MANIFEST.to_owned()]);
    let mut found = Listed::default();
    for (path, expected) in &manifest.files {
        let is_in = |dir: &str| {
            path.strip_prefix(dir)
                .and_then(|name| name.strip_prefix('/'))
                .is_some_and(|name| !name.contains(['/', '\\']) && name != "..")
        };
        let (is_receipt, is_link, is_policy) = (is_in(RECEIPTS), is_in(LINKS), is_in(HEADS));
        if !is_receipt && !is_link && !is_policy && !REPORTS.contains(&path.as_str()) {
            return Err(refused(format_args!("the manifest lists `{path}`")));
        }
        let bytes = read(&dir.join(path))?;
        if digest(&bytes) != *expected {
            return Err(refused(format_args!("`{path}` was altered")));
        }
        if is_receipt {
            found.receipts.push((path.clone(), parse(&bytes)?));
        } else if is_link {
            found.links.push(parse(&bytes)?);
        } else if is_policy {
            found.policies.push(path, bytes)?;
        }
        listed.insert(path.clone());
    }
    let missing = REPORTS.iter().find(|path| !listed.contains(**path));
    if let Some(path) = missing {
        return Err(refused(format_args!("`{path}` is not listed")));
    }
    let counts = [
        found.receipts.len(),
        found.links.len(),
        found.policies.len(),
    ];
    if counts[0] == 0 || counts.into_iter().any(|count| count > RECEIPTS_MAX) {
        return Err(refused("it has no receipts, or too many"));
    }
    unlisted(dir, "", &listed)?;
    unlisted(&dir.join(RECEIPTS), "receipts/", &listed)?;
    for below in [LINKS, HEADS] {
        if dir.join(below).exists() {
            unlisted(&dir.join(below), &format!("{below}/"), &listed)?;
        }
    }
    Ok(found)
}

/// Refuses what lies there but is not listed: a reader could take it for part of the evidence.
fn unlisted(dir: &Path, prefix: &str, listed: &BTreeSet<String>) -> Result<(), Failure> {
    let entries = fs::read_dir(dir).map_err(|error| Failure::unreadable(dir, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::unreadable(dir, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_dir = prefix.is_empty() && [RECEIPTS, LINKS, HEADS].contains(&name.as_str());
        if !is_dir && !listed.contains(&format!("{prefix}{name}")) {
            return Err(refused(format_args!("`{prefix}{name}` is not listed")));
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(refused)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let meta = fs::symlink_metadata(path).map_err(|_| missing(path))?;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(refused(format_args!(
            "`{}` is no file, or too large",
            path.display()
        )));
    }
    fs::read(path).map_err(|error| Failure::unreadable(path, error))
}

fn missing(path: &Path) -> Failure {
    refused(format_args!("`{}` is missing", path.display()))
}
