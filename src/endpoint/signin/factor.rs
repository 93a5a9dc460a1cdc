//! `POST /auth/verify-totp` and `/auth/verify-recovery`: the second factor of a sign-in that is half done, or of a session
//! that steps up.

use serde::Deserialize;

use crate::endpoint::call::Received;
use crate::endpoint::reply::{No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::secret::Secret;
use crate::signin::{Means, Proof, SecondGuess};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondBody {
    code: Secret<String>,
    challenge_id: Option<Secret<String>>,
}

impl Endpoints {
    /// Try a code of the authenticator, or a recovery code.
    ///
    /// What counts is the half-finished sign-in that the body names; else the one that this browser holds; else the session.
    pub(in crate::endpoint) async fn verify_second(&self, received: &Received<'_>, means: Means) -> Result<Reply, No> {
        let SecondBody { code, challenge_id: named } = body::json(received)?;
        let held = self.cookies.read(&received.head.headers)?.challenge;
        let session = if named.is_some() { None } else { self.signed_in_or_not(received).await? };
        let proof = Proof { means, code, seen: received.seen() };
        let guess = SecondGuess { proof, named, held, session };
        self.signed_in_with(&self.sign_in.verify_second(&guess, received.call.now).await?)
    }
}
