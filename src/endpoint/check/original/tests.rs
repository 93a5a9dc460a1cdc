use super::*;

fn read(dialect: Dialect, below: &str, lines: &[(&str, &str)]) -> Result<Original, Refusal> {
    let mut request = http::Request::builder().method("GET").uri(format!("/auth/check/{}{below}", dialect.name()));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
    Original::read(dialect, &head, below.split('?').next().unwrap(), &trusted)
}

fn original(method: &str) -> Original {
    Original {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        secure: true,
        host: "wiki.example.com".to_owned(),
        target: "/a//b?c=d".to_owned(),
        address: "192.0.2.7".parse().unwrap(),
    }
}

const PARTS: [(&str, &str); 4] = [
    ("x-forwarded-method", "POST"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "wiki.example.com"),
    ("x-forwarded-uri", "/a//b?c=d"),
];

fn parts_and<'a>(line: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    PARTS.into_iter().chain([line]).collect()
}

#[test]
fn each_dialect_has_words_of_its_own() {
    let url = [("x-original-method", "POST"), ("x-original-url", "https://wiki.example.com/a//b?c=d"), ("x-forwarded-for", "192.0.2.7")];
    assert_eq!(read(Dialect::Nginx, "", &url), Ok(original("POST")));
    for dialect in [Dialect::Traefik, Dialect::Caddy, Dialect::Haproxy] {
        assert_eq!(read(dialect, "", &parts_and(("x-forwarded-for", "192.0.2.7"))), Ok(original("POST")), "{dialect:?}");
    }
    let itself = [("host", "wiki.example.com"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "192.0.2.7")];
    assert_eq!(read(Dialect::Envoy, "/a//b?c=d", &itself), Ok(original("GET")));
}

#[test]
fn what_is_missing_is_not_guessed() {
    for left_out in 0..PARTS.len() {
        let lines: Vec<_> = PARTS.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, line)| *line).collect();
        assert_eq!(read(Dialect::Traefik, "", &lines), Err(Refusal::Malformed), "{left_out}");
    }
    for (method, url) in [
        ("", "https://wiki.example.com/"),
        ("GET", ""),
        ("GET", "/path/only"),
        ("GET", "https:///"),
        ("GET", "https://wiki.example.com"),
        ("GET", "https://wiki.example.com?a"),
        ("GET", "https://a@wiki.example.com/"),
        ("GET", "https://wiki.example.com\\@a/"),
        ("GET", "gopher://wiki.example.com/"),
        ("get", "https://wiki.example.com/"),
    ] {
        let lines = [("x-original-method", method), ("x-original-url", url)];
        assert_eq!(read(Dialect::Nginx, "", &lines), Err(Refusal::Malformed), "{method} {url}");
    }
    assert_eq!(read(Dialect::Envoy, "/", &[("host", "wiki.example.com")]), Err(Refusal::Malformed));
}

#[test]
fn two_dialects_must_say_the_same() {
    for line in [
        ("x-original-method", "POST"),
        ("x-original-url", "https://wiki.example.com/a//b?c=d"),
        ("x-original-uri", "/a//b?c=d"),
        ("x-rewrite-url", "/a//b?c=d"),
    ] {
        assert!(read(Dialect::Traefik, "", &parts_and(line)).is_ok(), "{line:?}");
    }
    for line in [
        ("x-original-method", "GET"),
        ("x-original-url", "https://wiki.example.com/public"),
        ("x-original-url", "https://other.example.com/a//b?c=d"),
        ("x-original-url", "http://wiki.example.com/a//b?c=d"),
        ("x-original-uri", "/public"),
        ("x-rewrite-url", "/public"),
    ] {
        assert_eq!(read(Dialect::Traefik, "", &parts_and(line)), Err(Refusal::Malformed), "{line:?}");
    }
}

#[test]
fn one_header_twice_is_refused() {
    for line in PARTS {
        assert_eq!(read(Dialect::Caddy, "", &parts_and(line)), Err(Refusal::Malformed), "{line:?}");
    }
}

#[test]
fn the_client_is_found_from_the_right() {
    for (list, address) in [
        ("192.0.2.7", "192.0.2.7"),
        ("198.51.100.9, 192.0.2.7", "192.0.2.7"),
        ("198.51.100.9, 192.0.2.7, 10.0.0.3", "192.0.2.7"),
        ("10.0.0.4, 10.0.0.3", "10.0.0.4"),
        ("192.0.2.7, unknown", "0.0.0.0"),
        ("", "0.0.0.0"),
    ] {
        let found = read(Dialect::Traefik, "", &parts_and(("x-forwarded-for", list))).unwrap();
        assert_eq!(found.address.to_string(), address, "{list}");
    }
    assert_eq!(read(Dialect::Traefik, "", &PARTS).unwrap().address.to_string(), "0.0.0.0");
}
