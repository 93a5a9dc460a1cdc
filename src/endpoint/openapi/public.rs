//! The operations of the public API: signing in by JSON. Pages for people are not among them.

use super::{APPS, Body, Field, Operation, PLAIN, Success, json_body, no_content, ok};
use crate::admission::Refusal;
use crate::endpoint::problem::Problem;

const SET_COOKIE: (&str, &str) = ("Set-Cookie", "The cookies of the session, or of the challenge.");
const TOKENS: Success = Success { headers: &[SET_COOKIE], ..ok("A session began, or was renewed.", "Tokens") };
const NOTHING: Option<Body> = Some(Body { kinds: &["application/json"], shape: "Nothing", required: false });

/// What asking for a code may be answered.
const ASKED: &[Problem] = &[
    Problem::InvalidAddress,
    Problem::ChannelUnavailable,
    Problem::CountryNotAllowed,
    Problem::ResendTooSoon,
    Problem::LimitReached,
    Problem::Unavailable,
];
/// What trying a code may be answered.
const TRIED: &[Problem] = &[
    Problem::InvalidAddress,
    Problem::InvalidCode,
    Problem::TooManyAttempts,
    Problem::LimitReached,
    Problem::Refused(Refusal::ConflictingCredentials),
    Problem::Unavailable,
];
/// The same where no address is named.
const TRIED_SECOND: &[Problem] = &[
    Problem::InvalidCode,
    Problem::TooManyAttempts,
    Problem::LimitReached,
    Problem::Refused(Refusal::ConflictingCredentials),
    Problem::Unavailable,
];
/// What trying one in a session may be answered, where somebody must have signed in a moment ago.
const PROVED: &[Problem] = &[
    Problem::Refused(Refusal::SessionEnded),
    Problem::Refused(Refusal::TooLongAgo(0)),
    Problem::InvalidCode,
    Problem::TooManyAttempts,
    Problem::LimitReached,
    Problem::AlreadyEnrolled,
];
const MOVED: &[Problem] = &[
    Problem::Refused(Refusal::SessionEnded),
    Problem::Refused(Refusal::TooLongAgo(0)),
    Problem::Refused(Refusal::SecondFactorNeeded),
    Problem::InvalidAddress,
    Problem::ChannelUnavailable,
    Problem::CountryNotAllowed,
    Problem::ResendTooSoon,
    Problem::LimitReached,
    Problem::InvalidCode,
    Problem::TooManyAttempts,
    Problem::LastAddress,
    Problem::NotFound,
];

/// What an app may be answered, whatever it asks for.
const BY_KEY: [Problem; 3] = [Problem::Refused(Refusal::InvalidToken), Problem::InsufficientScope, Problem::InvalidSubject];
/// What an app may be answered that has a code tried.
const TRIED_FOR_APP: &[Problem] = &[BY_KEY[0], BY_KEY[1], BY_KEY[2], Problem::InvalidCode, Problem::TooManyAttempts, Problem::LimitReached];
const AUTHENTICATOR: &[Problem] = &[
    BY_KEY[0],
    BY_KEY[1],
    BY_KEY[2],
    Problem::InvalidCode,
    Problem::TooManyAttempts,
    Problem::LimitReached,
    Problem::UnknownSubject,
    Problem::AlreadyEnabled,
];

