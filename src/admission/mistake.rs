//! What is wrong in a section, said with its key: all of it at once, so that an operator mends it in one go.

use std::fmt;

/// Something wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: `route[0].upstream`.
    pub key: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Mistake {
    /// `problem` at `key`.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}
