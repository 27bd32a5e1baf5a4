//! lingqu.v1: generated code and the only conversions between wire and core types.
