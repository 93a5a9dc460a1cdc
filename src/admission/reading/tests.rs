use proptest::prelude::*;

use super::*;

fn readings(path: &str) -> Vec<String> {
    Readings::of(path).unwrap().iter().map(|reading| String::from_utf8_lossy(reading).into_owned()).collect()
}

/// Letter case within ASCII is the comparison's.
fn reads_as(path: &str, reading: &str) {
    assert!(
        readings(path).iter().any(|found| found.eq_ignore_ascii_case(reading)),
        "{path} is not read as {reading}: {:?}",
        readings(path)
    );
}

#[test]
fn a_path_is_read_as_every_server_would() {
    for path in [
        "/pub/../admin",
        "/pub/%2e%2e/admin",
        "/pub/.%2e/admin",
        "/pub/%2E./admin",
        "/pub/%252e%252e/admin",
        "/pub\\..\\admin",
        "/pub/..\\admin",
        "/pub/..%5cadmin",
        "/pub%2f..%2fadmin",
        "/pub/..%2fadmin",
        "/pub/..%252fadmin",
        "/pub/..;/admin",
        "/pub/..;x=1/admin",
        "/pub/%2e%2e%3b/admin",
        "//admin",
        "/%2fadmin",
        "/./admin",
        "/%2e/admin",
        "/admin;x",
        "/admin%3bx",
        "/%61dmin",
        "/%2561dmin",
        "/admin.",
        "/admin%20",
        "/admin%3f",
        "/admin%23/pub",
        "/pub/%c0%ae%c0%ae/admin",
        "/pub%c0%af..%c0%afadmin",
        "/pub/%u002e%u002e/admin",
        "/pub/%e0%80%ae%e0%80%ae/admin",
        "/pub/%f0%80%80%ae%F0%80%80%AE/admin",
        "/pub/%f8%80%80%80%ae%fc%80%80%80%80%ae/admin",
        "/pub/%c0%2e%c0%2e/admin",
        "/pub/%25c0%25ae%25c0%25ae/admin",
        "/pub/%%32%65%%32%65/admin",
        "/pub/..%20/admin",
        "/pub/.%2e%20%20/admin",
        "/pub/%20../admin",
        "/pub/..+/admin",
        "/pub/x/.../admin",
        "/pub/x/..%20./admin",
        "/pub/.../admin",
        "/admin+",
        "/admin%c2%a0",
        "//host/admin",
        "///host/admin",
        "/%5chost/admin",
        "/\\\\host\\admin",
        "/admin;x/y/..",
        "/pub/%2e%2e;x%2fadmin",
        "/ad%ffmin",
        "/ad%min",
        "/ad\u{200b}min",
        "/pub\u{2044}..\u{2044}admin",
        "/pub\u{2216}..\u{a5}admin",
        "/pub/%uff0e%uff0e/admin",
        "/pub/%ef%bc%8e%ef%bc%8e/admin",
        "/pub/\u{2025}/admin",
        "/\u{ff0f}admin",
        "/ａdmin",
        "/adm\u{131}n",
    ] {
        reads_as(path, "/admin");
    }
}

#[test]
fn escapes_of_slashes_are_read_both_ways() {
    let found = readings("/@scope%2Fname/-/x");
    assert!(found.contains(&"/@scope/name/-/x".to_owned()));
    assert!(found.contains(&"/@scope%2Fname/-/x".to_owned()));
    reads_as("/a%5cb/%63", "/a%5cb/c");
    reads_as("/a%5cb%2f%63", "/a%5cb/c");
    reads_as("/a%5cb%2f%63", "/a/b%2fc");
}

#[test]
fn a_letters_case_is_left_to_the_comparison() {
    reads_as("/Wiki/\u{dc}ber", "/Wiki/\u{fc}ber");
    assert!(!readings("/Wiki/\u{dc}ber").iter().any(|reading| reading.starts_with("/wiki")));
}

