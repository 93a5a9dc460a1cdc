//! Machines that call us: API keys, and what holds one may do; and apps, which have codes sent and checked.
//!
//! ```text
//! key    the text that is shown once, and what is stored of it      scope  what a key is for
//! store  the port behind which keys are kept                        desk   keys are made, followed by others, revoked
//! check  is this key to be believed?   known  keys that were believed before   used  when each was used last
//!
//! registered, subject, code, authenticator   an app, whom it means, and what is kept of them: each with its port
//! register                                   apps are registered, changed, removed
//! service: send, verify, enrol               codes as a service
//! keyed                                      what belongs to one app is worth nothing at another
//! ```
//!
//! [`KeyCheck`] believes keys: for proxied requests it stands behind [`crate::admission::Machines`], where the revocation is
//! asked about in the next step; other endpoints call [`KeyCheck::authenticate`], which asks about it too.

mod authenticator;
mod check;
mod code;
mod desk;
mod enrol;
mod key;
mod keyed;
mod known;
mod register;
mod registered;
mod scope;
mod send;
mod service;
mod store;
mod subject;
mod used;
mod verify;

pub use authenticator::{Authenticator, Authenticators, ShownStep};
pub use check::{KeyCheck, Parts, look_up};
pub use code::{At, SentCode, SentCodes, Tried, Try};
pub use desk::{KeyDesk, LONGEST as LONGEST_LIFE, Made, NewKey, NotMade};
pub use enrol::{AuthenticatorStatus, LONGEST_LABEL};
pub use key::{HashedKey, NotAKey, PlainKey};
pub use keyed::AppKeyed;
pub use register::{AppChange, AppDesk, AppRefusal, Judge, NewApp};
pub use registered::{App, AppName, Apps, NotAName};
pub use scope::{NotAScope, Scope};
pub use send::{Dispatched, Order};
pub use service::{CodeRefusal, CodeService, Errand};
pub use store::{ApiKey, ApiKeys};
pub use subject::{NotASubject, Subject, SubjectName, Subjects};
pub use verify::Of;

#[cfg(test)]
mod tests;
