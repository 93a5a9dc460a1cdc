//! The environment overrides the file.

use std::fs;
use std::time::Duration;

use super::{MINIMAL, mistakes, read};
use crate::support::folder;

#[test]
fn a_variable_takes_the_type_of_its_setting() {
    let config = read(
        MINIMAL,
        &[
            ("DOORWARD__OTP__LENGTH", "8"),
            ("DOORWARD__OTP__LIFETIME", "5m"),
            ("DOORWARD__COOKIES__SECURE", "false"),
            ("DOORWARD__PAGES__NAME", "123"),
            ("DOORWARD__LISTEN__PUBLIC", "[\"0.0.0.0:8080\", \"[::]:8080\"]"),
            ("DOORWARD__LISTEN__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.0.0/16"),
            ("DOORWARD__ROUTE__0__UPSTREAM", "http://10.0.0.1:80"),
            ("DOORWARD__ROUTE__1__NAME", "2"),
            ("DOORWARD__ROUTE__1__UPSTREAM", "[\"http://10.0.0.2:80\"]"),
            ("DOORWARD__ROUTE__1__HOST", "git.example.com"),
            ("DOORWARD__STORE__URL", "postgres://u:p@h/db"),
            ("DOORWARD_CONFIG", "elsewhere.toml"),
            ("UNRELATED", "x"),
        ],
    )
    .unwrap();
    assert_eq!(config.otp.length, 8);
    assert_eq!(config.otp.lifetime, Duration::from_mins(5));
    assert!(!config.cookies.secure);
    assert_eq!(config.pages.name, "123");
    assert_eq!(config.listen.public.len(), 2);
    assert_eq!(config.listen.trusted_proxies.len(), 2);
    assert_eq!(config.routes[0].upstream[0].url, "http://10.0.0.1:80");
    assert_eq!((config.routes[1].name.as_str(), config.routes[1].host.as_deref()), ("2", Some("git.example.com")));
    assert_eq!(config.store.url.expose(), "postgres://u:p@h/db");
}

#[test]
fn a_secret_of_digits_stays_text() {
    let secret = "01234567890123456789012345678901";
    let config = read(MINIMAL, &[("DOORWARD__TOKENS__SECRET", secret)]).unwrap();
    assert_eq!(config.tokens.secret.unwrap().expose(), secret);
    let long = "12345678901234567890123456789012345";
    assert_eq!(read(MINIMAL, &[("DOORWARD__TOKENS__SECRET", long)]).unwrap().tokens.secret.unwrap().expose(), long);
    let list = "[\"0123456789012345678901234567890\"]";
    assert_eq!(read(MINIMAL, &[("DOORWARD__TOKENS__SECRET", list)]).unwrap().tokens.secret.unwrap().expose(), list);
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let found = mistakes(
        MINIMAL,
        &[
            ("DOORWARD__OTP__LENGTH", "many"),
            ("DOORWARD__OTP__LENGHT", "6"),
            ("DOORWARD__PREFIX__X", "1"),
            ("DOORWARD__ROUTE__5__NAME", "x"),
        ],
    );
    assert_eq!(found.len(), 4, "{found:#?}");
    let all = found.join("\n");
    let length = "otp.length: should be a whole number that is not negative (from DOORWARD__OTP__LENGTH)";
    assert!(found.iter().any(|mistake| mistake == length), "{all}");
    assert!(all.contains("otp.lenght: there is no such key") && all.contains("(from DOORWARD__OTP__LENGHT)"), "{all}");
    assert!(all.contains("route[5].name: DOORWARD__ROUTE__5__NAME cannot be set below route[5]"), "{all}");
}

#[test]
fn a_truth_is_written_as_shells_write_it() {
    for (raw, truth) in [("true", true), ("TRUE", true), ("True", true), ("1", true), ("false", false), ("False", false), ("0", false)] {
        let config = read(MINIMAL, &[("DOORWARD__COOKIES__SECURE", raw), ("DOORWARD__DEVELOPMENT__ENABLED", "0")]);
        assert_eq!(config.unwrap().cookies.secure, truth, "{raw}");
    }
    for raw in ["yes", "2", "", "tru", "[true]"] {
        let found = mistakes(MINIMAL, &[("DOORWARD__COOKIES__SECURE", raw)]);
        assert_eq!(found, ["cookies.secure: should be true or false (from DOORWARD__COOKIES__SECURE)"], "{raw}");
    }
    // What is no truth stays what it is.
    let config =
        read(MINIMAL, &[("DOORWARD__OTP__LENGTH", "8"), ("DOORWARD__PAGES__NAME", "true"), ("DOORWARD__ROUTE__0__GROUPS", "1")]).unwrap();
    assert_eq!((config.otp.length, config.pages.name.as_str()), (8, "true"));
    assert_eq!(config.routes[0].groups, ["1"]);
}

#[test]
fn a_secret_of_the_environment_goes_before_that_of_the_file_in_either_form() {
    let folder = folder::new("secrets");
    let (path, other) = (folder.path().join("url"), folder.path().join("other"));
    fs::write(&path, "postgres://u:p@h/db").unwrap();
    fs::write(&other, "postgres://u:p@h/other").unwrap();
    let by_file = MINIMAL.replace("url = \"sqlite:doorward.db\"", &format!("url_file = {other:?}"));
    let name = path.to_str().unwrap();
    let url = |text: &str, variables: &[(&str, &str)]| read(text, variables).unwrap().store.url.expose().clone();

    assert_eq!(url(MINIMAL, &[("DOORWARD__STORE__URL_FILE", name)]), "postgres://u:p@h/db");
    assert_eq!(url(&by_file, &[("DOORWARD__STORE__URL_FILE", name)]), "postgres://u:p@h/db");
    assert_eq!(url(&by_file, &[("DOORWARD__STORE__URL", "sqlite:x.db")]), "sqlite:x.db");
    assert_eq!(url(&by_file, &[]), "postgres://u:p@h/other");
    let both = [("DOORWARD__STORE__URL", "sqlite:x.db"), ("DOORWARD__STORE__URL_FILE", name)];
    assert_eq!(mistakes(MINIMAL, &both), ["store.url_file: url is set too; keep one of them"]);
}
