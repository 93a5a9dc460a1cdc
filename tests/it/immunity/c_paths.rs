//! C 22 to 29: the path and the host that were matched are those that are forwarded, and the rules decide as they are written.

use http::Method;
use proptest::strategy::{Strategy, ValueTree};

use crate::flow::place::{Database, Place, Wants};
use crate::readings::runner;
use crate::support::client::{Person, Raw, Reply};

const ADA: &str = "ada@example.com";

const ROUTES: &str = "[[route]]\nname = \"stripped\"\npath = \"/stripped\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\nstrip_prefix = true\n\
    [[route]]\nname = \"admin\"\npath = \"/admin\"\nupstream = [\"UPSTREAM\"]\ngroups = [\"admins\"]\n";

async fn ask(place: &Place, host: &str, target: &str, cookie: &str) -> Reply {
    let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
    let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{cookie}Connection: close\r\n\r\n");
    Raw::exchange(place.gateway.public(), head).await
}

/// What stands behind a `?` is no path.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_54576_a_query_opens_no_route() {
    let place = Place::on(Database::Sqlite).await;

    for target in [
        "/page?x=/open",
        "/page?/open",
        "/page?/../open/x",
        "/page??/open",
        "/?/open/x",
        "/page?x=%2fopen%2f",
        "/page?#",
        "/page?next=//open",
        "/page?;/open",
        "/page?\\open",
        "/page?/auth/login",
    ] {
        let status = ask(&place, "wiki.example", target, "").await.status;
        assert!(matches!(status, 400 | 401), "{target}: {status}");
    }
    assert_eq!(place.upstream.count(), 0);

    // And closes none.
    let target = "/open/x?/page&/../../page";
    assert_eq!(ask(&place, "wiki.example", target, "").await.status, 200);
    assert_eq!(place.upstream.last().target(), target);
}

/// A fragment is nothing that a client sends.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_41059_a_fragment_opens_no_route() {
    let place = Place::on(Database::Sqlite).await;

    for target in ["/page#/open", "/page#", "/open#/../page", "/open/x#", "#/open", "/open?x#/page", "/#/open", "/open/../page#/open"] {
        assert_eq!(ask(&place, "wiki.example", target, "").await.status, 400, "{target}");
    }
    for target in ["/page%23/open", "/page%2523/open", "/open%23/../page", "/open%23", "/%23/open", "/page%23"] {
        let status = ask(&place, "wiki.example", target, "").await.status;
        assert!(matches!(status, 400 | 401), "{target}: {status}");
    }
    assert_eq!(place.upstream.count(), 0);
}

/// Ways to write "up, and on", between two segments.
const WAYS: [&str; 64] = [
    "/../",
    "/..//",
    "//../",
    "/./../",
    "/.././",
    "/%2e%2e/",
    "/%2E%2E/",
    "/.%2e/",
    "/%2e./",
    "/%2e%2E/",
    "/%252e%252e/",
    "/%252e%252e%252f",
    "/%25252e%25252e/",
    "/..%2f",
    "/..%2F",
    "%2f../",
    "%2f..%2f",
    "/%2e%2e%2f",
    "/..%252f",
    "%252f..%252f",
    "\\..\\",
    "/..\\",
    "\\../",
    "%5c..%5c",
    "/..%5c",
    "/..%5C",
    "/..%255c",
    "%255c..%255c",
    "/..;/",
    "/..;x/",
    "/..;x=1;y=2/",
    "/;/../",
    ";/../",
    ";x=1/../",
    "/..%3b/",
    "/%2e%2e%3bx/",
    "/%2e%2e;/",
    "/..%253b/",
    "/..%00/",
    "/..%09/",
    "/..%0a/",
    "/%2e%2e%0d%0a/",
    "/..%20/",
    "/%20../",
    "/..+/",
    "/...//../",
    "/x/.../",
    "/..%2e/../",
    "/%c0%ae%c0%ae/",
    "/%c0%ae%c0%ae%c0%af",
    "/..%c0%af",
    "/..%c1%9c",
    "/%e0%80%ae%e0%80%ae/",
    "/%f0%80%80%ae%f0%80%80%ae/",
    "/%c0%2e%c0%2e/",
    "/%u002e%u002e/",
    "/..%u002f",
    "/..%u005c",
    "/%uff0e%uff0e/",
    "/%ef%bc%8e%ef%bc%8e/",
    "/..%ef%bc%8f",
    "/\u{ff0e}\u{ff0e}/",
    "/\u{2025}/",
    "/%%32%65%%32%65/",
];

