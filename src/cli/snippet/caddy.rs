//! Caddy: what `forward_auth` stands for, written out, since that takes neither new cookies nor empty claims.

use super::server::{self, Server, Speech};
use super::{Place, Told, lines, word};

/// A Caddyfile's sites.
pub(super) fn text(told: &Told) -> String {
    let sites: String = told.all_hosts().into_iter().map(|host| site(told, host)).collect();
    format!(
        "# Caddy: in the Caddyfile. Caddy's own address belongs into forward_auth.trusted_proxies of Doorward,
# and into listen.trusted_proxies, so that people's addresses are known when they sign in.
{}{sites}
# A host that is none of these.
http:// {{
    respond 404
}}
",
        check(told)
    )
}

/// May it pass? As a snippet of the Caddyfile's, since every site asks alike.
fn check(told: &Told) -> String {
    let (doorward, prefix, tls) = (told.doorward, &told.prefix, tls(told, 8));
    let scheme = if told.is_tls { "https://" } else { "" };
    let removed = lines(16, &told.headers, |header| format!("request_header -{header}"));
    let names: Vec<String> = ["X-Doorward-Set-Cookie-1", "X-Doorward-Set-Cookie-2"].map(str::to_owned).into();
    // What is not there is empty to newer ones, and "<nil>" to older ones.
    let there = |header: &str| format!("@{} not vars {{rp.header.{header}}} \"\" \"<nil>\"", word(header));
    let (identity, cookies) = (lines(12, &told.headers, there), lines(12, &names, there));
    let set = lines(16, &told.headers, |header| format!("request_header @{} {header} {{rp.header.{header}}}", word(header)));
    let add = lines(16, &names, |header| format!("header @{} +Set-Cookie {{rp.header.{header}}}", word(header)));
    format!(
        r"
(doorward) {{
    reverse_proxy {scheme}{doorward} {{
{tls}        method GET
        rewrite {prefix}/check/caddy
        header_up Host {{host}}
        header_up X-Forwarded-Method {{method}}
        header_up X-Forwarded-Uri {{uri}}
        header_up -X-Original-Method
        header_up -X-Original-Url
        header_up -X-Original-Uri
        header_up -X-Rewrite-Url
        @passes status 2xx
        handle_response @passes {{
            # Who is there. What the client says of it goes, whether or not there is something in its place.
            # In this order, which Caddy would change without `route`.
{identity}{cookies}            route {{
{removed}{set}                # A session that was renewed in passing.
{add}            }}
        }}
    }}
}}
"
    )
}

/// How TLS is spoken to Doorward.
fn tls(told: &Told, indent: usize) -> String {
    if !told.is_tls {
        return String::new();
    }
    let lines = ["transport http {".to_owned(), format!("    tls_server_name {}", told.host), "}".to_owned()];
    super::lines(indent, &lines, str::to_owned)
}

fn site(told: &Told, host: &str) -> String {
    let of_host = |place: &&Place| place.host.as_deref().unwrap_or(&told.host) == host;
    let mut places: Vec<&Place> = told.routes.iter().filter(of_host).collect();
    // Caddy takes the first that matches.
    places.sort_by_key(|place| std::cmp::Reverse(place.path.len()));
    let handles: String = places.into_iter().map(handle).collect();
    let door = if told.is_tls {
        format!("https://{} {{\n            header_up Host {{hostport}}\n{}        }}", told.doorward, tls(told, 12))
    } else {
        told.doorward.to_string()
    };
    format!("\n{host} {{\n    # Signing in.\n    handle {}/* {{\n        reverse_proxy {door}\n    }}\n{handles}}}\n", told.prefix)
}

fn handle(place: &Place) -> String {
    let name = &place.name;
    let (matcher, head) = if place.is_root() {
        (String::new(), "    handle {".to_owned())
    } else {
        let name = word(&place.name);
        (format!("    @route_{name} path {} {}*\n", place.path, place.folder()), format!("    handle @route_{name} {{"))
    };
    format!(
        "\n    # {name}\n{matcher}{head}\n        route {{\n            import doorward\n            reverse_proxy {}\n        }}\n    }}\n",
        upstreams(&place.servers)
    )
}

/// An app's addresses, each as often as its share: not every Caddy knows weights.
fn upstreams(servers: &[Server]) -> String {
    let repeated = server::shares(servers).flat_map(|(server, share)| (0..share).map(move |_| url(server)));
    let all: Vec<String> = repeated.collect();
    let policy = if all.len() > 1 { " {\n                lb_policy round_robin\n            }" } else { "" };
    format!("{}{policy}", all.join(" "))
}

fn url(server: &Server) -> String {
    let scheme = match server.speech {
        Speech::Http => "http://",
        Speech::Https => "https://",
        Speech::H2c => "h2c://",
        Speech::Unix => "unix/",
    };
    format!("{scheme}{}", server.address)
}
