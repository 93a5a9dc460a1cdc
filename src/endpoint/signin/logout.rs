//! `POST /auth/logout`: whatever was presented, what it names is over before we say so.

use http::StatusCode;

use super::Said;
use crate::cookie::Kind;
use crate::endpoint::asker::Asker;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::signin::Scope;

impl Endpoints {
    /// Sign out, by a form or by a program. A body is not read from programs: signing out asks for nothing.
    pub(in crate::endpoint) async fn logout(&self, received: &Received<'_>) -> Result<Reply, No> {
        let page = Asker::of(&received.head.headers) == Asker::Navigation;
        let pressed = if page { Self::pressed(received)? } else { None };
        let scope = scope(pressed.or_else(|| body::field(received.query(), "scope")).as_deref())?;
        let done = self.sign_in.sign_out(&self.presented(received)?, scope, &received.seen(), received.call.now).await?;
        let reply = if page { self.signed_out_page(received)? } else { reply::json(StatusCode::OK, &said(done)) };
        Ok(match done {
            // This device stays signed in.
            Scope::Others => reply,
            Scope::Local | Scope::Global => reply::with_cookies(reply, self.cleared([Kind::Access, Kind::Refresh, Kind::Challenge])),
        })
    }
}

fn scope(word: Option<&str>) -> Result<Scope, Problem> {
    match word {
        None | Some("local") => Ok(Scope::Local),
        Some("others") => Ok(Scope::Others),
        Some("global") => Ok(Scope::Global),
        Some(_) => Err(Problem::InvalidScope),
    }
}

const fn said(scope: Scope) -> Said {
    let message = match scope {
        Scope::Local => "Signed out.",
        Scope::Others => "Signed out on all other devices.",
        Scope::Global => "Signed out on all devices.",
    };
    Said { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_one_of_three_words() {
        assert_eq!(scope(None), Ok(Scope::Local));
        assert_eq!(scope(Some("others")), Ok(Scope::Others));
        assert_eq!(scope(Some("global")), Ok(Scope::Global));
        for word in ["", "LOCAL", "all", "local,global"] {
            assert_eq!(scope(Some(word)), Err(Problem::InvalidScope), "{word}");
        }
    }
}