/// Another path is matched than is forwarded: by decoding, by resolving, by taking a prefix off, in any order.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33494_the_path_that_was_matched_is_the_one_that_is_forwarded() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let ada = place.sign_in(ADA).await.cookie_header();
    let mut refused = 0;

    for way in WAYS {
        for (from, to) in [
            ("/open", "page"),
            ("/open", "admin/x"),
            ("/open/a", "../admin"),
            ("/page", "open/x"),
            ("/page", "admin"),
            ("/stripped", "admin"),
            ("/stripped/a", "../admin"),
            ("/admin", "open"),
            ("/open", "auth/login"),
        ] {
            let target = format!("{from}{way}{to}");
            for cookie in ["", ada.as_str()] {
                let before = place.upstream.count();
                let reply = ask(&place, "wiki.example", &target, cookie).await;
                // No spelling of "up" leads into another route: either all read it alike, or nobody gets it.
                assert!(matches!(reply.status, 400 | 401 | 403), "{target} {}: {} {}", cookie.len(), reply.status, reply.text());
                assert_eq!(place.upstream.count(), before, "{target}");
                refused += usize::from(reply.status == 400);
            }
        }
        // Within one route it is forwarded as it came, or not at all.
        for (from, to, prefix) in [("/open/a/b", "c", ""), ("/open/x", "y", ""), ("/stripped/a/b", "c", "/stripped")] {
            let target = format!("{from}{way}{to}");
            let reply = ask(&place, "wiki.example", &target, "").await;
            match reply.status {
                200 => assert_eq!(place.upstream.last().target(), target[prefix.len()..], "{target}"),
                400 => {}
                status => panic!("{target}: {status} {}", reply.text()),
            }
        }
    }
    assert!(refused >= 1000, "{refused}");
}

/// Letter case, a port, a dot at the end, punycode: one host.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_27587_a_host_and_a_path_are_one_in_any_letter_case() {
    let routes = "[[route]]\nname = \"shop\"\nhost = \"B\u{fc}cher.Example\"\nupstream = [\"UPSTREAM\"]\ngroups = [\"nobody\"]\n\
        [[route]]\nname = \"guarded\"\npath = \"/Guarded\"\nupstream = [\"UPSTREAM\"]\ngroups = [\"nobody\"]\n\
        [[route]]\nname = \"lax\"\npath = \"/lax\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\n";
    let place = Place::with(Wants { routes, ..Wants::default() }).await;
    let ada = place.sign_in(ADA).await.cookie_header();

    for host in [
        "xn--bcher-kva.example",
        "XN--BCHER-KVA.EXAMPLE",
        "Xn--Bcher-Kva.Example.",
        "xn--bcher-kva.example:443",
        "xn--bcher-kva.example.:80",
        "XN--bcher-KVA.example:",
    ] {
        assert_eq!(ask(&place, host, "/x", &ada).await.status, 403, "{host}");
    }
    for (target, status) in [("/Guarded", 403), ("/guarded", 400), ("/GUARDED/x", 400), ("/gUARDED", 400), ("/LAX/x", 400), ("/Lax", 400)] {
        assert_eq!(ask(&place, "wiki.example", target, &ada).await.status, status, "{target}");
    }
    assert_eq!(place.upstream.count(), 0);
}

/// A rule's domain is one in any letter case, and nobody gets in by another spelling of it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_48794_a_rules_domain_is_one_in_any_letter_case() {
    let routes = "[[route]]\nname = \"staff\"\npath = \"/staff\"\nupstream = [\"UPSTREAM\"]\nemail_domains = [\"Example.COM\"]\n";
    let place = Place::with(Wants { routes, ..Wants::default() }).await;

    for (email, status) in [
        ("ada@example.com", 200),
        ("Bob@EXAMPLE.com", 200),
        ("eve@examplexcom.net", 403),
        ("eve@sub.example.com", 403),
        ("eve@example.com.evil.net", 403),
        ("eve@notexample.com", 403),
    ] {
        let person = place.person();
        let code = place.code_for(&person, &email.to_lowercase()).await;
        assert_eq!(crate::flow::place::verify(&person, email, &code).await.status, 200, "{email}");
        assert_eq!(person.get("/staff").await.status, status, "{email}");
    }
}

