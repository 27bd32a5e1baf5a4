//! The sampler against the discrete Gaussian distribution itself, by a χ² test whose false alarm rate is below 10⁻⁶.

use super::super::noise::{Entropy, Noise};
use super::seeded;
use super::tail::chi_square_deviation;

/// Beyond this many standard deviations a sampler is wrong: one correct sampler in two million is found so.
const ALARM: f64 = 4.9;
const DRAWS: usize = 40_000;

/// Expected numbers of draws of −k..=k, the outermost with all beyond.
fn expected(sigma: f64, k: i128) -> Vec<f64> {
    let weight = |x: f64| (-x * x / (2.0 * sigma * sigma)).exp();
    let far = (sigma * 40.0) as i128;
    let all: f64 = (-far..=far).map(|x| weight(x as f64)).sum();
    let beyond: f64 = (k..=far).map(|x| weight(x as f64)).sum();
    (-k..=k)
        .map(|x| match x.abs() == k {
            true => beyond,
            false => weight(x as f64),
        })
        .map(|share| share / all * DRAWS as f64)
        .collect()
}

/// How far `draws` are from the distribution, in standard deviations of χ².
fn deviation(sigma: f64, mut draw: impl FnMut() -> i128) -> f64 {
    // As many places as have enough draws each for χ² to be near its distribution.
    let mut k = (sigma * 2.5).ceil() as i128;
    while expected(sigma, k)[0] < 20.0 {
        k -= 1;
    }
    let expected = expected(sigma, k);
    let mut found = vec![0_f64; expected.len()];
    for _ in 0..DRAWS {
        let place = draw().clamp(-k, k) + k;
        found[usize::try_from(place).unwrap()] += 1.0;
    }
    let parts = expected.iter().zip(&found);
    let statistic: f64 = parts.map(|(e, f)| (f - e) * (f - e) / e).sum();
    chi_square_deviation(statistic, (expected.len() - 1) as f64)
}

#[test]
fn draws_are_those_of_the_discrete_gaussian() {
    for (at, (over, under)) in [(1, 2), (1, 1), (7, 3), (12, 1)].into_iter().enumerate() {
        let noise = Noise::of((over, under)).unwrap();
        let mut random = seeded(at as u64);
        let sigma = over as f64 / under as f64;
        let found = deviation(sigma, || noise.draw(&mut random));
        assert!(found < ALARM, "σ = {over}/{under}: {found}");
    }
}

#[test]
fn a_sampler_that_is_wrong_by_a_twentieth_is_found() {
    let narrow = Noise::of((19, 5)).unwrap();
    let mut random = seeded(1);
    // σ is 3.8 and claimed to be 4; a shift by one in three draws; zero too often, as of a rounded sign.
    assert!(deviation(4.0, || narrow.draw(&mut random)) > ALARM);
    let noise = Noise::of((4, 1)).unwrap();
    let (mut random, mut at) = (seeded(2), 0);
    let shifted = deviation(4.0, || {
        at += 1;
        noise.draw(&mut random) + i128::from(at % 3 == 0)
    });
    assert!(shifted > ALARM, "{shifted}");
    let mut random = seeded(3);
    let twice_zero = deviation(4.0, || match noise.draw(&mut random) {
        1 if random_bit(&mut random) => 0,
        drawn => drawn,
    });
    assert!(twice_zero > ALARM, "{twice_zero}");
}

fn random_bit(random: &mut impl rand_0_10::Rng) -> bool {
    random.next_u32() % 4 == 0
}

#[test]
fn the_operating_systems_randomness_is_drawn_from_once() {
    let noise = Noise::of((1_u128 << 70, 1)).unwrap();
    let (mut one, mut other) = (Entropy::new(), Entropy::new());
    let mut draws: Vec<i128> = (0..60).map(|_| noise.draw(&mut one)).collect();
    draws.extend((0..60).map(|_| noise.draw(&mut other)));
    // At this width two equal draws mean that randomness was used twice.
    draws.sort_unstable();
    assert!(draws.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(draws[0] < 0 && draws[119] > 0);
}
