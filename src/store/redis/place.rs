//! Where Redis is: always at one address, or where sentinels or a cluster say that its primary is at the moment.
//!
//! ```text
//! redis://user:password@host:6379/0
//! redis+sentinel://user:password@host:26379,other:26379/name/0      `name` is what the sentinels call it
//! redis+cluster://user:password@host:6379,other:6379
//! ```

use redis::{ConnectionInfo, IntoConnectionInfo, RedisResult};
use url::Url;

use super::cluster::Clustered;
use crate::secret::Secret;

/// What a URL should be like.
const SHAPE: &str =
    "should be redis://host:port, rediss://host:port, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port";

/// Where sentinels listen when nothing is said.
const SENTINEL_PORT: u16 = 26379;

/// Where Redis is.
#[derive(Debug)]
pub(super) enum Place {
    /// There, always.
    Fixed(ConnectionInfo),
    /// Where sentinels say.
    Watched(Watched),
    /// Where a cluster says.
    Clustered(Clustered),
}

/// A primary that sentinels watch.
#[derive(Debug)]
pub(super) struct Watched {
    /// Those who know.
    pub(super) sentinels: Vec<ConnectionInfo>,
    /// What they call it.
    pub(super) name: String,
    login: Login,
}

/// How one connects, wherever that is.
#[derive(Debug)]
pub(super) struct Login {
    scheme: &'static str,
    /// `user:password@`, as the URL has it.
    user: Secret<String>,
    database: String,
}

/// Is this the URL of a Redis, of sentinels or of a cluster?
///
/// # Errors
/// What it should be, in words.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    Place::read(url).map(|_| ())
}

/// Does a password stand in this URL?
pub fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
}

impl Place {
    pub(super) fn read(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or(SHAPE)?;
        match scheme {
            "redis" | "rediss" => {
                let is_whole = Url::parse(url).is_ok_and(|url| url.has_host());
                url.into_connection_info().ok().filter(|_| is_whole).map(Self::Fixed).ok_or(SHAPE)
            }
            "redis+sentinel" => Watched::read("redis", rest).map(Self::Watched),
            "rediss+sentinel" => Watched::read("rediss", rest).map(Self::Watched),
            "redis+cluster" => Clustered::read("redis", rest).map(Self::Clustered),
            "rediss+cluster" => Clustered::read("rediss", rest).map(Self::Clustered),
            _ => Err(SHAPE),
        }
    }
}

impl Watched {
    fn read(scheme: &'static str, rest: &str) -> Result<Self, &'static str> {
        let (authority, path) = rest.split_once('/').ok_or("should name the primary: redis+sentinel://host:port,host:port/name")?;
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (name, database) = path.split_once('/').unwrap_or((path, "0"));
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if !is_name || database.parse::<i64>().is_err() {
            return Err("should name the primary, and its database at most: redis+sentinel://host:port,host:port/name/0");
        }
        // Sentinels are asked by anybody; who Redis lets in is another matter.
        let sentinels = hosts.split(',').map(|host| sentinel(scheme, host)).collect::<Option<Vec<_>>>();
        let sentinels = sentinels.ok_or("should list sentinels as host:port,host:port")?;
        let watched = Self { sentinels, name: name.to_owned(), login: Login::new(scheme, user, database) };
        watched.at("127.0.0.1", 6379).map_err(|_| SHAPE)?;
        Ok(watched)
    }

    /// The primary, as one connects to it there.
    pub(super) fn at(&self, host: &str, port: u16) -> RedisResult<ConnectionInfo> {
        self.login.at(host, port)
    }
}

impl Login {
    /// `user` is what stands before the `@`; empty where nothing does.
    pub(super) fn new(scheme: &'static str, user: &str, database: &str) -> Self {
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        Self { scheme, user: Secret::new(user), database: database.to_owned() }
    }

