//! The page that shows an OpenAPI document: written once from it, nothing on it comes from anywhere else, and it has no script.

use askama::Template;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::hash;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};

const STYLE: &str = include_str!("../../../templates/reference.css");

/// The page, ready to be shown.
pub(in crate::endpoint) struct Reference {
    page: Option<Bytes>,
    policy: String,
}

#[derive(Template)]
#[template(path = "reference.html")]
struct ReferencePage<'a> {
    place: &'a str,
    title: &'a str,
    version: &'a str,
    about: &'a str,
    style: &'a str,
    tags: Vec<Tag>,
    shapes: Vec<Shape>,
}

/// Operations that belong together.
struct Tag {
    name: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    is_open: bool,
    parameters: Vec<Parameter>,
    body: Option<String>,
    answers: Vec<Answer>,
}

struct Parameter {
    name: String,
    place: String,
    about: String,
}

struct Answer {
    status: String,
    about: String,
    shape: Option<String>,
}

struct Shape {
    name: String,
    text: String,
}

impl Reference {
    /// Of `document`, at the place called `place`.
    pub(in crate::endpoint) fn of(document: &Value, place: &str) -> Self {
        let text = |value: &'static str| document["info"].get(value).and_then(Value::as_str).unwrap_or_default();
        let page = ReferencePage {
            place,
            title: text("title"),
            version: text("version"),
            about: text("description"),
            style: STYLE,
            tags: tags(document),
            shapes: shapes(document),
        };
        let policy =
            format!("default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", hash(STYLE));
        Self { page: page.render().ok().map(Bytes::from), policy }
    }

    /// The reply that shows it.
    pub(in crate::endpoint) fn show(&self) -> Result<Reply, No> {
        let page = self.page.clone().ok_or(Problem::Internal)?;
        let policy = HeaderValue::try_from(&self.policy).map_err(|_| No::from(Problem::Internal))?;
        let mut reply = reply::body(StatusCode::OK, "text/html; charset=utf-8", page);
        let headers = reply.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Ok(reply)
    }
}

fn tags(document: &Value) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, value) in methods.as_object().into_iter().flatten() {
            let name = value.pointer("/tags/0").and_then(Value::as_str).unwrap_or_default();
            let operation = operation(path, method, value);
            match tags.iter_mut().find(|tag| tag.name == name) {
                Some(tag) => tag.operations.push(operation),
                None => tags.push(Tag { name: name.to_owned(), operations: vec![operation] }),
            }
        }
    }
    tags
}

fn operation(path: &str, method: &str, value: &Value) -> Operation {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parameters = value["parameters"].as_array().into_iter().flatten();
    let answers = value["responses"].as_object().into_iter().flatten();
    Operation {
        id: text(&value["operationId"]),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text(&value["summary"]),
        is_open: value["security"].as_array().is_some_and(Vec::is_empty),
        parameters: parameters
            .map(|one| Parameter { name: text(&one["name"]), place: text(&one["in"]), about: text(&one["description"]) })
            .collect(),
        body: content(&value["requestBody"]),
        answers: answers
            .map(|(status, one)| Answer { status: status.clone(), about: text(&one["description"]), shape: content(one) })
            .collect(),
    }
}

/// The name of the shape that is carried.
fn content(value: &Value) -> Option<String> {
    let schema = value["content"].as_object()?.values().next()?.get("schema")?;
    let name = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref"))?.as_str()?;
    name.rsplit('/').next().map(str::to_owned)
}

fn shapes(document: &Value) -> Vec<Shape> {
    let all = document.pointer("/components/schemas").and_then(Value::as_object).into_iter().flatten();
    all.map(|(name, value)| Shape { name: name.clone(), text: format!("{value:#}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::openapi;

    #[test]
    fn the_page_shows_every_operation_and_fetches_nothing() {
        let document = openapi::admin();
        let reply = Reference::of(&document, "Wiki <&>").show().unwrap();
        let page = String::from_utf8(reply.body().to_vec()).unwrap();

        for (path, methods) in document["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                assert!(page.contains(path.as_str()) && page.contains(operation["operationId"].as_str().unwrap()), "{path}");
            }
        }
        for nothing in ["<script", "src=", "href=\"http", "@import", "url(", " onload", "style=\""] {
            assert!(!page.contains(nothing), "{nothing}");
        }
        assert!(page.contains("Wiki &#60;&#38;&#62;") && !page.contains("Wiki <&>"));
        assert!(reply.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'; style-src 'sha256-"));
    }
}
