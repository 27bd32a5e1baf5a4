//! Debian's drivers for PostgreSQL and MariaDB against the real servers.
