-- The registry's tables. Applied whenever a database is opened; every statement can be repeated.
-- All times are microseconds since the Unix epoch.

CREATE TABLE IF NOT EXISTS settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Every public key that plays any role, so that none can play two.
CREATE TABLE IF NOT EXISTS keys (
    public_key BLOB PRIMARY KEY,
    purpose    TEXT NOT NULL,
    owner      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS parties (
    id           TEXT PRIMARY KEY,
    region       TEXT NOT NULL,
    display_name TEXT NOT NULL,
    roles        TEXT NOT NULL,
    approval_key BLOB NOT NULL UNIQUE REFERENCES keys (public_key),
    enrolled_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS nodes (
    id           TEXT PRIMARY KEY,
    unit         TEXT NOT NULL REFERENCES parties (id),
    region       TEXT NOT NULL,
    display_name TEXT NOT NULL,
    log_key      BLOB NOT NULL UNIQUE REFERENCES keys (public_key),
    origin       TEXT NOT NULL UNIQUE,
    enrolled_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Enrolment codes, as digests: whoever reads the database cannot enrol with what it holds.
CREATE TABLE IF NOT EXISTS codes (
    digest       BLOB PRIMARY KEY,
    subject      TEXT NOT NULL,
    roles        TEXT NOT NULL,
    region       TEXT NOT NULL,
    unit         TEXT,
    display_name TEXT NOT NULL,
    issued_by    TEXT NOT NULL,
    expires_us   INTEGER NOT NULL,
    used_us      INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS objects (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    type     TEXT NOT NULL,
    id       TEXT NOT NULL,
    version  INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    envelope BLOB NOT NULL,
    filing   BLOB NOT NULL,
    number   TEXT NOT NULL UNIQUE,
    act      INTEGER NOT NULL REFERENCES acts (seq),
    UNIQUE (type, id, version),
    UNIQUE (type, digest)
) STRICT;

-- The nodes and units that an object concerns: who is sent it.
CREATE TABLE IF NOT EXISTS concerns (
    who TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES objects (seq),
    PRIMARY KEY (who, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS revocations (
    target   TEXT PRIMARY KEY,
    envelope BLOB NOT NULL,
    act      INTEGER NOT NULL REFERENCES acts (seq)
) STRICT, WITHOUT ROWID;

-- The outbox: acts in the order in which they must stand in the coordinator's own stream. `entry` is the index there,
-- null until it is durable there.
CREATE TABLE IF NOT EXISTS acts (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    action        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    digest        BLOB NOT NULL,
    actor         TEXT NOT NULL,
    region        TEXT,
    filing_number TEXT,
    epoch         INTEGER,
    entry         INTEGER
) STRICT;

-- Cases of authorisation. What stands here besides the acts is an index: a case's state is the fold of its signed acts,
-- and a row that says otherwise is refused when the case is next opened.
CREATE TABLE IF NOT EXISTS cases (
    place        INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL,
    applicant    TEXT NOT NULL,
    agency       TEXT NOT NULL,
    region       TEXT NOT NULL,
    state        TEXT NOT NULL,
    opened_day   INTEGER NOT NULL,
    accepted_us  INTEGER NOT NULL,
    due_us       INTEGER NOT NULL,
    -- First instant at which a returned case has lapsed; null unless it is returned.
    lapses_us    INTEGER,
    -- The grant that the case proposed; no two cases can propose the same.
    grant_id     TEXT UNIQUE
) STRICT;
CREATE INDEX IF NOT EXISTS cases_by_applicant ON cases (applicant, state);
CREATE INDEX IF NOT EXISTS cases_by_day ON cases (applicant, opened_day);
CREATE INDEX IF NOT EXISTS cases_by_region ON cases (region, place);

-- Who takes part in a case, and may therefore see it.
CREATE TABLE IF NOT EXISTS case_parties (
    party TEXT NOT NULL,
    place INTEGER NOT NULL REFERENCES cases (place),
    PRIMARY KEY (party, place)
) STRICT, WITHOUT ROWID;

-- The signed acts, in order. `granted` is the grant that comes with an agreement; `due_us` and `reviewers` are what the
-- coordinator fixed when it took the act.
CREATE TABLE IF NOT EXISTS case_acts (
    place     INTEGER NOT NULL REFERENCES cases (place),
    position  INTEGER NOT NULL,
    action    TEXT NOT NULL,
    actor     TEXT NOT NULL,
    at_us     INTEGER NOT NULL,
    object    BLOB,
    granted   BLOB,
    evidence  BLOB NOT NULL UNIQUE,
    due_us    INTEGER,
    reviewers TEXT NOT NULL,
    act       INTEGER NOT NULL REFERENCES acts (seq),
    PRIMARY KEY (place, position)
) STRICT, WITHOUT ROWID;

-- Credentials of filed catalog agreements: one for each.
CREATE TABLE IF NOT EXISTS credentials (
    agreement  BLOB PRIMARY KEY,
    credential BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Suspensions of grants, and what lifted them.
CREATE TABLE IF NOT EXISTS suspensions (
    digest     BLOB PRIMARY KEY,
    grant_id   TEXT NOT NULL,
    asked_by   TEXT NOT NULL,
    envelope   BLOB NOT NULL,
    at_us      INTEGER NOT NULL,
    act        INTEGER NOT NULL REFERENCES acts (seq),
    lifting    BLOB,
    lifted_us  INTEGER,
    lifted_act INTEGER REFERENCES acts (seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS suspensions_by_grant ON suspensions (grant_id);
CREATE INDEX IF NOT EXISTS acts_by_subject ON acts (subject);