/// A dot after the last label names the same host, and the same rules hold there.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2022_23632_a_dot_at_the_end_of_a_host_changes_no_rule() {
    let routes = "[[route]]\nname = \"app\"\nhost = \"app.example.com\"\nupstream = [\"UPSTREAM\"]\ngroups = [\"nobody\"]\n\
        [[route]]\nname = \"stars\"\nhost = \"*.stars.example\"\nupstream = [\"UPSTREAM\"]\ngroups = [\"nobody\"]\n\
        [[route]]\nname = \"elsewhere\"\npath = \"/open-here\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\n";
    let place = Place::with(Wants { routes, ..Wants::default() }).await;
    let ada = place.sign_in(ADA).await.cookie_header();

    for host in ["app.example.com", "app.example.com.", "app.example.com.:443", "a.stars.example.", "a.stars.example.:80"] {
        assert_eq!(ask(&place, host, "/open-here", &ada).await.status, 403, "{host}");
    }
    for host in ["app.example.com..", ".app.example.com", "app..example.com", ".", "app.example.com.:x"] {
        assert_eq!(ask(&place, host, "/open-here", &ada).await.status, 400, "{host}");
    }
    assert_eq!(place.upstream.count(), 0);
    assert_eq!(ask(&place, "other.example.", "/open-here", "").await.status, 200);
}

/// A dot in a host is a dot, and a star one label.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_39350_a_dot_in_a_host_stands_for_a_dot() {
    let routes = "[[route]]\nname = \"app\"\nhost = \"app.example.com\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\n\
        [[route]]\nname = \"stars\"\nhost = \"*.stars.example\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\n";
    let place = Place::with(Wants { routes, ..Wants::default() }).await;

    for host in [
        "appXexample.com",
        "app-example.com",
        "app.exampleXcom",
        "xapp.example.com",
        "app.example.com.evil.net",
        "evil.net.app.example.com",
        "stars.example",
        "a.b.stars.example",
        "axstars.example",
        "a.starsXexample",
        "a.stars.example.net",
    ] {
        assert_eq!(ask(&place, host, "/x", "").await.status, 401, "{host}");
    }
    assert_eq!(place.upstream.count(), 0);
    for host in ["app.example.com", "a.stars.example"] {
        assert_eq!(ask(&place, host, "/x", "").await.status, 200, "{host}");
    }
}

// === C 29: rules by chance, and somebody else who decides

/// A rule as it is written.
#[derive(Clone, Debug)]
struct Written {
    path: &'static str,
    methods: Vec<&'static str>,
    require: &'static str,
    /// `email_domains`, `accounts` or `groups`, and one value.
    narrowed: Option<(&'static str, &'static str)>,
    is_for_loopback: Option<bool>,
}

fn written() -> impl Strategy<Value = Written> {
    use proptest::prelude::*;
    let path = prop::sample::select(vec!["", "", "/a", "/b", "/a/b", "/a/b/c"]);
    let methods = prop::sample::select(vec![vec![], vec![], vec!["GET"], vec!["POST", "PUT"], vec!["GET", "HEAD", "DELETE"]]);
    let require = prop::sample::select(vec!["public", "session", "session", "second_factor"]);
    let narrowed = prop::option::of(prop::sample::select(vec![
        ("email_domains", "example.com"),
        ("email_domains", "example.org"),
        ("accounts", "bob@example.org"),
        ("groups", "admins"),
    ]));
    let network = prop::sample::select(vec![None, None, None, Some(true), Some(false)]);
    (path, methods, require, narrowed, network).prop_map(|(path, methods, require, narrowed, is_for_loopback)| Written {
        path,
        methods,
        require,
        narrowed: narrowed.filter(|_| require != "public"),
        is_for_loopback,
    })
}

