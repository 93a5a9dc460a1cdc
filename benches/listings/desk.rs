//! The same over HTTP: the admin API of the real program, in front of the database that is full.

use doorward::app::{ApiKey, ApiKeys, PlainKey};
use doorward::random::SystemEntropy;
use reqwest::Method;

use crate::book::{Book, Took, timed};
use crate::support::client::{Person, Reply};
use crate::support::gateway::Gateway;
use crate::{Filled, ROOT_BASE64};

/// The most items of a page.
const MOST: &str = "limit=200";

/// Listings and their filters. Their last page is found by walking there.
const WALKED: &[&str] = &[
    "/api/accounts",
    "/api/accounts?group=staff",
    "/api/accounts?group=rare",
    "/api/accounts?disabled=true",
    "/api/accounts?disabled=false",
    "/api/accounts?email=person00042%40example.com",
    "/api/accounts?username=person00042",
    "/api/accounts?group=nobody",
    "/api/sessions",
    "/api/sessions?account=account-00007",
    "/api/apikeys",
    "/api/apps",
    "/api/apps/app-0007/subjects",
    "/api/apps/app-0008/subjects",
];

/// A listing of a million rows is walked from both ends.
const AUDIT: &[&str] = &[
    "",
    "&account=account-00007",
    "&what=code_requested",
    "&what=app_added",
    "&account=account-00007&what=signed_out",
    "&since=MIDDLE",
    "&until=MIDDLE",
    "&what=code_requested&until=MIDDLE",
    "&account=account-00007&since=MIDDLE",
];

pub async fn measure(filled: &Filled, book: &mut Book) {
    let url = filled.url.clone();
    let gateway = tokio::task::spawn_blocking(move || Gateway::start(|place| configuration(place, &url))).await.unwrap();
    let desk = Desk { person: gateway.operator(), key: key(filled).await };
    for path in WALKED {
        let begin = with(path, MOST);
        let (last, pages) = desk.last(&begin).await;
        book.row(&format!("GET {path} ({pages} pages)"), desk.timed(&begin).await, desk.timed(&last).await);
    }
    for filter in AUDIT {
        let filter = filter.replace("MIDDLE", &filled.middle().to_string());
        let page = |order: &str| format!("/api/audit?{MOST}&order={order}{filter}");
        book.row(&format!("GET /api/audit?{filter}"), desk.timed(&page("newest")).await, desk.timed(&page("oldest")).await);
    }
}

fn with(path: &str, more: &str) -> String {
    let join = if path.contains('?') { '&' } else { '?' };
    format!("{path}{join}{more}")
}

struct Desk {
    person: Person,
    key: String,
}

impl Desk {
    async fn get(&self, path: &str) -> Reply {
        let reply = self.person.request(Method::GET, path).bearer(&self.key).send().await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply
    }

    async fn timed(&self, path: &str) -> Took {
        timed(async || drop(self.get(path).await)).await
    }

    /// The path of the last page, and how many there are.
    async fn last(&self, begin: &str) -> (String, usize) {
        let (mut path, mut pages) = (begin.to_owned(), 1);
        while let Some(cursor) = self.get(&path).await.json()["next_cursor"].as_str() {
            path = format!("{begin}&cursor={cursor}");
            pages += 1;
        }
        (path, pages)
    }
}

fn configuration(place: &crate::support::gateway::Place, url: &str) -> String {
    let (public, admin) = (place.public, place.admin);
    format!(
        "public_url = \"http://{public}\"\n[listen]\npublic = [\"{public}\"]\nadmin = \"{admin}\"\n[store]\nurl = \"{url}\"\n\
         encryption_key = \"{ROOT_BASE64}\"\n[cookies]\nsecure = false\n[[delivery.email]]\nkind = \"console\"\n\
         [[route]]\nname = \"open\"\nupstream = [\"http://127.0.0.1:1\"]\nrequire = \"public\"\n"
    )
}

async fn key(filled: &Filled) -> String {
    let plain = PlainKey::draw(&SystemEntropy::default()).unwrap();
    let key = ApiKey {
        id: plain.id().clone(),
        hash: plain.hashed(),
        name: "bench".to_owned(),
        owner: None,
        scopes: vec!["read".parse().unwrap()],
        groups: Vec::new(),
        created_at: filled.now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    assert!(ApiKeys::add(filled.store.as_ref(), &key, filled.now()).await.unwrap());
    plain.expose().to_owned()
}
