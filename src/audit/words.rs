//! The fixed words of the log. One that was released stays as it is: filters and scripts of operators know it.

/// Declares a list of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$about])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one with this word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

words! {
    /// What happened. New words go to the list in `docs/operations.md`, too.
    What {
        /// An account was made by who asked for a code.
        AccountRegistered = "account_registered",
        /// An account was made for somebody.
        AccountAdded = "account_added",
        /// Something of an account was changed for somebody.
        AccountChanged = "account_changed",
        /// An account may not sign in any more.
        AccountDisabled = "account_disabled",
        /// It may again.
        AccountEnabled = "account_enabled",
        /// An account is gone.
        AccountRemoved = "account_removed",
        /// A code was asked for, to sign in.
        CodeRequested = "code_requested",
        /// A code came back.
        CodeEntered = "code_entered",
        /// A second factor was shown.
        SecondFactorShown = "second_factor_shown",
        /// An authenticator was set up, and does not count yet.
        FactorEnrolled = "factor_enrolled",
        /// An authenticator counts from now on.
        FactorAdded = "factor_added",
        /// An authenticator was taken away.
        FactorRemoved = "factor_removed",
        /// A recovery code was used up.
        RecoveryCodeUsed = "recovery_code_used",
        /// There are new recovery codes.
        RecoveryCodesRenewed = "recovery_codes_renewed",
        /// Somebody is signed in.
        SessionBegun = "session_begun",
        /// A session is over, and why.
        SessionEnded = "session_ended",
        /// Somebody signed out: here, elsewhere or everywhere.
        SignedOut = "signed_out",
        /// A spent refresh token came back: a stolen one.
        RefreshTokenReused = "refresh_token_reused",
        /// A code was asked for, to a new address.
        AddressChangeRequested = "address_change_requested",
        /// An address of an account is another one.
        AddressChanged = "address_changed",
        /// An address of an account was taken away.
        AddressRemoved = "address_removed",
        /// The owner of an account was told of something.
        Notified = "notified",
        /// A proxy's question was incomplete, or contradicted itself.
        ForwardAuthContradicted = "forward_auth_contradicted",
        /// There is a new signing key.
        SigningKeyRotated = "signing_key_rotated",
        /// An API key was made.
        ApiKeyCreated = "api_key_created",
        /// An API key was changed.
        ApiKeyChanged = "api_key_changed",
        /// An API key is good for nothing any more.
        ApiKeyRevoked = "api_key_revoked",
        /// An app was registered.
        AppAdded = "app_added",
        /// Something of an app was changed.
        AppChanged = "app_changed",
        /// An app is gone.
        AppRemoved = "app_removed",
        /// An app has a new key.
        AppKeyRotated = "app_key_rotated",
        /// An app had a code sent.
        AppCodeRequested = "app_code_requested",
        /// A code that an app had sent came back.
        AppCodeEntered = "app_code_entered",
        /// An authenticator of an app's subject was set up.
        AppFactorEnrolled = "app_factor_enrolled",
        /// It counts from now on.
        AppFactorEnabled = "app_factor_enabled",
        /// It was taken away.
        AppFactorDisabled = "app_factor_disabled",
        /// It was lost, and another was set up.
        AppFactorRecovered = "app_factor_recovered",
        /// A limit was lifted for somebody.
        LimitCleared = "limit_cleared",
        /// The log itself was altered before this row, behind our back.
        AuditAltered = "audit_altered",
    }
}

words! {
    /// What came of it.
    Outcome {
        /// It was done.
        Done = "done",
        /// The code is not right.
        Wrong = "wrong",
        /// There was nothing that it could have been for: unknown, expired, spent, disabled.
        Nothing = "nothing",
        /// It was right, and used before.
        Replayed = "replayed",
        /// No attempt was left.
        Exhausted = "exhausted",
        /// A limit refused it.
        Limited = "limited",
        /// A rule refused it.
        Refused = "refused",
        /// It was to be done, and was not.
        Failed = "failed",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_word_means_one_thing() {
        let words: HashSet<_> = What::ALL.iter().map(|what| what.as_str()).collect();
        assert_eq!(words.len(), What::ALL.len());
        for what in What::ALL {
            assert_eq!(What::parse(what.as_str()), Some(*what));
            assert!(what.as_str().len() <= 32 && what.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
        assert_eq!(What::parse("SESSION_BEGUN"), None);
        assert_eq!(Outcome::parse("done"), Some(Outcome::Done));
    }
}
