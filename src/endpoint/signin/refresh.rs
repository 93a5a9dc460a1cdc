//! `POST /auth/refresh`: new tokens for a session.

use http::StatusCode;
use http::header::SET_COOKIE;

use super::Tokens;
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::signin::RefreshRefusal;

impl Endpoints {
    /// Rotate the refresh cookie. The cookies of a session that has ended are cleared; an outage touches none.
    pub(in crate::endpoint) async fn refresh(&self, received: &Received<'_>) -> Result<Reply, No> {
        body::nothing(received)?;
        let carried = self.cookies.read(&received.head.headers)?;
        let token = carried.refresh.ok_or(Problem::InvalidRefresh)?;
        match self.sign_in.refresh(&token, &received.seen(), received.call.now).await {
            Ok(issued) => {
                let reply = reply::json(StatusCode::OK, &Tokens::from(&issued));
                Ok(reply::with_cookies(reply, self.session_cookies(&issued)?))
            }
            Err(RefreshRefusal::Ended) => {
                let cleared = self.cleared([Kind::Access, Kind::Refresh]);
                Err(cleared.fold(No::from(Problem::InvalidRefresh), |no, cookie| no.with(SET_COOKIE, cookie)))
            }
            Err(RefreshRefusal::Replaced) => Err(Problem::InvalidRefresh.into()),
            Err(RefreshRefusal::Outage(outage)) => Err(outage.into()),
        }
    }
}
