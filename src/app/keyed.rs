//! What codes, subjects and addresses of apps are kept as: MACs under keys of the server's, each bound to the app, so that what
//! belongs to one is worth nothing at another.

use crate::app::subject::SubjectName;
use crate::id::{AppId, SubjectId};
use crate::secret::{MacKey, RootKey};

/// The keys under which what belongs to apps is hashed.
#[derive(Debug, Clone)]
pub struct AppKeyed {
    code: MacKey,
    subject: MacKey,
    address: MacKey,
}

impl AppKeyed {
    /// Derived from the operator's key.
    pub fn new(root: &RootKey) -> Self {
        Self { code: root.mac_key("app-code"), subject: root.mac_key("app-subject"), address: root.mac_key("app-address") }
    }

    /// Of a subject, for this app only.
    pub fn subject(&self, app: &AppId, name: &SubjectName) -> SubjectId {
        SubjectId::new(self.subject.mac(&[app.as_str(), name.expose()]))
    }

    /// Of a code, for this subject of this app, and for the challenge with this fingerprint only.
    pub(super) fn code(&self, subject: &SubjectId, challenge: &str, code: &str) -> String {
        self.code.mac(&[subject.as_str(), challenge, code])
    }

    /// Names an address in logs of messages. Not as signing in names it: a message that fails here releases no wait there.
    pub(super) fn address(&self, subject: &SubjectId, address: &str) -> String {
        self.address.mac(&[subject.as_str(), address])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_apps_is_nothing_at_another() {
        let keyed = AppKeyed::new(&RootKey::new([7; 32]));
        let name = |text| SubjectName::parse(text).unwrap();
        let (one, other) = (AppId::new("one"), AppId::new("other"));

        let subject = keyed.subject(&one, &name("ada"));
        assert_eq!(subject, keyed.subject(&one, &name("ada")));
        for another in [keyed.subject(&other, &name("ada")), keyed.subject(&one, &name("Ada")), keyed.subject(&one, &name("ada "))] {
            assert_ne!(subject, another);
            assert_ne!(keyed.code(&subject, "c", "123456"), keyed.code(&another, "c", "123456"));
        }
        assert_ne!(keyed.code(&subject, "c", "123456"), keyed.code(&subject, "d", "123456"));
        assert_ne!(keyed.subject(&AppId::new("a"), &name("bc")), keyed.subject(&AppId::new("ab"), &name("c")));
    }
}
