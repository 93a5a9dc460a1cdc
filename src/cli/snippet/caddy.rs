//! Caddy: what `forward_auth` stands for, written out, since that takes neither new cookies nor empty claims.

use super::{Place, Told, lines, word};

/// A Caddyfile's sites.
pub(super) fn text(told: &Told) -> String {
    let mut hosts: Vec<&str> = Vec::new();
    for place in &told.routes {
        let host = place.host.as_deref().unwrap_or(&told.host);
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let sites: String = hosts.into_iter().map(|host| site(told, host)).collect();
    format!(
        "# Caddy: in the Caddyfile. Caddy's own address belongs into forward_auth.trusted_proxies of Doorward,
# and into listen.trusted_proxies, so that people's addresses are known when they sign in.
{}{sites}",
        check(told)
    )
}

/// May it pass? As a snippet of the Caddyfile's, since every site asks alike.
fn check(told: &Told) -> String {
    let (doorward, prefix) = (told.doorward, &told.prefix);
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
    reverse_proxy {doorward} {{
        method GET
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

fn site(told: &Told, host: &str) -> String {
    let of_host = |place: &&Place| place.host.as_deref().unwrap_or(&told.host) == host;
    let mut places: Vec<&Place> = told.routes.iter().filter(of_host).collect();
    // Caddy takes the first that matches.
    places.sort_by_key(|place| std::cmp::Reverse(place.path.len()));
    let handles: String = places.into_iter().map(handle).collect();
    format!(
        "\n{host} {{\n    # Signing in.\n    handle {}/* {{\n        reverse_proxy {}\n    }}\n{handles}}}\n",
        told.prefix, told.doorward
    )
}

fn handle(place: &Place) -> String {
    let (name, upstream) = (&place.name, &place.upstream);
    let (matcher, head) = if place.is_root() {
        (String::new(), "    handle {".to_owned())
    } else {
        let name = word(&place.name);
        (format!("    @route_{name} path {} {}*\n", place.path, place.folder()), format!("    handle @route_{name} {{"))
    };
    format!(
        "\n    # {name}\n{matcher}{head}\n        route {{\n            import doorward\n            reverse_proxy {upstream}\n        }}\n    }}\n"
    )
}
