//! Parties, regions, grants, decisions, call states, records and error codes. Pure.
