//! `HAProxy` (2.6 and later): a script in its Lua asks, since it has no directive for it.

use super::server::{self, Server, Speech};
use super::{Place, Told, lines, word};

/// Two files, one after the other.
pub(super) fn text(told: &Told) -> String {
    format!("{}\n{}", script(told), configuration(told))
}

fn script(told: &Told) -> String {
    let headers = lines(4, &told.headers, |header| format!("\"{}\",", header.to_ascii_lowercase()));
    // The client in its Lua cannot be told by which name to verify a certificate: a way through a backend can.
    let (doorward, through) =
        if told.is_tls { ("doorward".to_owned(), format!(", dst = \"{CHECK}\"")) } else { (told.doorward.to_string(), String::new()) };
    let prefix = &told.prefix;
    format!(
        r#"-- HAProxy, first file: /etc/haproxy/doorward.lua
local url = "http://{doorward}{prefix}/check/haproxy"

-- Who is there. What the client says of it goes.
local told = {{
{headers}}}

-- What only the proxy says, and what belongs to one connection.
local own = {{
    ["x-forwarded-method"] = true, ["x-forwarded-proto"] = true, ["x-forwarded-host"] = true, ["x-forwarded-uri"] = true,
    ["x-forwarded-for"] = true, ["x-original-method"] = true, ["x-original-url"] = true, ["x-original-uri"] = true,
    ["x-rewrite-url"] = true, ["forwarded"] = true, ["connection"] = true, ["upgrade"] = true, ["keep-alive"] = true,
    ["te"] = true, ["transfer-encoding"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true,
}}

local function asked(txn)
    local headers = {{}}
    for name, values in pairs(txn.http:req_get_headers()) do
        if not own[name] then
            local all = {{}}
            for _, value in pairs(values) do
                all[#all + 1] = value
            end
            headers[name] = all
        end
    end
    local host = txn.f:req_hdr("host")
    headers["host"] = {{ host }}
    headers["x-forwarded-method"] = {{ txn.f:method() }}
    headers["x-forwarded-proto"] = {{ txn.f:ssl_fc() == 1 and "https" or "http" }}
    headers["x-forwarded-host"] = {{ host }}
    headers["x-forwarded-uri"] = {{ txn.f:pathq() }}
    headers["x-forwarded-for"] = {{ txn.f:src() }}
    return headers
end

local function refuse(txn, status, answer)
    local reply = txn:reply {{ status = status }}
    if answer then
        for _, name in ipairs({{ "location", "set-cookie", "www-authenticate", "content-type", "cache-control", "retry-after", "x-request-id" }}) do
            for _, value in pairs(answer.headers[name] or {{}}) do
                reply:add_header(name, value)
            end
        end
        reply:set_body(answer.body or "")
    end
    txn:done(reply)
end

core.register_action("doorward", {{ "http-req" }}, function(txn)
    local answer = core.httpclient():get {{ url = url, headers = asked(txn), timeout = 5000{through} }}
    if not answer or answer.status == 0 then
        return refuse(txn, 503)
    end
    if answer.status ~= 200 then
        return refuse(txn, answer.status, answer)
    end
    for _, name in ipairs(told) do
        txn.http:req_del_header(name)
        for _, value in pairs(answer.headers[name] or {{}}) do
            txn.http:req_add_header(name, value)
        end
    end
    -- A session that was renewed in passing.
    local cookies = {{}}
    for _, value in pairs(answer.headers["set-cookie"] or {{}}) do
        cookies[#cookies + 1] = value
    end
    if cookies[1] then txn:set_var("txn.doorward_cookie_1", cookies[1]) end
    if cookies[2] then txn:set_var("txn.doorward_cookie_2", cookies[2]) end
end, 0)"#
    )
}

/// Where the script asks, and whoever asks there is sent on over TLS.
const CHECK: &str = "abns@doorward_check";

fn configuration(told: &Told) -> String {
    let (doorward, prefix) = (told.doorward, &told.prefix);
    let mut places: Vec<&Place> = told.routes.iter().collect();
    // HAProxy takes the first that matches; a route with a host is nearer than one without.
    places.sort_by_key(|place| (place.host.is_none(), std::cmp::Reverse(place.path.len())));
    let rules: String = places.iter().map(|place| rule(place)).collect();
    let backends: String = places.iter().map(|place| backend(place)).collect();
    let inside = if told.is_tls {
        format!("\n# The script's own way there.\nfrontend doorward_check\n    bind {CHECK}\n    default_backend doorward\n")
    } else {
        String::new()
    };
    let (known, tls) = (known(told), if told.is_tls { tls(&told.host) } else { String::new() });
    format!(
        r"
# HAProxy, second file: in haproxy.cfg. HAProxy's own address belongs into forward_auth.trusted_proxies of Doorward,
# and into listen.trusted_proxies, so that people's addresses are known when they sign in.
global
    lua-load /etc/haproxy/doorward.lua

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h

frontend public
    # Yours: bind :443 ssl, and your certificate.
    bind :80
{known}    # Signing in.
    acl doorward path_beg {prefix}/
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request del-header Forwarded
    # May it pass?
    http-request lua.doorward unless doorward
    http-after-response add-header Set-Cookie %[var(txn.doorward_cookie_1)] if {{ var(txn.doorward_cookie_1) -m found }}
    http-after-response add-header Set-Cookie %[var(txn.doorward_cookie_2)] if {{ var(txn.doorward_cookie_2) -m found }}
    use_backend doorward if doorward
{rules}
backend doorward
    server doorward {doorward}{tls}
{inside}{backends}"
    )
}

fn rule(place: &Place) -> String {
    let host = place.host.as_deref().map(|host| match host.strip_prefix('*') {
        Some(end) => format!("{{ req.hdr(host),field(1,:),lower -m end {end} }}"),
        None => format!("{{ req.hdr(host),field(1,:),lower -m str {host} }}"),
    });
    let path = (!place.is_root()).then(|| format!("{{ path {0} }} || {{ path_beg {1} }}", place.path, place.folder()));
    let name = word(&place.name);
    let condition = match (host, path) {
        (None, None) => return format!("    default_backend route_{name}\n"),
        (Some(host), None) => host,
        (None, Some(path)) => path,
        (Some(host), Some(_)) => format!("{host} {{ path {0} }} || {host} {{ path_beg {1} }}", place.path, place.folder()),
    };
    format!("    use_backend route_{name} if {condition}\n")
}

/// Hosts that are none of these find nobody.
fn known(told: &Told) -> String {
    if told.takes_all_hosts() {
        return String::new();
    }
    let line = |host: &str| match host.strip_prefix('*') {
        Some(end) => format!("    acl known_host req.hdr(host),field(1,:),lower -m end {end}\n"),
        None => format!("    acl known_host req.hdr(host),field(1,:),lower -m str {host}\n"),
    };
    let lines: String = told.hosts().into_iter().map(line).collect();
    format!("    # A host that is none of these.\n{lines}    http-request deny deny_status 404 unless known_host\n")
}

fn backend(place: &Place) -> String {
    let line = |(number, (server, share)): (u32, (&Server, u32))| {
        let (place, spoken) = match server.speech {
            Speech::Http => (server.address.clone(), String::new()),
            Speech::H2c => (server.address.clone(), " proto h2".to_owned()),
            Speech::Https => (server.address.clone(), tls(server.host())),
            Speech::Unix => (format!("unix@{}", server.address), String::new()),
        };
        format!("    server app{number} {place}{spoken} weight {share}\n")
    };
    let servers: String = (1..).zip(server::shares(&place.servers)).map(line).collect();
    format!("\nbackend route_{}\n{servers}", word(&place.name))
}

/// How TLS is spoken to a server of this name.
fn tls(name: &str) -> String {
    let name = name.trim_matches(['[', ']']);
    let sni = if server::is_address(name) { String::new() } else { format!(" sni str({name})") };
    format!(" ssl verify required ca-file @system-ca{sni} verifyhost {name}")
}
