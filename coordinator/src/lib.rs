//! Registry, filing, revocation, mirror, head log and feeds.
