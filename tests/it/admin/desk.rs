//! An operator's program: a client of the admin listener with an API key, which holds every answer to the document.

use std::collections::BTreeMap;

use doorward::app::{ApiKey, ApiKeys, PlainKey};
use doorward::clock::{Clock as _, SystemClock};
use doorward::random::SystemEntropy;
use doorward::secret::Secret;
use doorward::store::{self, StoreSettings};
use reqwest::Method;
use serde_json::Value;

use crate::flow::place::Place;
use crate::support::client::{Person, Reply};

/// Makes a key as the program does, in its own store.
pub async fn key(place: &Place, name: &str, scope: &str) -> String {
    let store = store::open(&StoreSettings { url: Secret::new(place.wants.store.clone()), ..StoreSettings::default() }).unwrap();
    let plain = PlainKey::draw(&SystemEntropy::default()).unwrap();
    let now = SystemClock.now();
    let key = ApiKey {
        id: plain.id().clone(),
        hash: plain.hashed(),
        name: name.to_owned(),
        owner: None,
        scopes: vec![scope.parse().unwrap()],
        groups: Vec::new(),
        created_at: now,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    assert!(ApiKeys::add(store.as_ref(), &key, now).await.unwrap());
    plain.expose().to_owned()
}

/// A client with a key of one scope.
pub struct Desk {
    person: Person,
    pub key: String,
    document: Value,
}

impl Desk {
    pub async fn open(place: &Place, scope: &str) -> Self {
        let key = key(place, &format!("desk-{scope}"), scope).await;
        let person = place.gateway.operator();
        let document = person.get("/api/openapi.json").await;
        assert_eq!(document.status, 200);
        Self { person, key, document: document.json() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// Any request; its answer must be one that the document promises.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.person.request(method.clone(), path).bearer(&self.key);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = match body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        };
        self.is_promised(&method, path, &reply);
        reply
    }

    /// Everything of a listing, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let join = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let reply = self.get(&format!("{path}{join}limit=2{cursor}")).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            let page = reply.json();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    fn is_promised(&self, method: &Method, path: &str, reply: &Reply) {
        let path = path.split('?').next().unwrap();
        let paths: BTreeMap<String, Value> = serde_json::from_value(self.document["paths"].clone()).unwrap();
        let Some(operation) = paths.iter().find_map(|(pattern, value)| fits(pattern, path).then_some(value)) else { return };
        let Some(operation) = operation.get(method.as_str().to_ascii_lowercase()) else { return };
        let promised = &operation["responses"][reply.status.to_string()];
        assert!(!promised.is_null(), "{method} {path} may not answer {}: {}", reply.status, reply.text());
        if reply.status >= 400 {
            let codes = &promised["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"];
            assert!(codes.as_array().unwrap().contains(&reply.json()["code"]), "{method} {path}: {}", reply.text());
            assert_eq!(reply.header("content-type").as_deref(), Some("application/problem+json"));
        }
    }
}

/// Is this the path of that pattern?
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(wanted, there)| wanted.starts_with('{') || wanted == there)
}

pub fn code_of(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}