/// All of them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "POST",
        path: "/register",
        id: "register",
        tag: "sign-in",
        summary: "Make an account if the address is free, and send a code. One answer, whether it was free or not.",
        body: Some(json_body("Registration")),
        success: &[Success { headers: &[SET_COOKIE], ..ok("A code may be on its way.", "Asked") }],
        problems: ASKED,
        is_open: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/request-otp",
        id: "requestOtp",
        tag: "sign-in",
        summary: "Send a code. One answer, whether the address is known or not.",
        body: Some(json_body("Address")),
        success: &[Success { headers: &[SET_COOKIE], ..ok("A code may be on its way.", "Asked") }],
        problems: ASKED,
        is_open: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/verify-otp",
        id: "verifyOtp",
        tag: "sign-in",
        summary: "Say the code.",
        body: Some(json_body("Guess")),
        success: &[Success { headers: &[SET_COOKIE], ..ok("Signed in, or half-way where there is a second factor.", "Entered") }],
        problems: TRIED,
        is_open: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/verify-totp",
        id: "verifyTotp",
        tag: "sign-in",
        summary: "Say a code of the authenticator: of a sign-in that is half done, or to raise a session.",
        body: Some(json_body("SecondGuess")),
        success: &[TOKENS],
        problems: TRIED_SECOND,
        is_open: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/verify-recovery",
        id: "verifyRecovery",
        tag: "sign-in",
        summary: "Say a recovery code, instead of one of the authenticator; it is spent.",
        body: Some(json_body("SecondGuess")),
        success: &[TOKENS],
        problems: TRIED_SECOND,
        is_open: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/refresh",
        id: "refresh",
        tag: "session",
        summary: "Renew the session of the refresh cookie.",
        body: NOTHING,
        success: &[TOKENS],
        problems: &[Problem::InvalidRefresh, Problem::Unavailable],
        is_open: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/logout",
        id: "logout",
        tag: "session",
        summary: "Sign out whatever is presented; 200 also where that is nothing.",
        query: &[Field { name: "scope", about: "This session, the others, or all of the account.", shape: "Scope" }],
        success: &[Success { headers: &[SET_COOKIE], ..ok("It is over, durably.", "Said") }],
        problems: &[Problem::InvalidScope, Problem::Unavailable],
        is_open: true,
        ..PLAIN
    },
    Operation {
        path: "/session",
        id: "session",
        tag: "session",
        summary: "Show the claims, factors and expiry of this session.",
        success: &[ok("The session.", "SessionClaims")],
        ..PLAIN
    },
    Operation {
        path: "/sessions",
        id: "sessions",
        tag: "session",
        summary: "List one's own sessions, newest first.",
        success: &[ok("The sessions.", "Devices")],
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/sessions/{id}",
        id: "endSession",
        tag: "session",
        summary: "End one of one's own sessions.",
        success: &[Success { headers: &[SET_COOKIE], ..no_content("It is over.") }],
        problems: &[Problem::NotFound],
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/totp/enroll",
        id: "enrollTotp",
        tag: "second factor",
        summary: "Begin to set up an authenticator; shown once. Needs a sign-in of the last ten minutes.",
        body: NOTHING,
        success: &[ok("What the authenticator app is told.", "Enrolment")],
        problems: PROVED,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/totp/confirm",
        id: "confirmTotp",
        tag: "second factor",
        summary: "Say its first code: it counts from now on.",
        body: Some(json_body("Code")),
        success: &[Success { headers: &[SET_COOKIE], ..ok("Recovery codes, shown once, and a session of two factors.", "Confirmed") }],
        problems: PROVED,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/totp",
        id: "disableTotp",
        tag: "second factor",
        summary: "Take the authenticator away; a code of it, or a recovery code, is the proof.",
        body: Some(json_body("Code")),
        success: &[TOKENS],
        problems: PROVED,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/recovery-codes",
        id: "renewRecoveryCodes",
        tag: "second factor",
        summary: "Make recovery codes anew; the old ones are good for nothing.",
        body: Some(json_body("Code")),
        success: &[ok("Recovery codes, shown once.", "RecoveryCodes")],
        problems: PROVED,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/addresses",
        id: "changeAddress",
        tag: "addresses",
        summary: "Send a code to an address that is to be one's own.",
        body: Some(json_body("Address")),
        success: &[Success { headers: &[SET_COOKIE], ..ok("A code may be on its way.", "Asked") }],
        problems: MOVED,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/addresses/confirm",
        id: "confirmAddress",
        tag: "addresses",
        summary: "Say that code.",
        body: Some(json_body("AddressGuess")),
        success: &[Success { headers: &[SET_COOKIE], ..ok("The address is the account's.", "Said") }],
        problems: MOVED,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/addresses",
        id: "removeAddress",
        tag: "addresses",
        summary: "Take an address away.",
        body: Some(json_body("WhichAddress")),
        success: &[Success { headers: &[SET_COOKIE], ..ok("It is taken away.", "Said") }],
        problems: MOVED,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/code",
        id: "sendCode",
        tag: APPS,
        summary: "Send a code for the app's own purpose.",
        body: Some(json_body("AppCode")),
        success: &[Success { status: 201, ..ok("The code is on its way; it is in no reply.", "AppSent") }],
        problems: &[
            BY_KEY[0],
            BY_KEY[1],
            BY_KEY[2],
            Problem::InvalidAddress,
            Problem::AddressNeeded,
            Problem::ChannelUnavailable,
            Problem::CountryNotAllowed,
            Problem::LimitReached,
        ],
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/code/verify",
        id: "verifyCode",
        tag: APPS,
        summary: "Try a code: that of a challenge, or any of a subject.",
        body: Some(json_body("AppGuess")),
        success: &[ok("It is right, this once.", "AppVerified")],
        problems: TRIED_FOR_APP,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/otp",
        id: "registerAuthenticator",
        tag: APPS,
        summary: "Register an authenticator for a subject; shown once.",
        body: Some(json_body("AppAuthenticator")),
        success: &[Success { status: 201, ..ok("What the authenticator app is told.", "AppEnrolment") }],
        problems: AUTHENTICATOR,
        ..PLAIN
    },
    Operation {
        path: "/api/otp/{id}",
        id: "authenticatorStatus",
        tag: APPS,
        summary: "Show how it stands with the authenticator of a subject.",
        success: &[ok("How it stands.", "AppAuthenticatorStatus")],
        problems: AUTHENTICATOR,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/api/otp/{id}",
        id: "disableAuthenticator",
        tag: APPS,
        summary: "Take the authenticator of a subject away; a code of it is the proof.",
        body: Some(json_body("Code")),
        success: &[ok("How it stands.", "AppAuthenticatorStatus")],
        problems: AUTHENTICATOR,
        ..PLAIN
    },
    Operation {
        method: "PUT",
        path: "/api/otp/{id}/enable",
        id: "enableAuthenticator",
        tag: APPS,
        summary: "Let the authenticator of a subject count; a code of it is the proof.",
        body: Some(json_body("Code")),
        success: &[ok("How it stands.", "AppAuthenticatorStatus")],
        problems: AUTHENTICATOR,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/otp/{id}/recover",
        id: "recoverAuthenticator",
        tag: APPS,
        summary: "Put a new authenticator in the place of a lost one; a code that was sent to the subject is the proof.",
        body: Some(json_body("AppRecovery")),
        success: &[ok("What the authenticator app is told.", "AppEnrolment")],
        problems: AUTHENTICATOR,
        ..PLAIN
    },
    Operation {
        path: "/.well-known/jwks.json",
        id: "jwks",
        tag: "documentation",
        summary: "The public keys that verify what we sign (RFC 7517).",
        success: &[ok("The keys.", "Jwks")],
        is_open: true,
        ..PLAIN
    },
    Operation {
        path: "/openapi.json",
        id: "document",
        tag: "documentation",
        summary: "This document.",
        success: &[ok("The document.", "AnyObject")],
        is_open: true,
        ..PLAIN
    },
];