    /// As one connects to a Redis there.
    pub(super) fn at(&self, host: &str, port: u16) -> RedisResult<ConnectionInfo> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("{}://{}{host}:{port}/{}", self.scheme, self.user.expose(), self.database).into_connection_info()
    }
}

fn sentinel(scheme: &str, host: &str) -> Option<ConnectionInfo> {
    let (host, port) = host_and_port(scheme, host, SENTINEL_PORT)?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("{scheme}://{host}:{port}/").into_connection_info().ok()
}

/// `host` or `host:port`; an address of IPv6 stands in brackets, and comes without.
pub(super) fn host_and_port(scheme: &str, text: &str, port: u16) -> Option<(String, u16)> {
    let url = Url::parse(&format!("{scheme}://{text}")).ok()?;
    let is_bare = url.path().is_empty() && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let host = url.host_str().filter(|host| is_bare && !host.is_empty())?;
    Some((host.trim_start_matches('[').trim_end_matches(']').to_owned(), url.port().unwrap_or(port)))
}

#[cfg(test)]
mod tests {
    use redis::ConnectionAddr;

    use super::*;

    fn watched(url: &str) -> Watched {
        match Place::read(url) {
            Ok(Place::Watched(watched)) => watched,
            other => panic!("{other:?}"),
        }
    }

    fn tcp(info: &ConnectionInfo) -> (String, u16) {
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host.clone(), *port),
            ConnectionAddr::TcpTls { host, port, .. } => (format!("tls {host}"), *port),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sentinels_are_listed_and_the_primary_is_named() {
        let place = watched("redis+sentinel://door:s%40cret@a.example:26380,b.example,[::1]:1/main/3");
        let listed: Vec<_> = place.sentinels.iter().map(tcp).collect();
        assert_eq!(listed, [("a.example".to_owned(), 26380), ("b.example".to_owned(), 26379), ("::1".to_owned(), 1)]);
        assert_eq!(place.name, "main");
        let primary = place.at("192.0.2.1", 6380).unwrap();
        assert_eq!(tcp(&primary), ("192.0.2.1".to_owned(), 6380));
        let login = primary.redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (Some("door"), Some("s@cret"), 3));
        // Who asks a sentinel says nothing of itself.
        assert_eq!(place.sentinels.first().unwrap().redis_settings().password(), None);
        assert_eq!(tcp(&place.at("2001:db8::1", 1).unwrap()).0, "2001:db8::1");
        assert_eq!(tcp(&watched("rediss+sentinel://a/main").at("b", 1).unwrap()).0, "tls b");
    }

    #[test]
    fn what_is_neither_is_told_what_it_should_be() {
        for url in [
            "",
            "redis",
            "redis://",
            "http://a",
            "redis+sentinel://a:26379",
            "redis+sentinel://a:26379/",
            "redis+sentinel:///main",
            "redis+sentinel://a,,b/main",
            "redis+sentinel://a:x/main",
            "redis+sentinel://a/main/x",
            "redis+sentinel://a/main/0/1",
            "redis+sentinel://a/ma in",
            "redis+cluster://",
            "redis+cluster:///0",
            "redis+cluster://a,,b",
            "redis+cluster://a:x",
            "redis+cluster://a:1,b:2/1",
            "redis+cluster://a/main",
            "redis+cluster://a/0/",
            "redis+cluster://a?b",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
        for url in ["redis://a", "rediss://u:p@a:1/2", "redis+sentinel://a/main", "rediss+sentinel://:p@a:1,b:2/main/0"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in ["redis+cluster://a", "redis+cluster://a/", "rediss+cluster://u:p@a:1,[::1]:2/0"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_password_is_seen_wherever_it_stands() {
        assert!(has_password("redis://:p@a") && has_password("redis+sentinel://u:p@a,b/main"));
        assert!(!has_password("redis://a:6379") && !has_password("redis+sentinel://u@a:1,b:2/main") && !has_password("redis://u:@a"));
    }
}
