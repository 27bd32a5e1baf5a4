//! A network in one process over a real register, and the story it tells.
