//! Recovery codes: what stands in for a lost phone. Ten of 50 random bits each, shown once, each good once.

use crate::random::{self, Entropy, NoEntropy};
use crate::secret::Secret;

/// How many there are.
pub(super) const COUNT: usize = 10;

/// Crockford's base 32: no letter that looks like a digit.
const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M', 'N', 'P', 'Q', 'R', 'S', 'T',
    'V', 'W', 'X', 'Y', 'Z',
];

/// Characters of a code, 5 bits each.
const LENGTH: usize = 10;

/// Characters of a group.
const GROUP: usize = 5;

/// All codes of an account, drawn anew.
pub(super) fn draw(entropy: &dyn Entropy) -> Result<Vec<Secret<String>>, NoEntropy> {
    (0..COUNT).map(|_| code(entropy).map(Secret::new)).collect()
}

/// One code, in two groups: `7K3QF-0M9TZ`.
fn code(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    let mut text = String::with_capacity(LENGTH + 1);
    for (place, byte) in random::bytes::<LENGTH>(entropy)?.into_iter().enumerate() {
        if place == GROUP {
            text.push('-');
        }
        // 256 is a multiple of 32: every character is as likely.
        text.extend(ALPHABET.get(usize::from(byte % 32)));
    }
    Ok(text)
}

/// What was typed, as it is compared: in any case, with or without hyphens and spaces, and with the letters that look like
/// digits taken for them.
pub(super) fn canonical(typed: &str) -> Secret<String> {
    let kept = typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}'));
    Secret::new(kept.map(plain).collect())
}

const fn plain(c: char) -> char {
    match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemEntropy;

    #[test]
    fn codes_are_ten_in_two_groups_and_never_the_same() {
        let codes = draw(&SystemEntropy::default()).unwrap();

        assert_eq!(codes.len(), 10);
        for code in &codes {
            let (left, right) = code.expose().split_once('-').unwrap();
            assert_eq!((left.len(), right.len()), (5, 5));
            assert!(code.expose().chars().all(|c| c == '-' || ALPHABET.contains(&c)), "a code of the alphabet");
        }
        let mut distinct: Vec<&String> = codes.iter().map(Secret::expose).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 10);
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        for typed in ["7K3QF-0M1TZ", "7k3qf0m1tz", " 7k3qf - om1tz ", "7K3QFOMLTZ", "7k3qf–0mitz", "7K3 QF0 M1T Z\n"] {
            assert_eq!(canonical(typed).expose(), "7K3QF0M1TZ", "{typed:?}");
        }
        assert_eq!(canonical("").expose(), "");
        assert_ne!(canonical("7K3QF-0M1TU").expose(), "7K3QF0M1TZ");
    }

    #[test]
    fn characters_are_uniform() {
        let drawn: String = (0..10_000).map(|_| code(&SystemEntropy::default()).unwrap()).collect();
        let expected = 100_000.0_f64 / 32.0;
        let chi: f64 = ALPHABET
            .iter()
            .map(|c| (f64::from(u32::try_from(drawn.chars().filter(|d| d == c).count()).unwrap()) - expected).powi(2) / expected)
            .sum();
        // 31 degrees of freedom: 85 is passed by chance less than once in 100,000 runs.
        assert!(chi < 85.0, "chi-square {chi}");
    }
}
