//! The operations of the admin API.

use super::{Body, Field, Operation, PLAIN, Success, json_body, no_content, ok};
use crate::endpoint::problem::Problem;

const LIMIT: Field = Field { name: "limit", about: "Items of the page.", shape: "Limit" };
const CURSOR: Field = Field { name: "cursor", about: "`next_cursor` of the page before.", shape: "Cursor" };
const OF: Field = Field { name: "account", about: "What concerns the account with this id.", shape: "Text" };
const WHAT: Field = Field { name: "what", about: "Of this, as `account_changed`.", shape: "Text" };
const SINCE: Field = Field { name: "since", about: "Not before this moment or day: `2026-01-31T12:00:00Z`, `2026-01-31`.", shape: "Text" };
const UNTIL: Field = Field { name: "until", about: "Before this moment or day.", shape: "Text" };
const ETAG: (&str, &str) = ("ETag", "For `If-Match`.");
const LOCATION: (&str, &str) = ("Location", "Where it is.");

const ACCOUNT: Success = Success { headers: &[ETAG], ..ok("The account as it is now.", "Account") };
const APP: Success = Success { headers: &[ETAG], ..ok("The app as it is now.", "App") };
const UNKNOWN: &[Problem] = &[Problem::NotFound];

/// All of them, in the order of the page that shows them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/accounts",
        id: "listAccounts",
        tag: "accounts",
        summary: "List accounts, in the order of their ids; those that are all of what is asked for.",
        query: &[
            Field { name: "email", about: "With this address.", shape: "Text" },
            Field { name: "phone", about: "With this number. Not together with `email`.", shape: "Text" },
            Field { name: "username", about: "With this user name, in any case.", shape: "Text" },
            Field { name: "group", about: "In this group.", shape: "Text" },
            Field { name: "disabled", about: "Disabled, or not.", shape: "Flag" },
            LIMIT,
            CURSOR,
        ],
        success: &[ok("A page.", "Accounts")],
        problems: &[Problem::InvalidCursor, Problem::InvalidAddress],
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/accounts",
        id: "addAccount",
        tag: "accounts",
        summary: "Make an account. It needs an address, or nobody could sign in with it.",
        body: Some(json_body("NewAccount")),
        success: &[Success { status: 201, headers: &[ETAG, LOCATION], ..ok("It was made.", "Account") }],
        problems: &[Problem::Taken, Problem::InvalidAddress, Problem::InvalidAccount, Problem::ReservedClaim],
        ..PLAIN
    },
    Operation {
        path: "/api/accounts/{id}",
        id: "showAccount",
        tag: "accounts",
        summary: "Show an account.",
        success: &[ACCOUNT],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "PATCH",
        path: "/api/accounts/{id}",
        id: "changeAccount",
        tag: "accounts",
        summary: "Change an account (JSON Merge Patch, RFC 7396). Access tokens from before are worthless at once, on every node; sessions \
                  go on, and are renewed with what is true now. The user name is fixed.",
        body: Some(Body { kinds: &["application/json", "application/merge-patch+json"], shape: "AccountChange", required: true }),
        success: &[ACCOUNT],
        problems: &[
            Problem::NotFound,
            Problem::Taken,
            Problem::PreconditionFailed,
            Problem::InvalidAddress,
            Problem::InvalidAccount,
            Problem::AddressRequired,
            Problem::ReservedClaim,
        ],
        if_match: true,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/api/accounts/{id}",
        id: "removeAccount",
        tag: "accounts",
        summary: "Forget an account, its authenticator and devices, and end its sessions.",
        success: &[no_content("It is gone.")],
        problems: &[Problem::NotFound, Problem::PreconditionFailed],
        if_match: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/accounts/{id}/disable",
        id: "disableAccount",
        tag: "accounts",
        summary: "Let nobody sign in with it, and end its sessions.",
        body: Some(Body { kinds: &["application/json"], shape: "Nothing", required: false }),
        success: &[ACCOUNT],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/accounts/{id}/enable",
        id: "enableAccount",
        tag: "accounts",
        summary: "Let people sign in with it again.",
        body: Some(Body { kinds: &["application/json"], shape: "Nothing", required: false }),
        success: &[ACCOUNT],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/api/accounts/{id}/sessions",
        id: "endSessionsOf",
        tag: "accounts",
        summary: "End all sessions of an account.",
        success: &[ok("How many were ended.", "Ended")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        path: "/api/accounts/{id}/factor",
        id: "showFactor",
        tag: "accounts",
        summary: "Show the authenticator of an account. Its secret is not read back.",
        success: &[ok("The authenticator.", "Factor")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/api/accounts/{id}/factor",
        id: "removeFactor",
        tag: "accounts",
        summary: "Take the authenticator and the recovery codes away, for who has lost both, and end all sessions of the account.",
        success: &[no_content("It is gone.")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        path: "/api/sessions",
        id: "listSessions",
        tag: "sessions",
        summary: "List sessions that are live, in the order of their ids.",
        query: &[Field { name: "account", about: "Of the account with this id.", shape: "Text" }, LIMIT, CURSOR],
        success: &[ok("A page.", "Sessions")],
        problems: &[Problem::InvalidCursor],
        ..PLAIN
    },
    Operation {
        path: "/api/sessions/{id}",
        id: "showSession",
        tag: "sessions",
        summary: "Show a session.",
        success: &[ok("The session.", "Session")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/api/sessions/{id}",
        id: "endSession",
        tag: "sessions",
        summary: "End a session, at once and on every node.",
        success: &[no_content("It is over.")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        path: "/api/apikeys",
        id: "listKeys",
        tag: "apikeys",
        summary: "List API keys, good or not, in the order of their ids.",
        query: &[LIMIT, CURSOR],
        success: &[ok("A page.", "ApiKeys")],
        problems: &[Problem::InvalidCursor],
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/apikeys",
        id: "createKey",
        tag: "apikeys",
        summary: "Make an API key. Its text is in this reply, and nowhere afterwards.",
        body: Some(json_body("NewApiKey")),
        success: &[Success { status: 201, headers: &[LOCATION], ..ok("It was made.", "MadeApiKey") }],
        problems: &[Problem::Taken, Problem::InvalidKey],
        ..PLAIN
    },
    Operation {
        path: "/api/apikeys/{id}",
        id: "showKey",
        tag: "apikeys",
        summary: "Show an API key, but for its text.",
        success: &[ok("The key.", "ApiKey")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/api/apikeys/{id}",
        id: "revokeKey",
        tag: "apikeys",
        summary: "Revoke an API key, at once and on every node.",
        success: &[no_content("It is revoked.")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/apikeys/{id}/rotate",
        id: "rotateKey",
        tag: "apikeys",
        summary: "Make a key that takes its place; the old one goes on for `grace` seconds.",
        body: Some(Body { kinds: &["application/json"], shape: "Rotation", required: false }),
        success: &[Success { status: 201, headers: &[LOCATION], ..ok("The new key.", "MadeApiKey") }],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        path: "/api/apps",
        id: "listApps",
        tag: "apps",
        summary: "List apps, in the order of their names.",
        query: &[LIMIT, CURSOR],
        success: &[ok("A page.", "Apps")],
        problems: &[Problem::InvalidCursor],
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/apps",
        id: "addApp",
        tag: "apps",
        summary: "Register an app. Its key is in this reply, and nowhere afterwards. A route of its own counts at once, on every node.",
        body: Some(json_body("NewApp")),
        success: &[Success { status: 201, headers: &[ETAG, LOCATION], ..ok("It was registered.", "MadeApp") }],
        problems: &[Problem::Taken, Problem::InvalidApp],
        ..PLAIN
    },
    Operation {
        path: "/api/apps/{id}",
        id: "showApp",
        tag: "apps",
        summary: "Show the app of this name.",
        success: &[APP],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        method: "PATCH",
        path: "/api/apps/{id}",
        id: "changeApp",
        tag: "apps",
        summary: "Change an app's owner or route; a route that is `null` goes. The name is fixed.",
        body: Some(Body { kinds: &["application/json", "application/merge-patch+json"], shape: "AppChange", required: true }),
        success: &[APP],
        problems: &[Problem::NotFound, Problem::PreconditionFailed, Problem::InvalidApp],
        if_match: true,
        ..PLAIN
    },
    Operation {
        method: "DELETE",
        path: "/api/apps/{id}",
        id: "removeApp",
        tag: "apps",
        summary: "Remove an app: its keys are revoked, and its subjects, codes and authenticators forgotten.",
        success: &[no_content("It is gone.")],
        problems: &[Problem::NotFound, Problem::PreconditionFailed],
        if_match: true,
        ..PLAIN
    },
    Operation {
        method: "POST",
        path: "/api/apps/{id}/rotate-key",
        id: "rotateAppKey",
        tag: "apps",
        summary: "Make another key for an app; the old one goes on for `grace` seconds.",
        body: Some(Body { kinds: &["application/json"], shape: "Rotation", required: false }),
        success: &[Success { status: 201, ..ok("The new key.", "MadeKey") }],
        problems: &[Problem::NotFound, Problem::Taken],
        ..PLAIN
    },
    Operation {
        path: "/api/apps/{id}/subjects",
        id: "listSubjects",
        tag: "apps",
        summary: "List whom an app has had something done for. Addresses are not read back.",
        query: &[LIMIT, CURSOR],
        success: &[ok("A page.", "Subjects")],
        problems: &[Problem::NotFound, Problem::InvalidCursor],
        ..PLAIN
    },
    Operation {
        path: "/api/routes",
        id: "listRoutes",
        tag: "routes",
        summary: "List the routes that count now, in the order of their names.",
        query: &[LIMIT, CURSOR],
        success: &[ok("A page.", "Routes")],
        problems: &[Problem::InvalidCursor],
        ..PLAIN
    },
    Operation {
        path: "/api/routes/{id}",
        id: "showRoute",
        tag: "routes",
        summary: "Show the route of this name.",
        success: &[ok("The route.", "Route")],
        problems: UNKNOWN,
        ..PLAIN
    },
    Operation {
        path: "/api/limits",
        id: "showLimits",
        tag: "limits",
        summary: "Show the limits that count now, and the messages of today (UTC).",
        success: &[ok("The limits.", "Limits")],
        ..PLAIN
    },
    Operation {
        path: "/api/audit",
        id: "listAudit",
        tag: "audit",
        summary: "List what was done, newest first.",
        query: &[OF, WHAT, SINCE, UNTIL, Field { name: "order", about: "From which end.", shape: "Order" }, LIMIT, CURSOR],
        success: &[ok("A page.", "Records")],
        problems: &[Problem::InvalidCursor],
        ..PLAIN
    },
    Operation {
        path: "/api/audit/export",
        id: "exportAudit",
        tag: "audit",
        summary: "Export what was done, oldest first, a record in a line: up to 10,000 of them.",
        query: &[OF, WHAT, SINCE, UNTIL, Field { name: "cursor", about: "`Doorward-Next-Cursor` of the export before.", shape: "Cursor" }],
        success: &[Success {
            status: 200,
            about: "The records.",
            content: Some(("application/x-ndjson", "Text")),
            headers: &[("Doorward-Next-Cursor", "Where to go on, when there are more.")],
        }],
        problems: &[Problem::InvalidCursor],
        ..PLAIN
    },
    Operation {
        path: "/api/openapi.json",
        id: "document",
        tag: "documentation",
        summary: "This document.",
        success: &[ok("The document.", "AnyObject")],
        is_open: true,
        ..PLAIN
    },
    Operation {
        path: "/api/docs",
        id: "reference",
        tag: "documentation",
        summary: "This document, as a page.",
        success: &[Success { status: 200, about: "A page.", content: Some(("text/html", "Text")), headers: &[] }],
        is_open: true,
        ..PLAIN
    },
];
