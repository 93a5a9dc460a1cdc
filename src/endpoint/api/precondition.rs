//! `ETag` and `If-Match` (RFC 9110 §13.1.1): who changes what they have read is told when it is not that any more.

use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue};

use crate::endpoint::problem::Problem;
use crate::endpoint::reply::Reply;

/// The same reply, with the tag of what it shows.
pub(super) fn tagged(mut reply: Reply, revision: i64) -> Reply {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{revision}\"")) {
        reply.headers_mut().insert(ETAG, tag);
    }
    reply
}

/// The revision that a thing must have; `None` where any will do.
///
/// # Errors
/// 412 where no revision can be meant: a weak tag, another form, several tags.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let mut all = headers.get_all(IF_MATCH).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if all.next().is_some() {
        return Err(Problem::PreconditionFailed);
    }
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|number| !number.starts_with('+'));
    number.and_then(|number| number.parse().ok()).map(Some).ok_or(Problem::PreconditionFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[&str]) -> Result<Option<i64>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        expected(&headers)
    }

    #[test]
    fn a_tag_is_a_revision_in_quotes() {
        assert_eq!(with(&[]), Ok(None));
        assert_eq!(with(&["*"]), Ok(None));
        assert_eq!(with(&["\"7\""]), Ok(Some(7)));
        for text in ["7", "W/\"7\"", "\"7\", \"8\"", "\"x\"", "\"\"", "\"+7\"", "\"7"] {
            assert_eq!(with(&[text]), Err(Problem::PreconditionFailed), "{text}");
        }
        assert_eq!(with(&["\"7\"", "\"7\""]), Err(Problem::PreconditionFailed));
    }

    #[test]
    fn what_is_tagged_is_expected_again() {
        let reply = tagged(crate::endpoint::reply::empty(http::StatusCode::OK), 7);
        assert_eq!(with(&[reply.headers()[ETAG].to_str().unwrap()]), Ok(Some(7)));
    }
}
