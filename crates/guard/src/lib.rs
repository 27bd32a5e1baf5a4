//! Disclosure control on DataFusion plans: what may be asked, and what may leave.
