//! Discrete Gaussian noise from the operating system's randomness, exactly: rational numbers and random bits, no floats.
//!
//! The sampler is `prio`'s, of Canonne, Kamath and Steinke's algorithm ("The Discrete Gaussian for Differential
//! Privacy"). How long a draw takes depends on what is drawn, never on what it is added to.

use std::convert::Infallible;

use prio::dp::Rational;
use prio::dp::distributions::DiscreteGaussian;
use rand_0_10::distr::Distribution;
use rand_0_10::{Rng, TryRng};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroize;

/// Bytes taken from the operating system at once.
const AHEAD: usize = 4_096;

/// The operating system's randomness, a page ahead. Made for one answer and gone with it.
pub(super) struct Entropy {
    system: SystemRandom,
    ahead: Box<[u8; AHEAD]>,
    used: usize,
}

impl Entropy {
    pub(super) fn new() -> Entropy {
        Entropy {
            system: SystemRandom::new(),
            ahead: Box::new([0; AHEAD]),
            used: AHEAD,
        }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.used == AHEAD {
                // Without randomness there is no answer: the panic ends the run, which answers nothing.
                (self.system.fill(&mut *self.ahead)).expect("the operating system has randomness");
                self.used = 0;
            }
            let most = bytes.len().min(AHEAD - self.used);
            let (now, later) = std::mem::take(&mut bytes).split_at_mut(most);
            let from = &mut self.ahead[self.used..self.used + most];
            now.copy_from_slice(from);
            // What was drawn with tells the noise, and with it the figure.
            from.zeroize();
            self.used += most;
            bytes = later;
        }
    }
}

impl Drop for Entropy {
    fn drop(&mut self) {
        self.ahead.zeroize();
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.take()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.take()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

/// Noise of one width.
pub(super) struct Noise(DiscreteGaussian);

impl Noise {
    /// Of standard deviation `over / under`, which must not be zero.
    pub(super) fn of((over, under): (u128, u128)) -> Option<Noise> {
        let sigma = Rational::from_unsigned(over, under)
            .ok()
            .filter(|_| over > 0)?;
        DiscreteGaussian::new(sigma).ok().map(Noise)
    }

    /// One draw. What does not fit into 127 bits never occurs at any width that a plan can have; it would be the
    /// outermost number.
    pub(super) fn draw(&self, random: &mut impl Rng) -> i128 {
        let drawn = self.0.sample(random);
        let negative = drawn < 0.into();
        let outermost = if negative { i128::MIN } else { i128::MAX };
        i128::try_from(drawn).unwrap_or(outermost)
    }
}