fn toml(number: usize, rules: &[Written]) -> String {
    let rule = |rule: &Written| {
        let list = |key: &str, values: &[&str]| if values.is_empty() { String::new() } else { format!("{key} = {values:?}\n") };
        let network = rule.is_for_loopback.map(|is_here| if is_here { "127.0.0.0/8" } else { "10.0.0.0/8" });
        let narrowed = rule.narrowed.map(|(key, value)| list(key, &[value])).unwrap_or_default();
        let networks = network.map(|network| list("networks", &[network])).unwrap_or_default();
        let methods = list("methods", &rule.methods);
        format!("[[route.rule]]\npath = \"/r{number}{}/\"\nrequire = \"{}\"\n{methods}{narrowed}{networks}", rule.path, rule.require)
    };
    let rules: String = rules.iter().map(rule).collect();
    format!("[[route]]\nname = \"r{number}\"\npath = \"/r{number}\"\nupstream = [\"UPSTREAM\"]\n{rules}")
}

/// By the manual alone: of the rules for this path and method those with the longest path are asked, in their order, as far as
/// they are for this network; the first that admits decides; everything else is a no.
fn is_let_in(rules: &[Written], method: &str, path: &str, email: Option<&str>) -> bool {
    let mut asked: Vec<&Written> = Vec::new();
    for rule in rules {
        let is_under = format!("{path}/").starts_with(&format!("{}/", rule.path));
        let is_for_method = rule.methods.is_empty() || rule.methods.contains(&method);
        if !is_under || !is_for_method {
            continue;
        }
        let longest = asked.first().map_or(0, |first| first.path.len());
        if asked.is_empty() || rule.path.len() >= longest {
            if rule.path.len() > longest {
                asked.clear();
            }
            asked.push(rule);
        }
    }
    asked.into_iter().filter(|rule| rule.is_for_loopback != Some(false)).any(|rule| match (rule.require, email) {
        ("public", _) => true,
        // Nobody here has a second factor, and nobody is in a group.
        ("session", Some(email)) => match rule.narrowed {
            None => true,
            Some(("email_domains", domain)) => email.ends_with(&format!("@{domain}")),
            Some(("accounts", account)) => email == account,
            Some(_) => false,
        },
        _ => false,
    })
}

/// A request that was put together to be judged by another rule than its own.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_41230_the_rules_decide_as_somebody_else_would() {
    let mut runner = runner(1);
    let some = proptest::collection::vec(written(), 1..6);
    let tables: Vec<Vec<Written>> = (0..60).map(|_| some.new_tree(&mut runner).unwrap().current()).collect();
    let routes: String = tables.iter().enumerate().map(|(number, rules)| toml(number, rules)).collect();
    let place = Place::with(Wants { routes: routes.leak(), ..Wants::default() }).await;
    let people: Vec<(Option<&str>, Person)> = vec![
        (None, place.person()),
        (Some(ADA), place.sign_in(ADA).await),
        (Some("bob@example.org"), place.sign_in("bob@example.org").await),
        (Some("eve@example.net"), place.sign_in("eve@example.net").await),
    ];
    let mut let_in = 0;
    let mut asked = 0;

    for (number, rules) in tables.iter().enumerate() {
        for path in ["", "/a", "/a/b", "/a/b/c/d", "/b/x", "/ab"] {
            for method in ["GET", "POST", "DELETE"] {
                for (email, person) in &people {
                    let before = place.upstream.count();
                    let reply = person.request(Method::from_bytes(method.as_bytes()).unwrap(), &format!("/r{number}{path}")).send().await;
                    let expected = is_let_in(rules, method, path, *email);
                    let what = format!("{method} {path} as {email:?} by {rules:?}");
                    assert_eq!(reply.status == 200, expected, "{what}: {} {}", reply.status, reply.text());
                    assert_eq!(place.upstream.count() - before, usize::from(expected), "{what}");
                    assert!(expected || matches!(reply.status, 401 | 403), "{what}: {}", reply.status);
                    let_in += usize::from(expected);
                    asked += 1;
                }
            }
        }
    }

    assert!(let_in > asked / 10 && let_in < asked * 9 / 10, "{let_in} of {asked}");
}
