//! nginx: `auth_request` (`ngx_http_auth_request_module`, in every packaged nginx).

use super::server::{self, AUTHORITIES, Server, Speech};
use super::{Place, Told, lines, word};

/// For the `http` block.
pub(super) fn text(told: &Told) -> String {
    let groups: String = told.routes.iter().map(group).collect();
    let servers: String = told.hosts().into_iter().map(|host| server(told, Some(host))).collect();
    format!(
        "# nginx: in the http block. nginx's own address belongs into forward_auth.trusted_proxies of Doorward,
# and into listen.trusted_proxies, so that people's addresses are known when they sign in.
upstream doorward {{
    server {};
    keepalive 16;
}}
{groups}{}{servers}",
        told.doorward,
        others(told)
    )
}

/// An app's addresses.
fn group(place: &Place) -> String {
    let line = |(server, share): (&Server, u32)| {
        let socket = if server.speech == Speech::Unix { "unix:" } else { "" };
        let weight = if share == 1 { String::new() } else { format!(" weight={share}") };
        format!("    server {socket}{}{weight};\n", server.address)
    };
    let servers: String = server::shares(&place.servers).map(line).collect();
    format!("upstream route_{} {{\n{servers}}}\n", word(&place.name))
}

/// What is asked for a host that has no server of its own.
fn others(told: &Told) -> String {
    if told.takes_all_hosts() {
        return server(told, None);
    }
    "
# A host that is none of these.
server {
    # Yours: listen 443 ssl default_server, and ssl_reject_handshake on.
    listen 80 default_server;
    server_name _;
    return 404;
}
"
    .to_owned()
}

/// How TLS is spoken to a server of this name.
fn tls(indent: usize, name: &str) -> String {
    let lines = [
        "proxy_ssl_server_name on;".to_owned(),
        format!("proxy_ssl_name {};", name.trim_matches(['[', ']'])),
        "proxy_ssl_verify on;".to_owned(),
        "proxy_ssl_verify_depth 4;".to_owned(),
        format!("proxy_ssl_trusted_certificate {AUTHORITIES};"),
    ];
    super::lines(indent, &lines, str::to_owned)
}

fn server(told: &Told, host: Option<&str>) -> String {
    let (prefix, doorward) = (&told.prefix, format!("{}://doorward", told.scheme()));
    let of_host = |place: &&Place| place.host.as_deref() == host;
    let places: String = told.routes.iter().filter(of_host).map(|place| location(told, place)).collect();
    let (listen, host) = host.map_or(("80 default_server", "_"), |host| ("80", host));
    let tls = if told.is_tls { tls(8, &told.host) } else { String::new() };
    format!(
        r#"
server {{
    # Yours: listen 443 ssl, and your certificate.
    listen {listen};
    server_name {host};

    # Signing in.
    location {prefix}/ {{
        proxy_pass {doorward};
{tls}        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header Forwarded "";
    }}

    # May it pass? nginx asks, and nobody else can.
    location = /.doorward-check {{
        internal;
        proxy_pass {doorward}{prefix}/check/nginx;
{tls}        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Method "";
        proxy_set_header X-Forwarded-Proto "";
        proxy_set_header X-Forwarded-Host "";
        proxy_set_header X-Forwarded-Uri "";
        proxy_set_header X-Original-URI "";
        proxy_set_header X-Rewrite-URL "";
        proxy_set_header Forwarded "";
    }}

    location @doorward_sign_in {{
        if ($doorward_location = "") {{
            return 401;
        }}
        return 302 $doorward_location;
    }}
{places}}}
"#
    )
}

fn location(told: &Told, place: &Place) -> String {
    let (folder, name) = (place.folder(), &place.name);
    let first = place.servers.first().filter(|server| server.speech == Speech::Https);
    let (upstream, tls) =
        (format!("{}://route_{}", if first.is_some() { "https" } else { "http" }, word(name)), first.map(|server| tls(8, server.host())));
    let tls = tls.unwrap_or_default();
    let kept = lines(8, &told.headers, |header| format!("auth_request_set $doorward_{} $upstream_http_{};", word(header), word(header)));
    let set = lines(8, &told.headers, |header| format!("proxy_set_header {header} $doorward_{};", word(header)));
    let exact =
        if place.is_root() { String::new() } else { format!("    location = {} {{ return 308 {folder}$is_args$args; }}\n", place.path) };
    format!(
        r#"
    # {name}
{exact}    location {folder} {{
        auth_request /.doorward-check;
        auth_request_set $doorward_location $upstream_http_location;
        error_page 401 = @doorward_sign_in;
        # A session that was renewed in passing.
        auth_request_set $doorward_set_cookie_1 $upstream_http_x_doorward_set_cookie_1;
        auth_request_set $doorward_set_cookie_2 $upstream_http_x_doorward_set_cookie_2;
        add_header Set-Cookie $doorward_set_cookie_1 always;
        add_header Set-Cookie $doorward_set_cookie_2 always;
        # Who is there. What the client says of it goes.
{kept}{set}        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header Forwarded "";
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $http_connection;
        proxy_pass {upstream};
{tls}    }}
"#
    )
}
