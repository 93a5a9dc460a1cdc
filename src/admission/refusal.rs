//! Why a request is not let in: a decision, said in a fixed word. The words become a reply in `endpoint::problem` alone.

/// We decided: no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// No route matches: 404 `no_route`.
    #[error("no route matches this host and path")]
    NoRoute,
    /// The path reads differently to different servers, under different routes or rules: 400 `ambiguous_path`.
    #[error("the path can be read in more than one way")]
    AmbiguousPath,
    /// The request cannot be understood safely (Host, target): 400 `bad_request`.
    #[error("the request is malformed")]
    Malformed,
    /// A cookie of ours is there twice: 400 `repeated_cookie`.
    #[error("a cookie of ours is there twice")]
    RepeatedCookie,
    /// Two credentials of ours name different sessions: 400 `conflicting_credentials`.
    #[error("two credentials name different sessions")]
    ConflictingCredentials,
    /// Nothing was presented, or its session could not be renewed: 401 `unauthenticated`.
    #[error("sign in to go on")]
    Unauthenticated,
    /// A token of ours that fails: 401 `invalid_token`.
    #[error("the token is not valid")]
    InvalidToken,
    /// Of a session that has ended: 401 `session_ended`.
    #[error("this session has ended")]
    SessionEnded,
    /// A second factor is missing: 401 `insufficient_user_authentication` (RFC 9470), `acr_values="two_factor"`.
    #[error("a second factor is needed")]
    SecondFactorNeeded,
    /// Signed in longer ago than the route allows: 401 `insufficient_user_authentication` (RFC 9470), `max_age` in seconds.
    #[error("sign in again to go on")]
    TooLongAgo(u64),
    /// Signed in, but not allowed: 403 `forbidden`.
    #[error("this account may not go here")]
    Forbidden,
    /// No client certificate of the route's authority: 403 `certificate_required`.
    #[error("a client certificate is needed")]
    CertificateNeeded,
    /// Authenticated by cookie, unsafe, from another site: 403 `cross_site`.
    #[error("this request comes from another site")]
    CrossSite,
    /// The method is not forwarded (CONNECT, TRACE): 405 `method_not_allowed`.
    #[error("this method is not forwarded")]
    MethodNotAllowed,
    /// A CORS preflight on a route that refuses them: 403 `preflight_refused`.
    #[error("preflights are not answered here")]
    PreflightRefused,
}

impl Refusal {
    /// The stable word: in replies, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::AmbiguousPath => "ambiguous_path",
            Self::Malformed => "bad_request",
            Self::RepeatedCookie => "repeated_cookie",
            Self::ConflictingCredentials => "conflicting_credentials",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidToken => "invalid_token",
            Self::SessionEnded => "session_ended",
            Self::SecondFactorNeeded | Self::TooLongAgo(_) => "insufficient_user_authentication",
            Self::Forbidden => "forbidden",
            Self::CertificateNeeded => "certificate_required",
            Self::CrossSite => "cross_site",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::PreflightRefused => "preflight_refused",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoRoute => 404,
            Self::AmbiguousPath | Self::Malformed | Self::RepeatedCookie | Self::ConflictingCredentials => 400,
            Self::Unauthenticated | Self::InvalidToken | Self::SessionEnded | Self::SecondFactorNeeded | Self::TooLongAgo(_) => 401,
            Self::Forbidden | Self::CertificateNeeded | Self::CrossSite | Self::PreflightRefused => 403,
            Self::MethodNotAllowed => 405,
        }
    }
}
