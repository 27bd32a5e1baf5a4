//! Where the kills have hit: a suite that never hits a commit would prove nothing.

use std::fmt;

/// Counts of one suite.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) kills: usize,
    /// Killed before it said that its journal is open.
    pub(crate) opening: usize,
    /// Killed between that and the first call.
    pub(crate) reconciling: usize,
    /// Killed with calls in flight.
    pub(crate) calling: usize,
    /// Killed with nothing to do.
    pub(crate) idle: usize,
    /// An unfinished frame was left by the kill itself.
    pub(crate) torn: usize,
    /// An unfinished frame was made by the test after the kill.
    pub(crate) power_cuts: usize,
    /// An unfinished segment was left.
    pub(crate) unfinished: usize,
    /// The files were replaced by older ones before a life.
    pub(crate) restored: usize,
    /// What they lacked was taken back from the mirror, sometimes over several lives.
    pub(crate) adopted: usize,
    pub(crate) answers: usize,
    /// Recorded and charged, but the answer never arrived.
    pub(crate) lost_answers: usize,
    /// Sent, and neither recorded nor answered.
    pub(crate) lost_calls: usize,
    pub(crate) spent_ids_refused: usize,
    pub(crate) lives: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills in {} lives: {} opening, {} reconciling, {} calling, {} idle; {} torn by the kill, {} by power \
             cuts, {} unfinished segments; {} restored, {} adopted; {} answers, {} \
             recorded but lost, {} calls lost, {} spent ids refused",
            self.kills,
            self.lives,
            self.opening,
            self.reconciling,
            self.calling,
            self.idle,
            self.torn,
            self.power_cuts,
            self.unfinished,
            self.restored,
            self.adopted,
            self.answers,
            self.lost_answers,
            self.lost_calls,
            self.spent_ids_refused,
        )
    }
}
