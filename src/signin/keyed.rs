//! What can be guessed is kept as a MAC under a key of the server's: a stolen database gives neither codes nor a list of
//! which addresses were asked for.

use crate::id::AccountId;
use crate::secret::{MacKey, RootKey, Secret};
use crate::signin::address::Handle;

/// The keys under which codes, addresses and what limits count by are hashed.
#[derive(Debug, Clone)]
pub struct Keyed {
    code: MacKey,
    handle: MacKey,
    recovery: MacKey,
    limit: MacKey,
}

impl Keyed {
    /// Derived from the operator's key.
    pub fn new(root: &RootKey) -> Self {
        Self {
            code: root.mac_key("otp-code"),
            handle: root.mac_key("handle"),
            recovery: root.mac_key("recovery-code"),
            limit: root.mac_key("limit"),
        }
    }

    /// Of a code, for the challenge with this fingerprint only.
    pub fn code(&self, challenge: &str, code: &str) -> String {
        self.code.mac(&[challenge, code])
    }

    /// Of an address.
    pub fn handle(&self, handle: &Handle) -> String {
        let kind = match handle {
            Handle::Email(_) => "email",
            Handle::Phone(_) => "phone",
        };
        self.handle.mac(&[kind, handle.expose()])
    }

    /// Of a recovery code in its canonical form, for this account only.
    pub fn recovery(&self, account: &AccountId, code: &Secret<String>) -> String {
        self.recovery.mac(&[account.as_str(), code.expose()])
    }

    /// Of what a limit counts by.
    pub fn limit(&self, what: &str) -> String {
        self.limit.mac(&[what])
    }
}
