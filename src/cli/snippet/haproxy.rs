//! `HAProxy` (2.6 and later): a script in its Lua asks, since it has no directive for it.

use super::{Place, Told, lines, word};

/// Two files, one after the other.
pub(super) fn text(told: &Told) -> String {
    format!("{}\n{}", script(told), configuration(told))
}

fn script(told: &Told) -> String {
    let headers = lines(4, &told.headers, |header| format!("\"{}\",", header.to_ascii_lowercase()));
    let (doorward, prefix) = (told.doorward, &told.prefix);
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
    local answer = core.httpclient():get {{ url = url, headers = asked(txn), timeout = 5000 }}
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

fn configuration(told: &Told) -> String {
    let (doorward, prefix) = (told.doorward, &told.prefix);
    let mut places: Vec<&Place> = told.routes.iter().collect();
    // HAProxy takes the first that matches; a route with a host is nearer than one without.
    places.sort_by_key(|place| (place.host.is_none(), std::cmp::Reverse(place.path.len())));
    let rules: String = places.iter().map(|place| rule(place)).collect();
    let backends: String = places.iter().map(|place| backend(place)).collect();
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
    # Signing in.
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
    server doorward {doorward}
{backends}"
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

fn backend(place: &Place) -> String {
    let tls = if place.upstream.starts_with("https://") { " ssl verify required ca-file @system-ca" } else { "" };
    format!("\nbackend route_{}\n    server app {}{tls}\n", word(&place.name), place.address())
}
