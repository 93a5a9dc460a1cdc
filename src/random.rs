//! Chance, as a parameter: the system's random source in production, a seed in tests.

use std::cell::RefCell;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A source of unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fill `bytes` with random ones.
    ///
    /// # Errors
    /// When the source has nothing to give; nothing may then be issued.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system's random source failed")]
pub struct NoEntropy;

/// The system's random source.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.fill(bytes).map_err(|_| NoEntropy)
    }
}

/// What is drawn at once for names.
const DRAWN: usize = 3 * 1024;

thread_local! {
    static LEFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The system's random source for what every request needs: each thread draws much at once, and gives it out in pieces. As
/// unpredictable as the source; what was drawn stays in memory until it is given out, so it is for names, not for secrets.
#[derive(Debug, Default)]
pub struct Drawn(SystemEntropy);

impl Entropy for Drawn {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let given = LEFT.try_with(|left| self.give(&mut left.borrow_mut(), bytes));
        // A thread that ends has nothing left to give.
        given.unwrap_or_else(|_| self.0.fill(bytes))
    }
}

impl Drawn {
    fn give(&self, left: &mut Vec<u8>, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        if bytes.len() > DRAWN {
            return self.0.fill(bytes);
        }
        if left.len() < bytes.len() {
            left.resize(DRAWN, 0);
            if let Err(none) = self.0.fill(left) {
                left.clear();
                return Err(none);
            }
        }
        let rest = left.len() - bytes.len();
        bytes.copy_from_slice(left.get(rest..).ok_or(NoEntropy)?);
        left.truncate(rest);
        Ok(())
    }
}

/// `N` random bytes.
pub fn bytes<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}

/// A name that nobody guesses: 128 random bits, base64url without padding, 22 characters.
pub fn id(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    Ok(name(bytes(entropy)?))
}

/// 128 bits, written as [`id`] writes them.
pub fn name(bits: [u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(bits)
}

/// The bits of a name and half as many more, drawn at once: a request's id, and that of its span.
pub fn pair(entropy: &dyn Entropy) -> Result<([u8; 16], [u8; 8]), NoEntropy> {
    let (mut first, mut second) = ([0; 16], [0; 8]);
    let drawn = bytes::<24>(entropy)?;
    let (left, right) = drawn.split_at(first.len());
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    Ok((first, second))
}

/// What nobody guesses and who holds it may use: 256 random bits, base64url without padding, 43 characters.
pub fn token(entropy: &dyn Entropy) -> Result<String, NoEntropy> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>(entropy)?))
}

/// `length` decimal digits, each value equally likely (no modulo bias: bytes over 249 are drawn again).
pub fn digits(entropy: &dyn Entropy, length: usize) -> Result<String, NoEntropy> {
    let mut digits = String::with_capacity(length);
    while digits.len() < length {
        let byte = u32::from(bytes::<1>(entropy)?[0]);
        if byte < 250 {
            digits.extend(char::from_digit(byte % 10, 10));
        }
    }
    Ok(digits)
}

/// `length` letters and digits, each value equally likely (bytes over 247 are drawn again): 43 of them have 256 bits.
pub fn alphanumeric(entropy: &dyn Entropy, length: usize) -> Result<String, NoEntropy> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let byte = bytes::<1>(entropy)?[0];
        if byte < 248 {
            text.extend(ALPHABET.get(usize::from(byte % 62)).copied().map(char::from));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_uniform() {
        let drawn = digits(&SystemEntropy::default(), 100_000).unwrap();
        let expected = 10_000.0_f64;
        let chi: f64 = ('0'..='9')
            .map(|d| {
                let seen = f64::from(u32::try_from(drawn.chars().filter(|c| *c == d).count()).unwrap());
                (seen - expected).powi(2) / expected
            })
            .sum();
        // 9 degrees of freedom: 40 is passed by chance once in 100,000 runs.
        assert!(chi < 40.0, "chi-square {chi}");
    }

    #[test]
    fn letters_and_digits_are_uniform() {
        let drawn = alphanumeric(&SystemEntropy::default(), 62_000).unwrap();
        let mut seen = std::collections::HashMap::<char, u32>::new();
        for letter in drawn.chars() {
            *seen.entry(letter).or_default() += 1;
        }
        assert_eq!((drawn.len(), seen.len()), (62_000, 62));
        let chi: f64 = seen.values().map(|count| (f64::from(*count) - 1000.0).powi(2) / 1000.0).sum();
        // 61 degrees of freedom: 130 is passed by chance once in a million runs.
        assert!(chi < 130.0, "chi-square {chi}");
    }

    #[test]
    fn what_was_drawn_is_given_out_once() {
        let source = Drawn::default();
        let pieces: std::collections::HashSet<_> = (0..10_000).map(|_| bytes::<24>(&source).unwrap()).collect();
        assert_eq!(pieces.len(), 10_000);
        let (mut much, mut more) = ([0; 2 * DRAWN], [0; 2 * DRAWN]);
        source.fill(&mut much).unwrap();
        source.fill(&mut more).unwrap();
        assert_ne!(much, more);
        assert_eq!(LEFT.with_borrow(Vec::len) % 24, 0);
    }

    #[test]
    fn ids_do_not_repeat() {
        let source = SystemEntropy::default();
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| id(&source).unwrap()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
