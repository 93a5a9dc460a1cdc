//! Who is calling: the peer, or, when the peer is a proxy that we trust, whom it names. And what the upstream is told of it.
//!
//! Apart from the phases, because it is pure: an address and headers go in, a [`Caller`] comes out.
//!
//! Forwarded headers are lists that grow to the right: every proxy appends whom it spoke to. So they are read from the right,
//! as long as what stands there is a proxy that we trust. Everything to the left of the first address that we do not trust was
//! written by a stranger, and is not told on.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::Proxy;
use crate::client::Client;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// A request's name, in logs and replies, here and at the app.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What only a proxy may say about a request. A client's own are removed, in every spelling (`X_Forwarded_For`).
const SAID_BY_PROXIES: [&str; 14] = [
    "forwarded",
    "x-real-ip",
    "x-scheme",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-rewrite-url",
    "x-request-id",
    "x-client-ip",
    "x-cluster-client-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];
/// And all that begins so.
const FORWARDED_AS: &str = "x-forwarded-";

/// What some servers take for something that it is not: in CGI a field `Proxy` is the variable that says where requests go
/// (CVE-2016-5385), and another spelling of how the body is framed is that.
const PROXY: &str = "proxy";
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// The longest request id that is kept from a trusted proxy.
const LONGEST_REQUEST_ID: usize = 64;

/// Who is calling, and through whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// Who is calling.
    pub client: Client,
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The client, then the trusted proxies it came through, outermost first; none, where it came through none.
    chain: Option<String>,
    /// The request id that a trusted proxy gave, if it is a plain one.
    pub request_id: Option<String>,
}

/// What the connection itself says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection {
    /// The other end; this machine's own address for who came through a Unix socket.
    pub peer: IpAddr,
    /// Did it come through a Unix socket?
    pub is_unix: bool,
    /// Is it TLS, ended here?
    pub secure: bool,
}

/// Whose forwarded headers are believed.
#[derive(Debug, Clone, Default)]
pub(super) struct Trusted {
    /// Proxies by their address.
    networks: Vec<IpNet>,
    /// Who comes through a Unix socket.
    unix: bool,
}

impl Trusted {
    /// As the configuration names them.
    pub(super) fn new(named: &[Proxy]) -> Self {
        let networks = named.iter().filter_map(|proxy| if let Proxy::Network(network) = proxy { Some(*network) } else { None });
        Self { networks: networks.collect(), unix: named.contains(&Proxy::Unix) }
    }

    /// Is this peer one of them?
    pub(super) fn has(&self, peer: IpAddr, is_unix: bool) -> bool {
        if is_unix { self.unix } else { is_trusted(peer.to_canonical(), &self.networks) }
    }
}

impl Caller {
    /// Who sent `headers` over `connection`.
    pub(super) fn find(connection: Connection, headers: &HeaderMap, trusted: &Trusted) -> Self {
        let peer = connection.peer.to_canonical();
        let host = text(headers.get(HOST)).to_owned();
        if !trusted.has(peer, connection.is_unix) {
            let client = Client { address: peer, secure: connection.secure, host };
            return Self { client, peer, chain: None, request_id: None };
        }
        let said = Said::read(headers);
        let (path, behind) = walk(peer, &said.addresses, &trusted.networks);
        let secure = said.proto(behind).unwrap_or(connection.secure);
        let host = said.host(behind).unwrap_or(host);
        let address = path.first().copied().unwrap_or(peer);
        let chain = path.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        Self { client: Client { address, secure, host }, peer, chain: Some(chain), request_id: plain_request_id(headers) }
    }

