//! nginx: `auth_request` (`ngx_http_auth_request_module`, in every packaged nginx).

use super::{Place, Told, lines, word};

/// For the `http` block.
pub(super) fn text(told: &Told) -> String {
    let mut hosts: Vec<&str> = Vec::new();
    for place in &told.routes {
        let host = place.host.as_deref().unwrap_or("_");
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let servers: String = hosts.into_iter().map(|host| server(told, host)).collect();
    format!(
        "# nginx: in the http block. nginx's own address belongs into forward_auth.trusted_proxies of Doorward,
# and into listen.trusted_proxies, so that people's addresses are known when they sign in.
upstream doorward {{
    server {};
    keepalive 16;
}}
{servers}",
        told.doorward
    )
}

fn server(told: &Told, host: &str) -> String {
    let (prefix, doorward) = (&told.prefix, "http://doorward");
    let of_host = |place: &&Place| place.host.as_deref().unwrap_or("_") == host;
    let places: String = told.routes.iter().filter(of_host).map(|place| location(told, place)).collect();
    format!(
        r#"
server {{
    # Yours: listen 443 ssl, and your certificate.
    listen 80;
    server_name {host};

    # Signing in.
    location {prefix}/ {{
        proxy_pass {doorward};
        proxy_http_version 1.1;
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
        proxy_http_version 1.1;
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
    let (folder, upstream, name) = (place.folder(), &place.upstream, &place.name);
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
    }}
"#
    )
}
