//! Names of things that must not be mixed up.

/// Declares a name that is text inside and a type of its own outside.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Take `text` for this name, as it stands.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text of it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A new one that nobody guesses: 128 random bits, base64url.
            pub fn draw(entropy: &dyn crate::random::Entropy) -> Result<Self, crate::random::NoEntropy> {
                crate::random::id(entropy).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A person we know; `sub` of their tokens (RFC 7519 §4.1.2).
    AccountId
}
name! {
    /// One signed-in device; `sid` of its tokens. Its family is the refresh tokens that followed one another.
    SessionId
}
name! {
    /// One access token; its `jti` (RFC 7519 §4.1.7).
    TokenId
}
name! {
    /// One API key: `sub` of what is told of the machine that holds it. No secret; a part of the key's text.
    KeyId
}
name! {
    /// A registered app.
    AppId
}
name! {
    /// Whom an app means: a MAC of the app and of its name for them.
    SubjectId
}
