//! A whole network in one process over a real register, and the story it tells.
//!
//! In scope: making the files of a small network (authority, keys, configurations, signed objects), running a
//! coordinator and a node on loopback from those files, and the steps of the story with their checks.
//! Out of scope: anything that production needs; what the demo does by itself, people do there.
//! The registers are `planes` and `flights` of NYC flights 2013 (CC0); organisations and regions are invented.
//! Start reading at [`run`], then [`network::Network`].

pub mod authorise;
pub mod cast;
pub mod network;
pub mod objects;
pub mod register;
pub mod report;
pub mod servers;
mod story;

pub use story::{Options, StoryFailed, run};