    /// Tell the upstream, in the place of all that the client said of it. `host` is the client's own `Host`; `prefix` is the part
    /// of the path that was taken off.
    ///
    /// # Errors
    /// Those of `tell`.
    pub(super) fn forwarded<E>(
        &self,
        request_id: &str,
        host: Option<&HeaderValue>,
        prefix: Option<&str>,
        mut tell: impl FnMut(&'static str, HeaderValue) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut some = |name, value: Option<HeaderValue>| value.map_or(Ok(()), |value| tell(name, value));
        let address = HeaderValue::try_from(self.client.address.to_string()).ok();
        let chain = self.chain.as_deref().map_or_else(|| address.clone(), |chain| HeaderValue::from_str(chain).ok());
        some("x-forwarded-for", chain)?;
        some("x-forwarded-proto", Some(HeaderValue::from_static(if self.client.secure { "https" } else { "http" })))?;
        // It is the same, most times, and then needs no copy.
        let same = host.filter(|host| host.as_bytes() == self.client.host.as_bytes()).cloned();
        some("x-forwarded-host", same.or_else(|| HeaderValue::from_str(&self.client.host).ok()))?;
        some("x-real-ip", address)?;
        some("x-request-id", HeaderValue::from_str(request_id).ok())?;
        some("x-forwarded-prefix", prefix.and_then(|prefix| HeaderValue::from_str(prefix).ok()))
    }
}

impl Caller {
    /// The same, as it stands on the wire.
    pub(super) fn forwarded_to(&self, request_id: &str, prefix: Option<&str>, mut tell: impl FnMut(&'static str, &[u8])) {
        let address = written(self.client.address);
        tell("x-forwarded-for", self.chain.as_deref().map_or(&address, str::as_bytes));
        tell("x-forwarded-proto", if self.client.secure { b"https" } else { b"http" });
        tell("x-forwarded-host", self.client.host.as_bytes());
        tell("x-real-ip", &address);
        tell("x-request-id", request_id.as_bytes());
        if let Some(prefix) = prefix {
            tell("x-forwarded-prefix", prefix.as_bytes());
        }
    }
}

/// An address as it is written; those of four octets by hand, since every request has one.
fn written(address: IpAddr) -> Vec<u8> {
    let IpAddr::V4(four) = address else { return address.to_string().into_bytes() };
    let mut text = Vec::with_capacity(16);
    for octet in four.octets() {
        if !text.is_empty() {
            text.push(b'.');
        }
        for (least, power) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= least {
                text.push(b'0' + octet / power % 10);
            }
        }
    }
    text
}

/// Is this a name that only a proxy may say, however it is spelled, or one that is taken for something else?
pub(super) fn is_said_by_proxies(name: &str) -> bool {
    // All of them begin so: most headers are none by their first letter alone.
    if !matches!(name.as_bytes().first(), Some(b'x' | b'f' | b'c' | b't' | b'p')) {
        return false;
    }
    if name == PROXY || FRAMING.iter().any(|plain| name != *plain && folds_to(name, plain)) {
        return true;
    }
    let forwarded = name.get(..FORWARDED_AS.len()).is_some_and(|start| folds_to(start, FORWARDED_AS));
    forwarded || SAID_BY_PROXIES.iter().any(|said| folds_to(name, said))
}

/// Does `name` read as `plain`, once everything that is neither letter nor digit is a hyphen? Names are lower case already.
fn folds_to(name: &str, plain: &str) -> bool {
    let fold = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    name.len() == plain.len() && name.bytes().map(fold).eq(plain.bytes())
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// From the peer outwards, as far as it can be believed: the addresses, outermost first, and how many proxies stand between
/// the peer and the client.
fn walk(peer: IpAddr, addresses: &[Option<IpAddr>], trusted: &[IpNet]) -> (Vec<IpAddr>, usize) {
    let mut path = vec![peer];
    let mut behind = 0;
    for address in addresses.iter().rev() {
        // Garbage, or a name that hides: what is left of it cannot be placed.
        let Some(address) = *address else { break };
        path.push(address);
        if !is_trusted(address, trusted) {
            break;
        }
        behind += 1;
    }
    path.reverse();
    (path, behind)
}

/// What forwarded headers say, leftmost first. `X-Forwarded-*` counts where it is there, else `Forwarded` (RFC 7239): a
/// trusted proxy must write or remove the one that it does not speak.
#[derive(Debug, Default)]
struct Said {
    addresses: Vec<Option<IpAddr>>,
    protos: Vec<String>,
    hosts: Vec<String>,
}

impl Said {
    fn read(headers: &HeaderMap) -> Self {
        let standard = elements(headers, &FORWARDED);
        let addresses = match elements(headers, &FORWARDED_FOR) {
            list if list.is_empty() => standard.iter().map(|element| parameter(element, "for").and_then(|node| address(&node))).collect(),
            list => list.iter().map(|element| address(element)).collect(),
        };
        Self {
            addresses,
            protos: either(headers, &FORWARDED_PROTO, &standard, "proto"),
            hosts: either(headers, &FORWARDED_HOST, &standard, "host"),
        }
    }

    /// Did the client come by TLS to the outermost proxy that we trust?
    fn proto(&self, behind: usize) -> Option<bool> {
        match at(&self.protos, behind)?.to_ascii_lowercase().as_str() {
            "https" | "wss" => Some(true),
            "http" | "ws" => Some(false),
            _ => None,
        }
    }

    /// The host that the client asked the outermost trusted proxy for.
    fn host(&self, behind: usize) -> Option<String> {
        at(&self.hosts, behind).filter(|host| is_host(host)).map(str::to_owned)
    }
}

/// The element that the proxy wrote which is `behind` proxies away; the leftmost when there are fewer: each proxy either
/// appends or leaves what is there.
fn at(list: &[String], behind: usize) -> Option<&str> {
    list.iter().rev().nth(behind).or_else(|| list.first()).map(String::as_str)
}

fn either(headers: &HeaderMap, name: &HeaderName, standard: &[String], key: &str) -> Vec<String> {
    match elements(headers, name) {
        list if list.is_empty() => standard.iter().filter_map(|element| parameter(element, key)).collect(),
        list => list,
    }
}

/// The elements of a list header, all its lines together (RFC 9110 §5.3).
fn elements(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| text(Some(line)).split(',')).map(|element| element.trim().to_owned()).collect()
}

/// The value of a parameter of one `Forwarded` element, without quotes (RFC 7239 §4). No parameter that we read may hold a
/// comma or a semicolon, so an element that was cut in the middle of a quoted one is garbage, as it should be.
fn parameter(element: &str, key: &str) -> Option<String> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(key))?;
    let value = value.trim();
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value).to_owned())
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`. An address of one link alone (`fe80::1%2`)
/// says nothing here.
fn address(text: &str) -> Option<IpAddr> {
    if text.contains('%') {
        return None;
    }
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let bare = text.parse().ok().or_else(bracketed);
    bare.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).map(|address: IpAddr| address.to_canonical())
}

/// A host with an optional port, as a URL writes it.
pub(super) fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(plain)
}

fn plain_request_id(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(REQUEST_ID).into_iter();
    let id = text(all.next());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_plain = !id.is_empty() && id.len() <= LONGEST_REQUEST_ID && id.bytes().all(plain);
    (is_plain && all.next().is_none()).then(|| id.to_owned())
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let all = lines.iter();
        all.map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn caller(peer: &str, lines: &[(&str, &str)]) -> Caller {
        let trusted = Trusted { networks: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], unix: false };
        let connection = Connection { peer: peer.parse().unwrap(), is_unix: false, secure: false };
        let mut all = vec![("host", "wiki.example.com:8080")];
        all.extend(lines);
        Caller::find(connection, &headers(&all), &trusted)
    }

    #[test]
    fn an_address_is_written_as_everybody_writes_it() {
        for address in ["0.0.0.0", "127.0.0.1", "255.255.255.255", "9.10.99.100", "200.5.0.42", "2001:db8::1", "::ffff:1.2.3.4"] {
            assert_eq!(String::from_utf8(written(address.parse().unwrap())).unwrap(), address);
        }
    }

    #[test]
    fn a_stranger_speaks_for_itself_only() {
        let lines = [
            ("x-forwarded-for", "198.51.100.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "for=198.51.100.9;proto=https;host=evil.example"),
            ("x-request-id", "chosen"),
        ];
        let found = caller("192.0.2.7", &lines);
        assert_eq!(found.client, Client { address: "192.0.2.7".parse().unwrap(), secure: false, host: "wiki.example.com:8080".into() });
        assert_eq!(
            (found.chain.clone().unwrap_or_else(|| found.client.address.to_string()).as_str(), found.request_id),
            ("192.0.2.7", None)
        );
    }

    #[test]
    fn who_comes_through_a_unix_socket_is_believed_where_that_is_said() {
        let peer = "127.0.0.1".parse().unwrap();
        for (named, is_unix, believed) in [
            (vec![], true, false),
            (vec![Proxy::Unix], true, true),
            (vec![Proxy::Unix], false, false),
            (vec![Proxy::Network("127.0.0.0/8".parse().unwrap())], true, false),
            (vec![Proxy::Network("127.0.0.0/8".parse().unwrap())], false, true),
        ] {
            assert_eq!(Trusted::new(&named).has(peer, is_unix), believed, "{named:?} {is_unix}");
        }
    }

    #[test]
    fn a_list_is_read_from_the_right_as_far_as_it_is_trusted() {
        for (list, client, chain) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
            ("198.51.100.9, 192.0.2.7", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
            ("198.51.100.9, 192.0.2.7, 10.0.0.2", "192.0.2.7", "192.0.2.7, 10.0.0.2, 10.0.0.1"),
            ("198.51.100.9, 192.0.2.7, fd00::2, 10.0.0.2", "192.0.2.7", "192.0.2.7, fd00::2, 10.0.0.2, 10.0.0.1"),
            ("10.0.0.9, 10.0.0.2", "10.0.0.9", "10.0.0.9, 10.0.0.2, 10.0.0.1"),
            ("192.0.2.7:4711", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
            ("[2001:db8::7]:4711", "2001:db8::7", "2001:db8::7, 10.0.0.1"),
            ("[fe80::7%2]:4711", "10.0.0.1", "10.0.0.1"),
            ("192.0.2.7, unknown", "10.0.0.1", "10.0.0.1"),
            ("192.0.2.7, unknown, 10.0.0.2", "10.0.0.2", "10.0.0.2, 10.0.0.1"),
            ("192.0.2.7,, 10.0.0.2", "10.0.0.2", "10.0.0.2, 10.0.0.1"),
            ("", "10.0.0.1", "10.0.0.1"),
            ("'; drop table", "10.0.0.1", "10.0.0.1"),
        ] {
            let found = caller(PROXY, &[("x-forwarded-for", list)]);
            assert_eq!(
                (found.client.address, found.chain.clone().unwrap_or_else(|| found.client.address.to_string()).as_str()),
                (client.parse().unwrap(), chain),
                "{list}"
            );
        }
    }

    #[test]
    fn repeated_lines_are_one_list() {
        let found =
            caller(PROXY, &[("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "10.0.0.2")]);
        assert_eq!(found.client.address.to_string(), "192.0.2.7");
    }

    #[test]
    fn the_standard_header_says_the_same() {
        for (line, address, secure, host) in [
            ("for=192.0.2.7;proto=https;host=a.example", "192.0.2.7", true, "a.example"),
            ("For=\"[2001:db8::7]:80\"; Proto=http", "2001:db8::7", false, "wiki.example.com:8080"),
            ("for=192.0.2.7;proto=https, for=10.0.0.2;proto=http", "192.0.2.7", true, "wiki.example.com:8080"),
            ("for=_hidden, for=10.0.0.2", "10.0.0.2", false, "wiki.example.com:8080"),
            ("proto=https", "10.0.0.1", true, "wiki.example.com:8080"),
        ] {
            let found = caller(PROXY, &[("forwarded", line)]);
            assert_eq!(
                (found.client.address.to_string().as_str(), found.client.secure, found.client.host.as_str()),
                (address, secure, host),
                "{line}"
            );
        }
        let both = caller(PROXY, &[("forwarded", "for=198.51.100.9"), ("x-forwarded-for", "192.0.2.7")]);
        assert_eq!(both.client.address.to_string(), "192.0.2.7");
    }

    #[test]
    fn proto_and_host_are_those_of_the_outermost_trusted_proxy() {
        for (chain, proto, secure) in [
            ("192.0.2.7", "https", true),
            ("192.0.2.7", "HTTPS", true),
            ("192.0.2.7", "https, http", false),
            ("192.0.2.7, 10.0.0.2", "https, http", true),
            ("192.0.2.7, 10.0.0.2", "https", true),
            ("192.0.2.7", "gopher", false),
        ] {
            let found = caller(PROXY, &[("x-forwarded-for", chain), ("x-forwarded-proto", proto)]);
            assert_eq!(found.client.secure, secure, "{chain} {proto}");
        }
        for (said, host) in
            [("a.example", "a.example"), ("evil.example, a.example:8443", "a.example:8443"), ("a.example/x", "wiki.example.com:8080")]
        {
            let found = caller(PROXY, &[("x-forwarded-for", "192.0.2.7"), ("x-forwarded-host", said)]);
            assert_eq!(found.client.host, host, "{said}");
        }
    }

    #[test]
    fn a_request_id_is_kept_when_it_is_plain() {
        let longest = "a".repeat(64);
        let too_long = "a".repeat(65);
        for (id, kept) in
            [("abc-1.2_Z", true), (longest.as_str(), true), (too_long.as_str(), false), ("a b", false), ("a\"b", false), ("", false)]
        {
            assert_eq!(caller(PROXY, &[("x-request-id", id)]).request_id.is_some(), kept, "{id}");
        }
        assert_eq!(caller(PROXY, &[("x-request-id", "a"), ("x-request-id", "b")]).request_id, None);
    }

    #[test]
    fn the_upstream_is_told_once_and_by_us() {
        let said = headers(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("X_Forwarded_For", "1.1.1.1"),
            ("x.real.ip", "1.1.1.1"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-forwarded-port", "1"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-prefix", "/evil"),
            ("proxy", "http://evil.example"),
            ("content_length", "0"),
            ("transfer.encoding", "chunked"),
            ("accept", "*/*"),
            ("content-length", "0"),
            ("transfer-encoding", "chunked"),
        ]);
        let removed: Vec<_> = said.keys().filter(|name| is_said_by_proxies(name.as_str())).collect();
        let stays = ["accept", "content-length", "transfer-encoding"];
        assert_eq!((removed.len(), removed.iter().any(|name| stays.contains(&name.as_str()))), (11, false));
        let mut told = Vec::new();
        let mut tell = |name: &'static str, value: HeaderValue| {
            told.push((name, value.to_str().unwrap().to_owned()));
            Ok::<(), ()>(())
        };
        caller("192.0.2.7", &[]).forwarded("id-1", None, Some("/wiki"), &mut tell).unwrap();
        let expected = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "wiki.example.com:8080"),
            ("x-real-ip", "192.0.2.7"),
            ("x-request-id", "id-1"),
            ("x-forwarded-prefix", "/wiki"),
        ];
        assert_eq!(told, expected.map(|(name, value)| (name, value.to_owned())));
    }
}
