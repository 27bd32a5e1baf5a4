//! How the conditions of a random statement decide together, as SQL and in the logic of the manual: what is unknown takes
//! no row.

/// How conditions decide together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Together {
    All,
    Any,
    /// One of the first two, and the others.
    FirstTwo,
    NotAll,
    NotAny,
}

impl Together {
    /// What a small number stands for.
    pub(super) fn of(code: u8) -> Together {
        match code % 8 {
            0 => Together::Any,
            1 => Together::NotAll,
            2 => Together::NotAny,
            3 => Together::FirstTwo,
            _ => Together::All,
        }
    }

    /// As SQL.
    pub(super) fn written(self, conditions: &[String]) -> String {
        match self {
            Together::All => conditions.join(" AND "),
            Together::Any => conditions.join(" OR "),
            Together::FirstTwo => {
                let (first, rest) = conditions.split_at(conditions.len().min(2));
                let first = format!("({})", first.join(" OR "));
                let rest = rest.iter().map(String::as_str);
                let all: Vec<&str> = rest.chain([first.as_str()]).collect();
                all.join(" AND ")
            }
            Together::NotAll => format!("NOT ({})", conditions.join(" AND ")),
            Together::NotAny => format!("NOT ({})", conditions.join(" OR ")),
        }
    }

    /// Whether a row is taken, from what is known of each condition: nothing where the column is NULL.
    pub(super) fn takes(self, conditions: &[Option<bool>]) -> bool {
        let is = |wanted: bool| move |known: &Option<bool>| *known == Some(wanted);
        if conditions.is_empty() {
            return true;
        }
        match self {
            Together::All => conditions.iter().all(is(true)),
            Together::Any => conditions.iter().any(is(true)),
            Together::FirstTwo => {
                let (first, rest) = conditions.split_at(conditions.len().min(2));
                first.iter().any(is(true)) && rest.iter().all(is(true))
            }
            Together::NotAll => conditions.iter().any(is(false)),
            Together::NotAny => conditions.iter().all(is(false)),
        }
    }
}
