//! The proxies that ask, each in its own words.

/// How a proxy says what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// nginx `auth_request`: `X-Original-Method`, `X-Original-URL`.
    Nginx,
    /// Traefik `ForwardAuth`: `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`.
    Traefik,
    /// Caddy `forward_auth`: as Traefik.
    Caddy,
    /// Envoy `ext_authz` over HTTP: the request itself, its path after ours.
    Envoy,
    /// `HAProxy`, by a script: as Traefik.
    Haproxy,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nginx, Self::Traefik, Self::Caddy, Self::Envoy, Self::Haproxy];

    /// As the path and the command line name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Haproxy => "haproxy",
        }
    }

    /// The dialect that a path under our prefix is for, and what comes after its name. Only Envoy writes on.
    pub(in crate::endpoint) fn at(path: &str) -> Option<(Self, &str)> {
        let rest = path.strip_prefix("/check/")?;
        Self::ALL.into_iter().find_map(|dialect| {
            let below = rest.strip_prefix(dialect.name())?;
            let is_it = below.is_empty() || (dialect == Self::Envoy && below.starts_with('/'));
            is_it.then_some((dialect, below))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_dialect() {
        assert_eq!(Dialect::at("/check/nginx"), Some((Dialect::Nginx, "")));
        assert_eq!(Dialect::at("/check/envoy"), Some((Dialect::Envoy, "")));
        assert_eq!(Dialect::at("/check/envoy/a//b"), Some((Dialect::Envoy, "/a//b")));
        for path in ["/check", "/check/", "/check/nginx/", "/check/nginx/a", "/check/NGINX", "/check/envoys", "/check/apache", "/login"] {
            assert_eq!(Dialect::at(path), None, "{path}");
        }
    }
}
