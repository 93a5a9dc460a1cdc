//! Whom an app means: an opaque name of its own for a person, a device, an order. And where is kept what we remember of them.

use std::fmt;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{AppId, SubjectId};
use crate::outage::Outage;

/// The longest, in characters.
const LONGEST: usize = 256;

/// What an app calls somebody: 1 to 256 characters, none of them a control character. Opaque: compared as it stands, never
/// folded. It may be an address, so it says nothing in a log.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubjectName(String);

/// Not what an app may call somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject is 1 to 256 characters, none of them a control character")]
pub struct NotASubject;

impl SubjectName {
    /// From its text.
    ///
    /// # Errors
    /// [`NotASubject`].
    pub fn parse(text: &str) -> Result<Self, NotASubject> {
        let fits = (1..=LONGEST).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(NotASubject) }
    }

    /// The text of it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SubjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[subject]")
    }
}

/// A subject of an app, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// MAC of the app's id and the name: what all else is kept under, so that no two apps ever mean the same row.
    pub id: SubjectId,
    /// Whose.
    pub app: AppId,
    /// What the app calls it.
    pub name: SubjectName,
    /// The e-mail address that a code was last sent to, sealed.
    pub email: Option<String>,
    /// The phone number that a code was last sent to, sealed.
    pub phone: Option<String>,
    /// When the app first named it.
    pub created_at: Timestamp,
    /// When the app last had something done for it.
    pub seen_at: Timestamp,
    /// Since when an authenticator of it counts; none when none does.
    pub enabled_at: Option<Timestamp>,
}

/// Where subjects are kept. They are added by what is done for them: a code that is sent, an authenticator that is set up.
#[async_trait]
pub trait Subjects: Send + Sync {
    /// By its id.
    async fn find(&self, id: &SubjectId) -> Result<Option<Subject>, Outage>;

    /// At most `limit` subjects of an app, in an order that stays: those whose ids come after `after`.
    async fn list(&self, app: &AppId, after: Option<&SubjectId>, limit: u32) -> Result<Vec<Subject>, Outage>;

    /// Forget one, with its codes and its authenticator. False when the app has no such one.
    async fn forget(&self, app: &AppId, id: &SubjectId) -> Result<bool, Outage>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_any_line_of_text() {
        for good in ["a", " ", "ada@example.com", "A/b?c#d%20", "ä", "\u{1f98a}", "a\u{200b}", &"\u{1f98a}".repeat(256)] {
            assert_eq!(SubjectName::parse(good).unwrap().expose(), good);
        }
        for bad in ["", "\0", "a\nb", "a\r", "\t", "\u{7f}", "\u{85}", &"a".repeat(257)] {
            assert_eq!(SubjectName::parse(bad), Err(NotASubject), "{bad:?}");
        }
    }

    #[test]
    fn a_subject_says_nothing_in_a_log() {
        assert_eq!(format!("{:?}", SubjectName::parse("ada@example.com").unwrap()), "[subject]");
    }
}
