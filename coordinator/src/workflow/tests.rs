//! The whole path at the registry, and everything that must not work on it.

mod attacks;
mod bounds;
mod path;
mod renewal;
mod world;
