//! Fake clocks and builders for tests.