#[test]
fn bytes_that_are_text_are_not_taken_apart() {
    assert_eq!(readings("/\u{20ac}/\u{1f600}"), ["/\u{20ac}/\u{1f600}"]);
    assert_eq!(overlong(b"/\xe0\xa0\x80\xf0\x90\x80\x80\xc2\x80"), None);
    assert_eq!(overlong(b"/\xc0A\xe0\x80"), None);
    assert_eq!(overlong(b"/\xe0\x9f\xbf\xf0\x8f\xbf\xbf").as_deref(), Some("/\u{7ff}\u{ffff}".as_bytes()));
}

#[test]
fn a_long_s_is_an_s_to_some() {
    reads_as("/\u{17f}ecret", "/secret");
    reads_as("/%e2%84%aaeys", "/keys");
}

#[test]
fn above_the_root_there_is_nothing() {
    reads_as("/../../admin", "/admin");
    reads_as("/a/..", "/");
    reads_as("/a/b/.", "/a/b/");
}

#[test]
fn control_characters_are_refused_in_every_spelling() {
    for path in ["/a%00", "/a%0a", "/a%2500", "/%0d%0ab", "/a%7f", "/%09", "/%u0000", "/%c0%80"] {
        assert_eq!(Readings::of(path).unwrap_err(), Refusal::Malformed, "{path}");
    }
}

#[test]
fn what_nobody_honest_sends_is_given_up_soon() {
    let nested = format!("/%{}2e", "25".repeat(300));
    assert_eq!(Readings::of(&nested).unwrap_err(), Refusal::AmbiguousPath);
    let long = format!("/{}", "%2e/;a\\".repeat(4000));
    assert_eq!(Readings::of(&long).unwrap_err(), Refusal::AmbiguousPath);
}

#[test]
fn escapes_that_are_none_stand_for_themselves() {
    assert_eq!(readings("/100%"), ["/100%", "/100"]);
    assert_eq!(readings("/%zz/%2"), ["/%zz/%2", "/zz/2"]);
    assert_eq!(readings("/.well-known/x"), ["/.well-known/x"]);
}

#[test]
fn plain_is_what_has_one_reading() {
    for path in ["/", "/a", "/a/b-c_d~e.f", "/a/", "/@x/y+z", "/a.b/c", "/A"] {
        assert!(plain(path), "{path}");
    }
    for path in [
        "//", "/a//b", "/.", "/..", "/.a", "/a./b", "/a.", "/a%20b", "/a;b", "/a\\b", "/ä", "/a?b", "/a#b", "/a b", "/a:b", "/a*", "/a+",
        "/a+/b", "/+a",
    ] {
        assert!(!plain(path), "{path}");
    }
}

#[test]
fn segments_are_whole() {
    assert!(is_ours("/auth", "/auth") && is_ours("/auth/login", "/auth") && is_ours("/auth/", "/auth"));
    assert!(!is_ours("/authority", "/auth") && !is_ours("/Auth", "/auth") && !is_ours("/x/auth", "/auth") && !is_ours("/aut", "/auth"));
}

proptest! {
    /// The short cut for plain paths loses no reading.
    #[test]
    fn a_plain_path_has_one_reading(path in "/[a-zA-Z0-9/_.~@+,=-]{0,24}") {
        if plain(&path) {
            prop_assert_eq!(readings(&path), vec![path]);
        }
    }

    /// Nothing that a stranger writes stops us, and the path itself is always the first reading.
    #[test]
    fn any_text_is_read_or_refused(path in "/(%[0-9a-fA-F]{2}|[/.;\\\\%?#]|\\PC){0,16}") {
        if let Ok(readings) = Readings::of(&path) {
            prop_assert_eq!(readings.iter().next(), Some(path.as_bytes()));
        }
    }

    /// Readings are read to their end: a reading's own readings are among them.
    #[test]
    fn no_reading_is_left_unread(path in "/([a-c]|%2e|%2f|%5c|%252e|[/.;\\\\]){0,8}") {
        let Ok(all) = Readings::of(&path) else { return Ok(()) };
        for reading in all.iter() {
            for step in STEPS {
                prop_assert!(step(reading).is_none_or(|next| all.iter().any(|known| *known == *next)));
            }
        }
    }
}
