//! Envoy: the filter `ext_authz` over HTTP, with the routes and clusters that it needs.

use super::server::{self, AUTHORITIES, Server, Speech};
use super::{Place, Told, lines};

/// A static configuration, to start with or to take the parts from.
pub(super) fn text(told: &Told) -> String {
    let headers: Vec<String> = told.headers.iter().map(|header| header.to_ascii_lowercase()).collect();
    let told_on = lines(22, &headers, |header| format!("- exact: {header}"));
    let all = if told.takes_all_hosts() { vec!["*"] } else { Vec::new() };
    let hosts: String = told.hosts().into_iter().chain(all).map(|host| virtual_host(told, host)).collect();
    let clusters: String = told.routes.iter().map(|place| cluster(&place.name, &place.servers, None)).collect();
    let speech = if told.is_tls { Speech::Https } else { Speech::Http };
    let door = [Server { speech, address: told.doorward.to_string(), weight: 1 }];
    let (prefix, own) = (&told.prefix, cluster("doorward", &door, Some(&told.host)));
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
                  ignore_port_in_host_matching: true
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

fn virtual_host(told: &Told, host: &str) -> String {
    let of_host = |place: &&Place| place.host.as_deref().unwrap_or("*") == host;
    let mut places: Vec<&Place> = told.routes.iter().filter(of_host).collect();
    // Envoy takes the first that matches.
    places.sort_by_key(|place| std::cmp::Reverse(place.path.len()));
    let routes: String = places.into_iter().map(route).collect();
    format!(
        r#"                    - name: "{host}"
                      domains: ["{host}"]
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

/// Where something is; TLS is spoken to `name`, or to the name of the first address.
fn cluster(cluster: &str, servers: &[Server], name: Option<&str>) -> String {
    let endpoints: String = server::shares(servers).map(endpoint).collect();
    let first = servers.first();
    let spoken = match first.map(|server| server.speech) {
        Some(Speech::Https) => tls(name.or_else(|| first.map(Server::host)).unwrap_or_default()),
        Some(Speech::H2c) => HTTP_2.to_owned(),
        Some(Speech::Http | Speech::Unix) | None => String::new(),
    };
    // What has no name is not looked up.
    let kind = if first.is_some_and(|server| server.speech == Speech::Unix) { "STATIC" } else { "STRICT_DNS" };
    format!(
        r"    - name: {cluster}
      type: {kind}
      connect_timeout: 5s
{spoken}      load_assignment:
        cluster_name: {cluster}
        endpoints:
          - lb_endpoints:
{endpoints}"
    )
}

fn endpoint((server, share): (&Server, u32)) -> String {
    let (host, port) = server.socket();
    let address = if server.speech == Speech::Unix {
        format!("pipe: {{ path: {} }}", server.address)
    } else {
        format!("socket_address: {{ address: \"{host}\", port_value: {port} }}")
    };
    format!("              - endpoint: {{ address: {{ {address} }} }}\n                load_balancing_weight: {share}\n")
}

const HTTP_2: &str = r#"      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
"#;

fn tls(name: &str) -> String {
    let name = name.trim_matches(['[', ']']);
    let (kind, sni) =
        if server::is_address(name) { ("IP_ADDRESS", String::new()) } else { ("DNS", format!("          sni: \"{name}\"\n")) };
    format!(
        r#"      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
{sni}          common_tls_context:
            validation_context:
              trusted_ca: {{ filename: {AUTHORITIES} }}
              match_typed_subject_alt_names: [{{ san_type: {kind}, matcher: {{ exact: "{name}" }} }}]
"#
    )
}
