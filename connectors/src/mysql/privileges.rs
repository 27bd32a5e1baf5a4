//! What the account may do besides reading, from its grants.
//!
//! Every grant is a finding unless all that it gives is known to be reading: what is not understood is not harmless.
//! Of a grant only privileges and object are told; the rest of the line may have the account's password hash.

use lingqu_connector_sdk::SourceError;
use mysql_async::Value;

use super::dialect::Server;
use super::session::Session;

/// Privileges that only read, or nothing.
const READING: [&str; 4] = ["SELECT", "SHOW DATABASES", "SHOW VIEW", "USAGE"];
/// Roles that are followed at most.
const ROLES_MAX: usize = 100;
/// Stands for a grant whose contents cannot be seen; it is no grant, so it is a finding.
const UNKNOWN_ROLES: &str = "roles whose grants cannot be seen";
/// Findings at most; one is enough to refuse an account.
const FINDINGS_MAX: usize = 200;

/// The account's privileges beyond reading, by their names at the server. Roles are switched on and off on the way, so
/// the session is of no further use.
pub(super) async fn beyond_reading(session: &mut Session) -> Result<Vec<String>, SourceError> {
    let mut all = grants(session, "SHOW GRANTS").await?;
    let roles: Vec<String> = { all.iter() }
        .filter_map(|line| role(line).map(str::to_owned))
        .collect();
    if session.server() == Server::MariaDb {
        of_roles(session, roles, &mut all).await;
    } else if !roles.is_empty() {
        // Grants of roles are only told for roles that are switched on, those of their roles included.
        let using = format!("SHOW GRANTS FOR CURRENT_USER() USING {}", roles.join(", "));
        match grants(session, &using).await {
            Ok(lines) => all.extend(lines),
            Err(_) => all.push(UNKNOWN_ROLES.to_owned()),
        }
    }
    let mut found: Vec<String> = all.iter().flat_map(|line| findings(line)).collect();
    found.sort();
    found.dedup();
    found.truncate(FINDINGS_MAX);
    Ok(found)
}

/// What the roles may do, and the roles that they have: each is asked for once.
async fn of_roles(session: &mut Session, mut roles: Vec<String>, all: &mut Vec<String>) {
    let mut at = 0;
    while let Some(name) = roles.get(at).cloned() {
        at += 1;
        let asked = of_role(session, &name).await;
        let Ok(lines) = asked.and_then(|lines| {
            let few = at <= ROLES_MAX;
            few.then_some(lines).ok_or(SourceError::TooLarge)
        }) else {
            all.push(UNKNOWN_ROLES.to_owned());
            return;
        };
        for further in lines.iter().filter_map(|line| role(line)) {
            if !roles.iter().any(|known| known == further) {
                roles.push(further.to_owned());
            }
        }
        all.extend(lines);
    }
}

/// The server shows an account what a role may do only while the role is switched on.
async fn of_role(session: &mut Session, name: &str) -> Result<Vec<String>, SourceError> {
    session.rows(&format!("SET ROLE {name}")).await?;
    grants(session, "SHOW GRANTS FOR CURRENT_ROLE").await
}

async fn grants(session: &mut Session, sql: &str) -> Result<Vec<String>, SourceError> {
    let rows = session.rows(sql).await?;
    let lines = rows
        .into_iter()
        .map(|row| match row.unwrap_raw().into_iter().next() {
            Some(Some(Value::Bytes(line))) => {
                String::from_utf8(line).map_err(|_| SourceError::Failed { code: None })
            }
            _ => Err(SourceError::Failed { code: None }),
        });
    lines.collect()
}

/// The roles of `GRANT role, role TO account`, as they are written; `None` for a grant of privileges.
fn role(line: &str) -> Option<&str> {
    let granted = line.strip_prefix("GRANT ")?;
    let (before, _) = split_outside(granted, " TO ")?;
    split_outside(before, " ON ").is_none().then_some(before)
}

/// What a grant gives beyond reading.
fn findings(line: &str) -> Vec<String> {
    let unknown = || vec!["a grant that is not understood".to_owned()];
    if role(line).is_some() {
        // What the role may do is listed on its own.
        return if line.contains("WITH ADMIN OPTION") {
            vec!["ADMIN OPTION of a role".to_owned()]
        } else {
            Vec::new()
        };
    }
    // MariaDB names the role that is switched on by default; that gives nothing by itself.
    if line.starts_with("SET DEFAULT ROLE ") {
        return Vec::new();
    }
    let Some(granted) = line.strip_prefix("GRANT ") else {
        return unknown();
    };
    let Some((privileges, rest)) = split_outside(granted, " ON ") else {
        return unknown();
    };
    let Some((object, account)) = split_outside(rest, " TO ") else {
        return unknown();
    };
    let mut found: Vec<String> = list(privileges)
        .into_iter()
        .map(|privilege| {
            privilege
                .split('(')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .filter(|privilege| !READING.contains(&privilege.as_str()))
        .map(|privilege| format!("{privilege} on {object}"))
        .collect();
    if split_outside(account, " WITH GRANT OPTION").is_some() {
        found.push(format!("GRANT OPTION on {object}"));
    }
    found
}

/// Splits at the first `mark` that is outside of quotes.
fn split_outside<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match quote {
            Some(open) if open == byte => quote = None,
            Some(_) => {}
            None if matches!(byte, b'`' | b'\'' | b'"') => quote = Some(byte),
            None if text.as_bytes()[at..].starts_with(mark.as_bytes()) => {
                return Some((&text[..at], &text[at + mark.len()..]));
            }
            None => {}
        }
    }
    None
}

/// Parts between commas that are in neither quotes nor parentheses.
fn list(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'`' | b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.saturating_sub(1),
            (None, b',') if depth == 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(text[begin..].trim());
    parts
}

#[cfg(test)]
mod tests;
