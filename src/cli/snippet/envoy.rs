//! Envoy: the filter `ext_authz` over HTTP, with the routes and clusters that it needs.

use super::{Place, Told, lines};

/// A static configuration, to start with or to take the parts from.
pub(super) fn text(told: &Told) -> String {
    let headers: Vec<String> = told.headers.iter().map(|header| header.to_ascii_lowercase()).collect();
    let told_on = lines(22, &headers, |header| format!("- exact: {header}"));
    let hosts: String = hosts(told).into_iter().map(|host| virtual_host(told, host)).collect();
    let clusters: String = told.routes.iter().map(|place| cluster(&place.name, place.address())).collect();
    let (prefix, own) = (&told.prefix, cluster("doorward", &told.doorward.to_string()));
    format!(
        r#"# Envoy: a static configuration. Envoy's own address belongs into forward_auth.trusted_proxies of Doorward,
# and into listen.trusted_proxies, so that people's addresses are known when they sign in.
static_resources:
  listeners:
    - name: public
      # Yours: the port, and a transport_socket with your certificate.
      address: {{ socket_address: {{ address: 0.0.0.0, port_value: 80 }} }}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: public
                use_remote_address: true
                normalize_path: false
                upgrade_configs: [{{ upgrade_type: websocket }}]
                common_http_protocol_options: {{ headers_with_underscores_action: REJECT_REQUEST }}
                route_config:
                  virtual_hosts:
{hosts}                http_filters:
                  - name: envoy.filters.http.ext_authz
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
                      failure_mode_allow: false
                      allowed_headers: {{ patterns: [{{ safe_regex: {{ regex: ".*" }} }}] }}
                      http_service:
                        server_uri: {{ uri: "http://doorward", cluster: doorward, timeout: 5s }}
                        path_prefix: {prefix}/check/envoy
                        authorization_response:
                          # Who is there. What the client says of it goes.
                          allowed_upstream_headers:
                            patterns:
{}                          # A session that was renewed in passing.
                          allowed_client_headers_on_success: {{ patterns: [{{ exact: set-cookie }}] }}
                          allowed_client_headers:
                            patterns:
                              - exact: location
                              - exact: set-cookie
                              - exact: www-authenticate
                              - exact: content-type
                              - exact: cache-control
                              - exact: retry-after
                              - exact: x-request-id
                  - name: envoy.filters.http.router
                    typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
{own}{clusters}"#,
        told_on.replace(&" ".repeat(22), &" ".repeat(30))
    )
}

fn hosts(told: &Told) -> Vec<&str> {
    let mut hosts: Vec<&str> = Vec::new();
    for place in &told.routes {
        let host = place.host.as_deref().unwrap_or("*");
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

fn virtual_host(told: &Told, host: &str) -> String {
    let of_host = |place: &&Place| place.host.as_deref().unwrap_or("*") == host;
    let mut places: Vec<&Place> = told.routes.iter().filter(of_host).collect();
    // Envoy takes the first that matches.
    places.sort_by_key(|place| std::cmp::Reverse(place.path.len()));
    let routes: String = places.into_iter().map(route).collect();
    let domains = if host == "*" { "\"*\"".to_owned() } else { format!("\"{host}\", \"{host}:*\"") };
    format!(
        r#"                    - name: "{host}"
                      domains: [{domains}]
                      routes:
                        # Signing in.
                        - match: {{ prefix: "{}/" }}
                          route: {{ cluster: doorward, timeout: 0s }}
                          typed_per_filter_config:
                            envoy.filters.http.ext_authz:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                              disabled: true
{routes}"#,
        told.prefix
    )
}

fn route(place: &Place) -> String {
    let matched = if place.is_root() {
        "prefix: \"/\"".to_owned()
    } else {
        format!("path_separated_prefix: \"{}\"", place.path.trim_end_matches('/'))
    };
    format!(
        "                        - match: {{ {matched} }}\n                          route: {{ cluster: {}, timeout: 0s }}\n",
        place.name
    )
}

fn cluster(name: &str, address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
    let host = host.trim_matches(['[', ']']);
    format!(
        r"    - name: {name}
      type: STRICT_DNS
      connect_timeout: 5s
      load_assignment:
        cluster_name: {name}
        endpoints:
          - lb_endpoints:
              - endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {port} }} }} }}
"
    )
}
