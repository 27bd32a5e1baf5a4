//! What an engineer installs from: samples that explain every key, units that may do nothing but serve, an image and a
//! compose file that name what is really there, an archive that works on a machine without a network, and a manual whose
//! commands are run.

mod archive;
mod containers;
mod manual;
mod samples;
mod units;
