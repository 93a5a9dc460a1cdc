//! Bodies of requests: JSON objects and forms, read strictly.

use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use url::form_urlencoded;

use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;

/// The largest body that our endpoints take, in bytes.
pub const LARGEST: usize = 16 * 1024;

/// A JSON object with exactly the members of `T`.
///
/// # Errors
/// 415 for another content type; 400 for what is no JSON; 422 for another shape: no object, unknown, missing or repeated
/// members, wrong types.
pub(super) fn json<T: DeserializeOwned>(received: &Received<'_>) -> Result<T, Problem> {
    if !is_kind(received.head, "application/json") {
        return Err(Problem::UnsupportedMediaType);
    }
    object(received.body)
}

/// As [`json`], where a JSON Merge Patch may say so too (RFC 7396).
///
/// # Errors
/// As [`json`].
pub(super) fn patch<T: DeserializeOwned>(received: &Received<'_>) -> Result<T, Problem> {
    if is_kind(received.head, "application/merge-patch+json") { object(received.body) } else { json(received) }
}

/// As [`json`], for endpoints that take no body: nothing, or an empty object.
pub(super) fn nothing(received: &Received<'_>) -> Result<(), Problem> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if received.body.is_empty() {
        return Ok(());
    }
    json::<Nothing>(received).map(|Nothing {}| ())
}

/// Read whole before its shape is looked at, so that what is no JSON is told so wherever it breaks. Serde reads a list as an
/// object whose members stand in order; we do not.
fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|_| Problem::InvalidJson)?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::InvalidBody);
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => Problem::InvalidBody,
        Category::Io | Category::Syntax | Category::Eof => Problem::InvalidJson,
    })
}

/// The fields of a form, in the order of `names`; a missing one is empty.
///
/// # Errors
/// 415 for another content type; 422 for unknown or repeated fields, and for bytes that are no UTF-8.
pub(super) fn form<const N: usize>(received: &Received<'_>, names: [&str; N]) -> Result<[String; N], Problem> {
    if !is_form(received) {
        return Err(Problem::UnsupportedMediaType);
    }
    fields(received.body, names)
}

/// Does a form say that it is one?
pub(super) fn is_form(received: &Received<'_>) -> bool {
    is_kind(received.head, "application/x-www-form-urlencoded")
}

/// The same of a query or of a form's body.
pub(super) fn fields<const N: usize>(bytes: &[u8], names: [&str; N]) -> Result<[String; N], Problem> {
    let mut values: [Option<String>; N] = std::array::from_fn(|_| None);
    for (name, value) in form_urlencoded::parse(bytes) {
        let place = names.iter().zip(values.iter_mut()).find(|(known, _)| **known == name).map(|(_, place)| place);
        let place = place.ok_or(Problem::InvalidBody)?;
        // What is no UTF-8 comes out of the parser as the replacement character; nobody types that.
        if value.contains(char::REPLACEMENT_CHARACTER) || place.replace(value.into_owned()).is_some() {
            return Err(Problem::InvalidBody);
        }
    }
    Ok(values.map(Option::unwrap_or_default))
}

/// One field of a query in which others may stand; the first one counts.
pub(super) fn field(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Is the content type `kind`, with any parameters, and there once?
fn is_kind(head: &Parts, kind: &str) -> bool {
    let mut all = head.headers.get_all(CONTENT_TYPE).iter();
    let (first, second) = (all.next(), all.next());
    let text = first.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    second.is_none() && essence.eq_ignore_ascii_case(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        a: String,
        b: Option<String>,
    }

    #[test]
    fn an_object_has_exactly_its_members() {
        let pair: Pair = object(br#" {"a":"1","b":"2"} "#).unwrap();
        assert_eq!((pair.a.as_str(), pair.b.as_deref()), ("1", Some("2")));
        let shapes: [&[u8]; 16] = [
            b"{}",
            br#"{"a":1}"#,
            br#"{"a":null}"#,
            br#"{"a":["1"]}"#,
            br#"{"a":{"a":"1"}}"#,
            br#"{"a":true}"#,
            br#"{"a":"1","c":"3"}"#,
            br#"{"a":"1","a":"1"}"#,
            br#"{"a":"1","b":1}"#,
            br#"{"A":"1"}"#,
            br#"["1","2"]"#,
            b"[]",
            b"null",
            b"1",
            br#""a""#,
            b"true",
        ];
        for shape in shapes {
            assert_eq!(object::<Pair>(shape).unwrap_err(), Problem::InvalidBody, "{}", String::from_utf8_lossy(shape));
        }
    }

    #[test]
    fn what_is_no_json_is_told_apart() {
        let deep = "[".repeat(10_000);
        let texts: [&[u8]; 13] = [
            b"",
            b" ",
            b"{",
            br#"{"a":"1""#,
            br#"{"a":"1"}}"#,
            br#"{"a":"1",}"#,
            br#"{"c":1}}"#,
            b"{'a':'1'}",
            b"{\"a\":\"\xff\"}",
            br#"{"a":"\ud800"}"#,
            b"a=1",
            b"\xef\xbb\xbf{}",
            deep.as_bytes(),
        ];
        for text in texts {
            assert_eq!(object::<Pair>(text).unwrap_err(), Problem::InvalidJson, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_form_has_exactly_its_fields() {
        assert_eq!(fields(b"a=1+2&b=%C3%BC", ["a", "b"]), Ok(["1 2".to_owned(), "ü".to_owned()]));
        assert_eq!(fields(b"", ["a"]), Ok([String::new()]));
        for text in [&b"a=1&a=2"[..], b"c=1", b"a=%FF", b"A=1"] {
            assert_eq!(fields(text, ["a", "b"]), Err(Problem::InvalidBody), "{}", String::from_utf8_lossy(text));
        }
    }
}
