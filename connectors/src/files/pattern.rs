//! Names of files with `*` and `?`, part by part. There is no way to say "above".

/// Relative path whose parts may have wildcards; `*` stands for any text within one part, `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<String>);

/// Most parts of a path.
const PARTS_MAX: usize = 8;
/// Longest part in bytes.
const PART_BYTES_MAX: usize = 255;

impl Pattern {
    /// `None` if the text could lead out of its directory or is no path at all.
    pub(crate) fn parse(text: &str) -> Option<Pattern> {
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        let fits = |part: &String| {
            (1..=PART_BYTES_MAX).contains(&part.len())
                && part != "."
                && part != ".."
                && !part.chars().any(|each| each.is_control() || each == '\\')
        };
        (parts.len() <= PARTS_MAX && parts.iter().all(fits)).then_some(Pattern(parts))
    }

    /// Every file of the directory itself.
    pub(crate) fn every_file() -> Pattern {
        Pattern(vec!["*".to_owned()])
    }

    /// The parts, the file's last.
    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }

    /// The leading parts without wildcards, never the file's own.
    pub(crate) fn fixed(&self) -> &[String] {
        let folders = &self.0[..self.0.len() - 1];
        let fixed = folders.iter().take_while(|part| !part.contains(['*', '?']));
        &folders[..fixed.count()]
    }

    /// Whether the path of these parts is meant.
    pub(crate) fn matches<'p>(&self, parts: impl IntoIterator<Item = &'p str>) -> bool {
        let mut found = parts.into_iter();
        let all = self
            .0
            .iter()
            .all(|part| found.next().is_some_and(|name| part_matches(part, name)));
        all && found.next().is_none()
    }
}

/// Whether `name` is one that `part` stands for. Names that begin with a dot must be named with it.
pub(crate) fn part_matches(part: &str, name: &str) -> bool {
    if name.starts_with('.') && !part.starts_with('.') {
        return false;
    }
    let part: Vec<char> = part.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // The classic walk with one place to return to: linear in practice, quadratic at worst, in 255 bytes.
    let (mut at, mut pattern_at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match part.get(pattern_at) {
            Some('*') => {
                star = Some((pattern_at, at));
                pattern_at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[at] => {
                at += 1;
                pattern_at += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    pattern_at = star_at + 1;
                    at = taken + 1;
                }
                None => return false,
            },
        }
    }
    part[pattern_at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pattern_leads_out() {
        for text in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "./a",
            "a/.",
            "..",
            "a\\..\\b",
            "a\0b",
            "1/2/3/4/5/6/7/8/9",
        ] {
            assert!(Pattern::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn wildcards_stay_within_one_part() {
        let pattern = Pattern::parse("20??/人口-*.csv").unwrap();
        assert!(pattern.matches(["2024", "人口-01.csv"]));
        assert!(!pattern.matches(["2024", "x", "人口-01.csv"]));
        assert!(!pattern.matches(["20245", "人口-01.csv"]));
        assert!(pattern.fixed().is_empty());
        assert_eq!(Pattern::parse("a/b/*/c").unwrap().fixed(), ["a", "b"]);
        for (part, name, expected) in [
            ("*", "x", true),
            ("*", "", true),
            ("*", ".hidden", false),
            (".h*", ".hidden", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("?", "", false),
            ("x.parquet", "x.parquet.tmp", false),
        ] {
            assert_eq!(part_matches(part, name), expected, "{part} {name}");
        }
    }
}
