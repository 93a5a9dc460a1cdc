//! Listings: pages, and what a query may say.

use http::StatusCode;
use serde::Serialize;
use url::form_urlencoded;

use super::cursor::Cursors;
use crate::endpoint::body;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, Reply};

/// Items of a page that asks for no number.
const USUAL: u32 = 50;

/// Most items of a page.
const MOST: u32 = 200;

/// The fields of a query, in the order of `names`; a missing one is empty.
///
/// # Errors
/// 422 for other fields, repeated ones, and bytes that are no UTF-8.
pub(super) fn query<const N: usize>(received: &Received<'_>, names: [&str; N]) -> Result<[String; N], Problem> {
    body::fields(received.query().as_bytes(), names).map_err(|_| Problem::InvalidQuery)
}

/// The name of a thing in a path.
///
/// # Errors
/// 404 for what no name of ours looks like.
pub(super) fn name(segment: &str) -> Result<String, Problem> {
    let encoded = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let decoded = form_urlencoded::parse(encoded.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default();
    let is_name = (1..=128).contains(&decoded.len()) && decoded.chars().all(|c| c.is_ascii_graphic());
    if is_name { Ok(decoded) } else { Err(Problem::NotFound) }
}

/// Yes, no, or not said.
///
/// # Errors
/// 422 for other words.
pub(super) fn flag(text: &str) -> Result<Option<bool>, Problem> {
    match text {
        "" => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(Problem::InvalidQuery),
    }
}

/// What is not empty.
pub(super) fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Where a page begins, and how long it is.
pub(super) struct Window {
    /// The last item of the page before.
    pub(super) after: Option<String>,
    limit: u32,
}

/// One page of a listing.
#[derive(Debug, Serialize)]
struct Page<T> {
    items: Vec<T>,
    /// For the next page; none after the last.
    next_cursor: Option<String>,
}

impl Window {
    /// From what a query says of `limit` and `cursor`.
    ///
    /// # Errors
    /// 422 for a number that is none, 400 for a cursor that is not ours.
    pub(super) fn of(cursors: &Cursors, listing: &[&str], limit: &str, cursor: &str) -> Result<Self, Problem> {
        let is_plain = limit.bytes().all(|byte| byte.is_ascii_digit());
        let number = if limit.is_empty() { Some(USUAL) } else { limit.parse().ok().filter(|_| is_plain) };
        let limit = number.filter(|number| (1..=MOST).contains(number)).ok_or(Problem::InvalidQuery)?;
        let after = if cursor.is_empty() { None } else { Some(cursors.read(listing, cursor)?) };
        Ok(Self { after, limit })
    }

    /// How many to ask the store for: one more than are shown tells whether there are more.
    pub(super) const fn ask_for(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// The page of what the store has found; `last` names an item.
    pub(super) fn page<T, V: Serialize>(
        &self,
        cursors: &Cursors,
        listing: &[&str],
        mut found: Vec<T>,
        last: impl Fn(&T) -> String,
        view: impl Fn(T) -> V,
    ) -> Reply {
        let shown = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let is_more = found.len() > shown;
        found.truncate(shown);
        let next_cursor = found.last().filter(|_| is_more).map(|item| cursors.after(listing, &last(item)));
        let items = found.into_iter().map(view).collect();
        reply::json(StatusCode::OK, &Page { items, next_cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::MacKey;

    #[test]
    fn a_page_has_a_bounded_number_of_items() {
        let cursors = Cursors::new(MacKey::new(b"key"));
        for limit in ["0", "201", "-1", "+5", " 5", "5.0", "x", "99999999999999999999"] {
            assert!(matches!(Window::of(&cursors, &[], limit, ""), Err(Problem::InvalidQuery)), "{limit}");
        }
        for (limit, asked) in [("", 51), ("1", 2), ("200", 201)] {
            assert_eq!(Window::of(&cursors, &[], limit, "").map(|window| window.ask_for()), Ok(asked));
        }
        assert!(matches!(Window::of(&cursors, &[], "", "x"), Err(Problem::InvalidCursor)));
    }

    #[test]
    fn a_name_in_a_path_is_plain() {
        for (segment, decoded) in [("abc-_1", "abc-_1"), ("a%3Ab", "a:b"), ("a+b", "a+b"), ("a=b", "a=b"), ("a&b", "a&b")] {
            assert_eq!(name(segment), Ok(decoded.to_owned()));
        }
        for segment in ["", "%00", "a%20b", "%FF", "\u{fc}", &"x".repeat(129)] {
            assert_eq!(name(segment), Err(Problem::NotFound), "{segment}");
        }
    }
}
