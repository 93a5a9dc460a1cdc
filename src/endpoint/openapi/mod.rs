//! What our two APIs take and answer, as OpenAPI 3.1 documents (<https://spec.openapis.org/oas/v3.1.1>).
//!
//! Each operation is a row here, beside the shapes of bodies; tests keep the rows equal to the tables of paths, and the real
//! program's answers equal to the documents.

mod admin;
mod admin_shapes;
mod public;
mod public_shapes;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::admission::Refusal;
use crate::endpoint::problem::Problem;

/// One operation.
pub(super) struct Operation {
    method: &'static str,
    /// With places for names in braces.
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    query: &'static [Field],
    body: Option<Body>,
    success: &'static [Success],
    /// Besides those that every operation of the document may answer.
    problems: &'static [Problem],
    /// For everybody.
    is_open: bool,
    /// Takes `If-Match`.
    if_match: bool,
}

/// The tag of what registered apps call: with a key, and not in a session.
const APPS: &str = "apps";

/// Nothing in particular.
const PLAIN: Operation = Operation {
    method: "GET",
    path: "",
    id: "",
    tag: "",
    summary: "",
    query: &[],
    body: None,
    success: &[],
    problems: &[],
    is_open: false,
    if_match: false,
};

/// A field of a query.
struct Field {
    name: &'static str,
    about: &'static str,
    /// The shape of its value, in the document's components.
    shape: &'static str,
}

/// What a request carries.
struct Body {
    kinds: &'static [&'static str],
    shape: &'static str,
    required: bool,
}

/// What is answered when all is well.
struct Success {
    status: u16,
    about: &'static str,
    /// Content type and shape.
    content: Option<(&'static str, &'static str)>,
    /// The names of its headers, and what they say.
    headers: &'static [(&'static str, &'static str)],
}

/// A body in JSON.
const fn json_body(shape: &'static str) -> Body {
    Body { kinds: &["application/json"], shape, required: true }
}

/// An answer in JSON.
const fn ok(about: &'static str, shape: &'static str) -> Success {
    Success { status: 200, about, content: Some(("application/json", shape)), headers: &[] }
}

/// An answer without a body.
const fn no_content(about: &'static str) -> Success {
    Success { status: 204, about, content: None, headers: &[] }
}

/// A document, but for its paths and shapes.
struct Frame<'a> {
    title: &'static str,
    about: &'static str,
    /// What stands before every path.
    prefix: &'a str,
    /// Problems of every operation, and of those that are not for everybody.
    always: &'static [Problem],
    closed: &'static [Problem],
    security: Value,
    schemes: Value,
}

/// The document of the admin API.
pub(super) fn admin() -> Value {
    let frame = Frame {
        title: "Doorward admin API",
        about: "For programs of the operator, on the admin listener. Every call but those for this document and its page carries an \
                API key: `Authorization: Bearer dwk_…`, of scope `read` (GET) or `admin`. Listings are cut into pages: `next_cursor` of \
                one is `cursor` of the next. Errors are `application/problem+json`; their `code` is stable.",
        prefix: "",
        always: &[
            Problem::Refused(Refusal::Malformed),
            Problem::Misdirected,
            Problem::RequestTimeout,
            Problem::HeadTooLarge,
            Problem::BodyTooLarge,
            Problem::Internal,
        ],
        closed: &[
            Problem::Refused(Refusal::Unauthenticated),
            Problem::Refused(Refusal::InvalidToken),
            Problem::InsufficientScope,
            Problem::InvalidQuery,
            Problem::Unavailable,
            Problem::NotLogged,
        ],
        security: json!([{ "apiKey": [] }]),
        schemes: json!({ "apiKey": { "type": "http", "scheme": "bearer", "description": "An API key of scope `read` or `admin`." } }),
    };
    frame.document(admin::OPERATIONS, admin_shapes::shapes())
}

/// The document of the public API, whose endpoints stand under `prefix`.
pub(super) fn public(prefix: &str) -> Value {
    let frame = Frame {
        title: "Doorward sign-in API",
        about: "Signing in with a mailed code, on the public listener. A session is held by cookies, or by the access token that \
                `verify-otp` and `refresh` answer (`Authorization: Bearer`). Errors are `application/problem+json`; their `code` is stable.",
        prefix,
        always: &[
            Problem::Refused(Refusal::Malformed),
            Problem::Refused(Refusal::RepeatedCookie),
            Problem::Refused(Refusal::CrossSite),
            Problem::RequestTimeout,
            Problem::HeadTooLarge,
            Problem::BodyTooLarge,
            Problem::Misdirected,
            Problem::Internal,
        ],
        closed: &[
            Problem::Refused(Refusal::Unauthenticated),
            Problem::Refused(Refusal::InvalidToken),
            Problem::Refused(Refusal::SessionEnded),
            Problem::Refused(Refusal::ConflictingCredentials),
            Problem::Unavailable,
        ],
        security: json!([{ "accessToken": [] }, { "session": [] }]),
        schemes: json!({
            "accessToken": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            "session": { "type": "apiKey", "in": "cookie", "name": "__Host-doorward_access" },
            "appKey": { "type": "http", "scheme": "bearer", "description": "An API key of scope `app:NAME`." },
        }),
    };
    frame.document(public::OPERATIONS, public_shapes::shapes())
}

