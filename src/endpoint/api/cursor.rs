//! Where a listing goes on: the last name that was shown, under a code of ours, so that nobody can write one, or use that of one
//! listing in another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::endpoint::problem::Problem;
use crate::secret::{self, MacKey};

/// The longest that is looked at, in bytes.
const LONGEST: usize = 1024;

/// Makes cursors, and believes its own.
#[derive(Debug, Clone)]
pub(super) struct Cursors(MacKey);

impl Cursors {
    /// Under this key: the same on every node, so that any goes on where another has begun.
    pub(super) const fn new(key: MacKey) -> Self {
        Self(key)
    }

    /// Of `listing`, a word for what is listed and by what it is filtered, after `last`.
    pub(super) fn after(&self, listing: &[&str], last: &str) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(last), self.code(listing, last))
    }

    /// The name after which `listing` goes on.
    ///
    /// # Errors
    /// 400 for everything that is not a cursor of ours for this listing.
    pub(super) fn read(&self, listing: &[&str], cursor: &str) -> Result<String, Problem> {
        let (name, code) = cursor.split_once('.').filter(|_| cursor.len() <= LONGEST).ok_or(Problem::InvalidCursor)?;
        let name = URL_SAFE_NO_PAD.decode(name).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(Problem::InvalidCursor)?;
        let is_ours = secret::same(self.code(listing, &name).as_bytes(), code.as_bytes());
        if is_ours { Ok(name) } else { Err(Problem::InvalidCursor) }
    }

    fn code(&self, listing: &[&str], last: &str) -> String {
        let parts: Vec<&str> = listing.iter().copied().chain([last]).collect();
        self.0.mac(&parts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors() -> Cursors {
        Cursors::new(MacKey::new(b"key"))
    }

    #[test]
    fn a_cursor_goes_on_in_its_own_listing_alone() {
        let cursor = cursors().after(&["accounts", "staff"], "ada");
        assert_eq!(cursors().read(&["accounts", "staff"], &cursor), Ok("ada".to_owned()));
        for listing in [&["accounts", ""][..], &["sessions", "staff"], &["accounts"], &["accounts", "staff", ""]] {
            assert_eq!(cursors().read(listing, &cursor), Err(Problem::InvalidCursor));
        }
        assert_eq!(Cursors::new(MacKey::new(b"other")).read(&["accounts", "staff"], &cursor), Err(Problem::InvalidCursor));
    }

    #[test]
    fn a_cursor_with_any_other_byte_is_none() {
        let cursor = cursors().after(&["accounts"], "ada");
        for place in 0..cursor.len() {
            for other in ['A', 'b', '_', '.', '='] {
                let mut changed: Vec<char> = cursor.chars().collect();
                if std::mem::replace(&mut changed[place], other) != other {
                    let changed: String = changed.into_iter().collect();
                    assert_eq!(cursors().read(&["accounts"], &changed), Err(Problem::InvalidCursor), "{changed}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_that_somebody_writes_is_a_cursor(text in ".{0,300}", name in "[A-Za-z0-9_-]{0,60}", code in "[A-Za-z0-9_-]{0,60}") {
            for forged in [text, format!("{name}.{code}"), format!("{name}.")] {
                prop_assert_eq!(cursors().read(&["accounts"], &forged), Err(Problem::InvalidCursor));
            }
        }

        #[test]
        fn every_name_comes_back(name in ".{0,100}") {
            let cursor = cursors().after(&["accounts"], &name);
            prop_assert_eq!(cursors().read(&["accounts"], &cursor), Ok(name));
        }
    }
}
