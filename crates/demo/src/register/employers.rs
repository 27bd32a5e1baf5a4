//! Employers: invented organisations of the city, few of them large and most of them small.

use super::credit_code::credit_code;
use super::draws::{Draws, Weights};
use super::industries::INDUSTRIES;

/// How many there are; each industry has at least one.
pub(crate) const EMPLOYERS: u32 = 2_400;
/// The stream of an employer's draws.
const DOMAIN: u64 = 0x656d_706c;

/// One employer.
#[derive(Clone, Debug)]
pub(crate) struct Employer {
    /// Unified social credit code.
    pub(crate) code: String,
}

/// All employers, by industry.
#[derive(Clone, Debug)]
pub(crate) struct Employers {
    industries: Weights,
    /// For each industry its employers and how many each employs, relative to the others.
    by_industry: Vec<(Vec<Employer>, Weights)>,
}

impl Employers {
    /// The employers of a register: `first` is the organisation code that they count from.
    pub(crate) fn new(seed: u64, first: u32, divisions: &[&str]) -> Employers {
        let weights = Weights::new(INDUSTRIES.iter().map(|industry| industry.weight));
        let mut of_industry = vec![Vec::new(); INDUSTRIES.len()];
        for index in 0..EMPLOYERS {
            let mut draws = Draws::of(seed, DOMAIN, u64::from(index));
            // The first ones go round, so that no industry is without an employer.
            let industry = match INDUSTRIES.get(index as usize) {
                Some(_) => index as usize,
                None => weights.draw(&mut draws),
            };
            let kind = match INDUSTRIES[industry].code {
                "P" | "Q" => "12",
                "S" | "T" => "11",
                _ => "91",
            };
            // Steps of seven keep neighbouring organisations from having neighbouring codes.
            let code = credit_code(kind, draws.one::<&str>(divisions), first + index * 7);
            of_industry[industry].push(Employer { code });
        }
        let by_industry = of_industry
            .into_iter()
            .map(|employers| {
                // The n-th largest employs an n-th of the largest, as sizes of firms roughly do.
                let sizes = (1..=u32::try_from(employers.len()).unwrap_or(u32::MAX))
                    .map(|rank| 10_000 / rank + 5);
                let sizes = Weights::new(sizes);
                (employers, sizes)
            })
            .collect();
        Employers {
            industries: weights,
            by_industry,
        }
    }

    /// An industry, as often as people work in it.
    pub(crate) fn draw_industry(&self, draws: &mut Draws) -> usize {
        self.industries.draw(draws)
    }

    /// An employer of an industry, as often as people work for it.
    pub(crate) fn draw(&self, industry: usize, draws: &mut Draws) -> &Employer {
        let (employers, sizes) = &self.by_industry[industry];
        &employers[sizes.draw(draws)]
    }
}
