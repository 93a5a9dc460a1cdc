//! Traefik: the `ForwardAuth` middleware, as a file of the file provider.

use super::{Place, Told, lines};

/// A dynamic configuration.
pub(super) fn text(told: &Told) -> String {
    let (doorward, prefix) = (told.doorward, &told.prefix);
    let headers = lines(10, &told.headers, |header| format!("- {header}"));
    let cookies = lines(10, &told.cookies, |cookie| format!("- {cookie}"));
    let routers: String = told.routes.iter().map(router).collect();
    let services: String = told.routes.iter().map(service).collect();
    format!(
        r#"# Traefik: a file of the file provider. Traefik's own address belongs into forward_auth.trusted_proxies of Doorward,
# and into listen.trusted_proxies, so that people's addresses are known when they sign in.
http:
  middlewares:
    doorward:
      forwardAuth:
        address: "http://{doorward}{prefix}/check/traefik"
        trustForwardHeader: false
        # Who is there. What the client says of it goes.
        authResponseHeaders:
{headers}        # A session that was renewed in passing.
        addAuthCookiesToResponse:
{cookies}
  routers:
    # Signing in.
    doorward:
      rule: "PathPrefix(`{prefix}/`)"
      priority: 1000000
      service: doorward
{routers}
  services:
    doorward:
      loadBalancer:
        servers:
          - url: "http://{doorward}"
{services}"#
    )
}

fn router(place: &Place) -> String {
    let name = &place.name;
    format!("    {name}:\n      rule: \"{}\"\n      middlewares: [doorward]\n      service: {name}\n", rule(place))
}

fn rule(place: &Place) -> String {
    let host = place.host.as_deref().map(|host| match host.strip_prefix("*.") {
        Some(parent) => format!("HostRegexp(`^[^.]+\\\\.{}$`)", parent.replace('.', "\\\\.")),
        None => format!("Host(`{host}`)"),
    });
    let path = match (place.is_root(), &host) {
        (true, Some(_)) => None,
        (true, None) => Some("PathPrefix(`/`)".to_owned()),
        (false, _) => Some(format!("(Path(`{}`) || PathPrefix(`{}`))", place.path, place.folder())),
    };
    host.into_iter().chain(path).collect::<Vec<_>>().join(" && ")
}

fn service(place: &Place) -> String {
    format!("    {}:\n      loadBalancer:\n        servers:\n          - url: \"{}\"\n", place.name, place.upstream)
}
