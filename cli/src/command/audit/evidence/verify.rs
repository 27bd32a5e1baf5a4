//! Checking an evidence package: every listed file has its digest, nothing else lies there, every receipt is proven, and
//! the reports say what the receipts prove.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lingqu_core::receipt::Receipt;
use lingqu_core::trust::Trust;
use lingqu_tlog::{Intl, Note, VerifierKey};
use serde_json::json;

use super::manifest::{Manifest, digest};
use super::report::{Item, chinese, english};
use super::{LINKS, MANIFEST, RECEIPTS, RECEIPTS_MAX, REPORTS};
use crate::command::audit::links::{Named, tell};
use crate::command::audit::verify::{Verify, parse, prove_receipt};
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
    let (receipts, own_links) = receipts(dir, &manifest)?;
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
    if arguments.json {
        let records = items.iter().map(
            |item| json!({ "stream": item.stream, "record": record_json::of(&item.proven.record) }),
        );
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
        session.line(format_args!("{} {line}", item.stream))?;
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

/// Receipts with the names of their files, and links from one stream to the next.
type Listed = (Vec<(String, Receipt)>, Vec<Receipt>);

/// The receipts, in order, and the links, after the whole directory was held against the manifest.
fn receipts(dir: &Path, manifest: &Manifest) -> Result<Listed, Failure> {
    let mut listed = BTreeSet::from([MANIFEST.to_owned()]);
    let (mut receipts, mut links) = (Vec::new(), Vec::new());
    for (path, expected) in &manifest.files {
        let is_in = |dir: &str| {
            path.strip_prefix(dir)
                .and_then(|name| name.strip_prefix('/'))
                .is_some_and(|name| !name.contains(['/', '\\']) && name != "..")
        };
        let (is_receipt, is_link) = (is_in(RECEIPTS), is_in(LINKS));
        if !is_receipt && !is_link && !REPORTS.contains(&path.as_str()) {
            return Err(refused(format_args!("the manifest lists `{path}`")));
        }
        let bytes = read(&dir.join(path))?;
        if digest(&bytes) != *expected {
            return Err(refused(format_args!("`{path}` was altered")));
        }
        if is_receipt {
            receipts.push((path.clone(), parse(&bytes)?));
        } else if is_link {
            links.push(parse(&bytes)?);
        }
        listed.insert(path.clone());
    }
    let missing = REPORTS.iter().find(|path| !listed.contains(**path));
    if let Some(path) = missing {
        return Err(refused(format_args!("`{path}` is not listed")));
    }
    if receipts.is_empty() || receipts.len() > RECEIPTS_MAX || links.len() > RECEIPTS_MAX {
        return Err(refused("it has no receipts, or too many"));
    }
    unlisted(dir, "", &listed)?;
    unlisted(&dir.join(RECEIPTS), "receipts/", &listed)?;
    if dir.join(LINKS).exists() {
        unlisted(&dir.join(LINKS), "links/", &listed)?;
    }
    Ok((receipts, links))
}

/// Refuses what lies there but is not listed: a reader could take it for part of the evidence.
fn unlisted(dir: &Path, prefix: &str, listed: &BTreeSet<String>) -> Result<(), Failure> {
    let entries = fs::read_dir(dir).map_err(|error| Failure::unreadable(dir, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::unreadable(dir, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_dir = prefix.is_empty() && [RECEIPTS, LINKS].contains(&name.as_str());
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

fn refused(why: impl std::fmt::Display) -> Failure {
    Failure::CheckFailed {
        en: format!("the evidence does not hold: {why}"),
        zh: "证据包无效：内容缺失、被改动或签名不符",
    }
}
