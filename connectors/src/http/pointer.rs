//! JSON pointers (RFC 6901) into a page, without losing a digit of its numbers.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

/// Most steps of a pointer.
const STEPS_MAX: usize = 16;

/// A place in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    /// `None` if the text is no pointer.
    pub(super) fn parse(text: &str) -> Option<Pointer> {
        if text.is_empty() {
            return Some(Pointer(Vec::new()));
        }
        let steps = text.strip_prefix('/')?.split('/');
        let step = |step: &str| step.replace("~1", "/").replace("~0", "~");
        let steps: Vec<String> = steps.map(step).collect();
        (steps.len() <= STEPS_MAX).then_some(Pointer(steps))
    }

    /// What stands there, if anything does. Members of lists are not pointed at.
    pub(super) fn find<'p>(&self, page: &'p RawValue) -> Option<&'p RawValue> {
        let mut here = page;
        for step in &self.0 {
            let members: HashMap<Cow<'p, str>, &'p RawValue> =
                serde_json::from_str(here.get()).ok()?;
            here = members.get(step.as_str()).copied()?;
        }
        Some(here)
    }
}

/// The members of a list.
pub(super) fn members(list: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(list.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_numbers_kept() {
        let page: Box<RawValue> =
            serde_json::from_str(r#"{"a/b": {"~": [1.10, {"x": 1}]}, "n": null}"#).unwrap();
        let list = Pointer::parse("/a~1b/~0").unwrap();
        let found = members(list.find(&page).unwrap()).unwrap();
        assert_eq!(found[0].get(), "1.10");
        assert_eq!(
            Pointer::parse("").unwrap().find(&page).unwrap().get(),
            page.get()
        );
        assert_eq!(
            Pointer::parse("/n").unwrap().find(&page).unwrap().get(),
            "null"
        );
        for none in ["/missing", "/a~1b/~0/0", "/n/x"] {
            assert!(
                Pointer::parse(none).unwrap().find(&page).is_none(),
                "{none}"
            );
        }
        assert!(Pointer::parse("a").is_none());
        assert!(Pointer::parse(&"/x".repeat(17)).is_none());
    }
}
