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
