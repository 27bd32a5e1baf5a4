//! Transparency-log formats and tree (C2SP). Pure: no I/O, no clock, no domain.
