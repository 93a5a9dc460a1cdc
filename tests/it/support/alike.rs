//! Do two samples look as if they came from one distribution? The test of Kolmogorov and Smirnov, and Holm's correction for
//! asking it many times.

/// The largest distance between the two empirical distributions, and how likely one as large is by chance (asymptotically,
/// with Stephens' correction; good from some dozens of values on).
pub fn kolmogorov_smirnov(one: &[f64], other: &[f64]) -> (f64, f64) {
    let (one, other) = (sorted(one), sorted(other));
    let (mut at, mut distance) = ((0, 0), 0.0_f64);
    while at.0 < one.len() && at.1 < other.len() {
        // Equal values are passed together: a tie is no distance.
        let value = one[at.0].min(other[at.1]);
        at.0 += one[at.0..].iter().take_while(|it| **it <= value).count();
        at.1 += other[at.1..].iter().take_while(|it| **it <= value).count();
        distance = distance.max((share(at.0, one.len()) - share(at.1, other.len())).abs());
    }
    let size = (f64_of(one.len()) * f64_of(other.len()) / f64_of(one.len() + other.len())).sqrt();
    (distance, tail((size + 0.12 + 0.11 / size) * distance))
}

/// Of these probabilities, asked together: which are below `level` after Holm's correction? In their order.
pub fn refused_by_holm(probabilities: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut refused = vec![false; probabilities.len()];
    for (rank, index) in order.iter().enumerate() {
        if probabilities[*index] * f64_of(probabilities.len() - rank) >= level {
            break;
        }
        refused[*index] = true;
    }
    refused
}

/// Q(λ) of Kolmogorov's distribution.
pub fn tail(lambda: f64) -> f64 {
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |j: u32| {
        let sign = if j.is_multiple_of(2) { -1.0 } else { 1.0 };
        2.0 * sign * (-2.0 * f64::from(j * j) * lambda * lambda).exp()
    };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn share(part: usize, whole: usize) -> f64 {
    f64_of(part) / f64_of(whole)
}

fn f64_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a sample of a sensible size"))
}
