//! The manifest: what the package is for and which files it has, as the text of a signed note.
//!
//! ```text
//! lingqu/evidence/v1
//! case <number>
//! document <number>
//! extracted-by <who>
//! extracted-at <time>
//! sha256 <64 hexadecimal digits> <path>
//! …
//! ```

use lingqu_tlog::{Hash, Intl, Suite};

const HEADER: &str = "lingqu/evidence/v1";

/// What a package says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The case's number.
    pub(super) case: String,
    /// The number of the document that orders the extraction.
    pub(super) document: String,
    /// Who extracted it.
    pub(super) extracted_by: String,
    /// When, as the extractor's machine told.
    pub(super) extracted_at: String,
    /// Every other file with its digest, in ascending order of path.
    pub(super) files: Vec<(String, Hash)>,
}

impl Manifest {
    /// The text that is signed.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!(
            "{HEADER}\ncase {}\ndocument {}\nextracted-by {}\nextracted-at {}\n",
            self.case, self.document, self.extracted_by, self.extracted_at
        );
        for (path, digest) in &self.files {
            text.push_str(&format!("sha256 {digest} {path}\n"));
        }
        text
    }

    /// Reads what [`Manifest::to_text`] wrote; nothing else is a manifest.
    pub(super) fn parse(text: &str) -> Option<Manifest> {
        let mut lines = text.lines();
        if lines.next()? != HEADER {
            return None;
        }
        let mut value = |key: &str| Some(lines.next()?.strip_prefix(key)?.to_owned());
        let (case, document) = (value("case ")?, value("document ")?);
        let (extracted_by, extracted_at) = (value("extracted-by ")?, value("extracted-at ")?);
        let mut files = Vec::new();
        for line in lines {
            let (digest, path) = line.strip_prefix("sha256 ")?.split_once(' ')?;
            let digest: [u8; 32] = hex::decode(digest).ok()?.try_into().ok()?;
            files.push((path.to_owned(), Hash(digest)));
        }
        let manifest = Manifest {
            case,
            document,
            extracted_by,
            extracted_at,
            files,
        };
        // A path that is named twice could stand for two contents.
        let is_sorted = manifest.files.is_sorted_by(|one, other| one.0 < other.0);
        (is_sorted && manifest.to_text() == text).then_some(manifest)
    }
}

/// The digest of a file.
pub(super) fn digest(bytes: &[u8]) -> Hash {
    Intl::digest(&[bytes])
}

/// Whether a text can stand on a line of the manifest.
pub(super) fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= 512 && !text.contains(char::is_control)
}