impl Frame<'_> {
    fn document(&self, operations: &[Operation], mut shapes: Map<String, Value>) -> Value {
        let mut paths: Map<String, Value> = Map::new();
        for operation in operations {
            let path = paths.entry(format!("{}{}", self.prefix, operation.path)).or_insert_with(|| json!({}));
            if let Some(methods) = path.as_object_mut() {
                methods.insert(operation.method.to_ascii_lowercase(), self.operation(operation));
            }
        }
        shapes.insert("Problem".to_owned(), problem_shape());
        json!({
            "openapi": "3.1.0",
            "info": { "title": self.title, "version": env!("CARGO_PKG_VERSION"), "description": self.about },
            "paths": paths,
            "components": { "schemas": shapes, "securitySchemes": self.schemes },
        })
    }

    fn operation(&self, operation: &Operation) -> Value {
        let mut value = json!({
            "operationId": operation.id,
            "tags": [operation.tag],
            "summary": operation.summary,
            "parameters": parameters(operation),
            "responses": self.responses(operation),
            "security": self.security(operation),
        });
        if let (Some(body), Some(members)) = (&operation.body, value.as_object_mut()) {
            let content: Map<String, Value> =
                body.kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": shape(body.shape) }))).collect();
            members.insert("requestBody".to_owned(), json!({ "required": body.required, "content": content }));
        }
        value
    }

    fn security(&self, operation: &Operation) -> Value {
        match operation.tag {
            _ if operation.is_open => json!([]),
            APPS => json!([{ "appKey": [] }]),
            _ => self.security.clone(),
        }
    }

    fn responses(&self, operation: &Operation) -> Value {
        let mut responses: Map<String, Value> = operation.success.iter().map(success).collect();
        for (status, problems) in self.problems(operation) {
            responses.insert(status.to_string(), refused(status, &problems));
        }
        Value::Object(responses)
    }

    /// All problems of an operation, by status.
    fn problems(&self, operation: &Operation) -> BTreeMap<u16, Vec<Problem>> {
        let closed: &[Problem] = if operation.is_open { &[] } else { self.closed };
        let mut found: BTreeMap<u16, Vec<Problem>> = BTreeMap::new();
        for problem in self.always.iter().chain(closed).chain(operation.problems) {
            let same = found.entry(problem.status().as_u16()).or_default();
            if !same.contains(problem) {
                same.push(*problem);
            }
        }
        if operation.body.is_some() {
            for problem in [Problem::InvalidJson, Problem::UnsupportedMediaType, Problem::InvalidBody] {
                let same = found.entry(problem.status().as_u16()).or_default();
                if !same.contains(&problem) {
                    same.push(problem);
                }
            }
        }
        found
    }
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let named = operation.path.split('/').filter_map(|segment| segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')));
    let path = named.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }));
    let query = operation.query.iter().map(
        |field| json!({ "name": field.name, "in": "query", "required": false, "description": field.about, "schema": shape(field.shape) }),
    );
    let tag = json!({
        "name": "If-Match", "in": "header", "required": false, "schema": { "type": "string" },
        "description": "The `ETag` of what was read; 412 when it is not that any more. Without it the change is made to whatever is there.",
    });
    path.chain(query).chain(operation.if_match.then_some(tag)).collect()
}

fn success(success: &Success) -> (String, Value) {
    let mut value = json!({ "description": success.about });
    if let Some(members) = value.as_object_mut() {
        if let Some((kind, name)) = success.content {
            members.insert("content".to_owned(), json!({ kind: { "schema": shape(name) } }));
        }
        if !success.headers.is_empty() {
            let headers: Map<String, Value> = success
                .headers
                .iter()
                .map(|(name, about)| ((*name).to_owned(), json!({ "description": about, "schema": { "type": "string" } })))
                .collect();
            members.insert("headers".to_owned(), Value::Object(headers));
        }
    }
    (success.status.to_string(), value)
}

/// Problems of one status.
fn refused(status: u16, problems: &[Problem]) -> Value {
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code()).collect();
    let about: Vec<String> = problems.iter().map(|problem| format!("`{}`: {}", problem.code(), problem.detail())).collect();
    let narrowed = json!({ "properties": { "status": { "const": status }, "code": { "enum": codes } } });
    json!({
        "description": about.join("\n\n"),
        "content": { "application/problem+json": { "schema": { "allOf": [shape("Problem"), narrowed] } } },
    })
}

fn shape(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn problem_shape() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457. `code` is stable and listed in docs/errors.md.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "code": { "type": "string" },
            "request_id": { "type": "string" },
            "login_url": { "type": "string" },
            "errors": {
                "type": "array",
                "description": "What is wrong, where more can be said of it.",
                "items": {
                    "type": "object",
                    "required": ["key", "problem"],
                    "properties": { "key": { "type": "string" }, "problem": { "type": "string" } },
                },
            },
        },
    })
}

/// The shapes of a text in JSON, by name.
fn read(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
