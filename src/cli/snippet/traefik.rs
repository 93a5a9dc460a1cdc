//! Traefik: the `ForwardAuth` middleware, as a file of the file provider.

use super::server::{self, Server, Speech};
use super::{Place, Told, lines};

/// A dynamic configuration.
pub(super) fn text(told: &Told) -> String {
    let (doorward, scheme, prefix) = (told.doorward, told.scheme(), &told.prefix);
    // The certificate is that of a name, so it is asked for by it.
    let (asked, named, transport) = if told.is_tls {
        let named = "        # This name has to lead to Doorward, whose certificate is verified.\n";
        let transport = format!("\n  serversTransports:\n    doorward:\n      serverName: \"{}\"\n", told.host);
        (format!("{}:{}", told.host, doorward.port()), named, transport)
    } else {
        (doorward.to_string(), "", String::new())
    };
    let through = if told.is_tls { "        serversTransport: doorward\n" } else { "" };
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
{named}        address: "{scheme}://{asked}{prefix}/check/traefik"
        trustForwardHeader: false
        # Who is there. What the client says of it goes.
        authResponseHeaders:
{headers}        # A session that was renewed in passing.
        addAuthCookiesToResponse:
{cookies}
  routers:
    # Signing in.
    doorward:
      rule: "{}PathPrefix(`{prefix}/`)"
      priority: 1000000
      service: doorward
{routers}
  services:
    doorward:
      loadBalancer:
{through}        servers:
          - url: "{scheme}://{doorward}"
{services}{transport}"#,
        known(told)
    )
}

/// Where people can sign in: at the hosts that there are.
fn known(told: &Told) -> String {
    if told.takes_all_hosts() {
        return String::new();
    }
    format!("({}) && ", told.hosts().into_iter().map(named).collect::<Vec<_>>().join(" || "))
}

fn named(host: &str) -> String {
    match host.strip_prefix("*.") {
        Some(parent) => format!("HostRegexp(`^[^.]+\\\\.{}$`)", parent.replace('.', "\\\\.")),
        None => format!("Host(`{host}`)"),
    }
}

fn router(place: &Place) -> String {
    let name = &place.name;
    format!("    {name}:\n      rule: \"{}\"\n      middlewares: [doorward]\n      service: {name}\n", rule(place))
}

fn rule(place: &Place) -> String {
    let host = place.host.as_deref().map(named);
    let path = match (place.is_root(), &host) {
        (true, Some(_)) => None,
        (true, None) => Some("PathPrefix(`/`)".to_owned()),
        (false, _) => Some(format!("(Path(`{}`) || PathPrefix(`{}`))", place.path, place.folder())),
    };
    host.into_iter().chain(path).collect::<Vec<_>>().join(" && ")
}

/// Where the app is: one service, or several with a share each.
fn service(place: &Place) -> String {
    let name = &place.name;
    let one =
        |name: &str, server: &Server| format!("    {name}:\n      loadBalancer:\n        servers:\n          - url: \"{}\"\n", url(server));
    if let [server] = place.servers.as_slice() {
        return one(name, server);
    }
    let shares = (1..).zip(server::shares(&place.servers));
    let (parts, services): (Vec<String>, Vec<String>) = shares
        .map(|(number, (server, share)): (u32, _)| {
            let part = format!("{name}-{number}");
            (format!("          - name: {part}\n            weight: {share}\n"), one(&part, server))
        })
        .unzip();
    format!("    {name}:\n      weighted:\n        services:\n{}{}", parts.concat(), services.concat())
}

fn url(server: &Server) -> String {
    let scheme = match server.speech {
        Speech::Http => "http://",
        Speech::Https => "https://",
        Speech::H2c => "h2c://",
        // Traefik knows none: it says so when it reads this.
        Speech::Unix => "unix:",
    };
    format!("{scheme}{}", server.address)
}
