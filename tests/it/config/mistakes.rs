//! Every mistake at once, each with its key.

use super::{MINIMAL, mistakes, read};

#[test]
fn the_least_that_is_right_is_accepted() {
    let config = read(MINIMAL, &[]).unwrap();
    assert_eq!(config.otp.length, 6);
    assert_eq!(config.prefix, "/auth");
}

#[test]
fn ten_mistakes_are_named_at_once() {
    let text = r#"
public_url = "https://wiki.example.com/path"
prefix = "auth"
colour = "red"

[listen]
public = ["127.0.0.1:8080", "not an address"]
admin = "127.0.0.1:8080"

[store]
url = "oracle://scott:tiger@db/doorward"
encryption_key = "c2hvcnQ="

[otp]
length = 3
lifetime = "10 minutes"
atempts = 5

[tokens]
access_lifetime = "8d"
secret = "too short"

[[delivery.email]]
kind = "smtp"
url = "smtps://user@mail.example.com"
from = "nobody"

[[route]]
name = "wiki"
upstream = "http://127.0.0.1:3000"
"#;
    let found = mistakes(text, &[]);
    let keys: Vec<&str> = found.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
    for key in [
        "public_url",
        "prefix",
        "colour",
        "listen.public[1]",
        "listen.admin",
        "store.url",
        "store.encryption_key",
        "otp.length",
        "otp.lifetime",
        "otp.atempts",
        "tokens.refresh_lifetime",
        "tokens.secret",
        "delivery.email[0].password",
        "delivery.email[0].from",
        "route[0].upstream",
    ] {
        assert!(keys.contains(&key), "{key} is not among {found:#?}");
    }
    assert_eq!(keys.len(), 15, "{found:#?}");
    assert!(!found.concat().contains("tiger") && !found.concat().contains("too short"), "{found:#?}");
}

#[test]
fn elements_keep_their_number_when_others_are_wrong() {
    let text = MINIMAL.replace("[store]", "[listen]\npublic = [\"x\", \"127.0.0.1:1\", \"y\", \"z\"]\n[store]");
    let keys: Vec<String> = mistakes(&text, &[]);
    let keys: Vec<&str> = keys.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
    assert_eq!(keys, ["listen.public[0]", "listen.public[2]", "listen.public[3]"]);
}

#[test]
fn what_is_missing_is_named() {
    let found = mistakes("[[route]]\n[[delivery.email]]\n[redis]\n", &[]);
    for key in ["public_url", "route[0].name", "route[0].upstream", "delivery.email[0].kind", "redis.url", "store.encryption_key"] {
        assert!(found.iter().any(|mistake| mistake.starts_with(&format!("{key}: is missing"))), "{key} is not among {found:#?}");
    }
}

#[test]
fn a_secret_is_in_no_message() {
    let texts = [
        "store = \"postgres://scott:tiger@db\"",
        "[store]\nurl = [\"tiger\"]",
        "[store]\nencryption_key = \"tiger\"",
        "[store]\npassword = \"tiger\"",
        "[redis]\nurl = \"tiger://x:tiger@y\"",
        "[tokens]\nsecret = \"tiger\"",
        "[[delivery.email]]\nkind = \"smtp\"\nurl = \"smtp://a:tiger@h/tiger?tls=tiger\"\nfrom = \"tiger\"",
        "public_url = \"https://scott:tiger@host\"",
        "[store]\nurl = \"tiger\" tiger",
    ];
    for text in texts {
        let found = mistakes(text, &[]).join("\n");
        assert!(!found.contains("tiger"), "{text}\n{found}");
    }
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let found = mistakes("prefix = \"/auth\"\n[store\n", &[]);
    assert!(found.concat().starts_with("doorward.toml:2: is not TOML"), "{found:?}");
}

#[test]
fn bounds_hold_on_both_sides() {
    let cases = [
        ("[otp]\nlength = 4", true),
        ("[otp]\nlength = 10", true),
        ("[otp]\nlength = 11", false),
        ("[otp]\nattempts = 0", false),
        ("[otp]\nattempts = 100", true),
        ("[otp]\nattempts = 101", false),
        ("[otp]\nlifetime = \"0s\"", false),
        ("[otp]\nlifetime = \"1h\"", true),
        ("[otp]\nlifetime = \"3601s\"", false),
        ("[tokens]\naccess_lifetime = \"0s\"", false),
        ("[tokens]\naccess_lifetime = \"7d\"", false),
        ("[tokens]\nleeway = \"5m\"", true),
        ("[tokens]\nleeway = \"301s\"", false),
        ("[tokens]\nsecret = \"0123456789abcdef0123456789abcde\"", false),
        ("[tokens]\nsecret = \"0123456789abcdef0123456789abcdef\"", true),
        ("[tokens]\nalgorithm = \"ES256\"\nsecret = \"0123456789abcdef0123456789abcdef\"", false),
        ("[session]\nconcurrent_refresh_window = \"60s\"", true),
        ("[session]\nconcurrent_refresh_window = \"61s\"", false),
        ("[session]\nidle = \"1s\"", false),
        ("[session]\nidle = \"2s\"", true),
        ("[cookies]\ndomain = \"example.com\"", true),
        ("[cookies]\ndomain = \"wiki.example.com\"", true),
        ("[cookies]\ndomain = \"com\"", false),
        ("[cookies]\ndomain = \".example.com\"", false),
        ("[cookies]\ndomain = \"ample.com\"", false),
        ("[cookies]\ndomain = \"other.org\"", false),
        ("[redis]\nurl = \"redis://127.0.0.1\"", true),
        ("[redis]\nurl = \"rediss://user@host:6380/1\"", true),
        ("[redis]\nurl = \"redis+cluster://127.0.0.1\"", true),
        ("[redis]\nurl = \"redis://127.0.0.1\"\ncheck = \"mirror\"", true),
        ("[redis]\nurl = \"redis://127.0.0.1\"\ncheck = \"cache\"", false),
        ("[redis]\nurl = \"redis://127.0.0.1\"\nmax_staleness = \"100ms\"", true),
        ("[redis]\nurl = \"redis://127.0.0.1\"\nmax_staleness = \"99ms\"", false),
        ("[redis]\nurl = \"redis://127.0.0.1\"\nmax_staleness = \"10s\"", true),
        ("[redis]\nurl = \"redis://127.0.0.1\"\nmax_staleness = \"11s\"", false),
        ("[listen]\npublic = []", false),
        ("[listen]\npublic = [\"0.0.0.0:9080\"]", false),
        ("[listen]\npublic = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"", true),
        ("[telemetry]\nlog = \"doorward=loudly\"", false),
        ("[limits]\ncodes_per_network = 0", false),
        ("[limits]\nsms_countries = [\"de\"]", false),
        ("[limits]\nsms_countries = [\"DE\", \"UK\"]", false),
        ("[limits]\nsms_countries = [\"DE\", \"GB\"]", true),
        ("[limits]\nsms_breaker_digits = 9", false),
        ("[limits]\nsms_breaker_window = \"25h\"", false),
        ("[limits]\nsms_breaker_least = 0", false),
        ("[limits]\nsms_breaker_percent = 101", false),
        ("[limits]\nsms_breaker_percent = 0", true),
    ];
    for (section, right) in cases {
        let found = read(&format!("{MINIMAL}\n{section}"), &[]).err().unwrap_or_default();
        assert_eq!(found.is_empty(), right, "{section}: {found:?}");
    }
}

#[test]
fn a_country_that_is_none_is_named() {
    let found = mistakes(&format!("{MINIMAL}\n[limits]\nsms_countries = [\"DE\", \"UK\", \"AT\", \"fr\"]"), &[]);

    let says = |number: u8, text: &str| {
        format!(
            "limits.sms_countries[{number}]: is no country whose phone numbers are known: \"{text}\"; write ISO 3166-1 codes, as \"DE\""
        )
    };
    assert_eq!(found, [says(1, "UK"), says(3, "fr")]);
}

#[test]
fn sentinels_are_listed_and_their_primary_is_named() {
    let found = |url: &str, more: &str| mistakes(&format!("{MINIMAL}\n[redis]\nurl = \"{url}\"\n{more}"), &[]);
    let good = format!("{MINIMAL}\n[redis]\nurl = \"redis+sentinel://a:26379,b:26379/main\"");
    assert!(doorward::config::Config::read("test", &good, std::iter::empty()).is_ok());
    assert_eq!(
        found("redis+sentinel://a:26379,b:26379", ""),
        ["redis.url: should name the primary: redis+sentinel://host:port,host:port/name"]
    );
    let twice = found("redis+sentinel://:one@a,b/main", "password = \"two\"");
    assert_eq!(twice, ["redis.password: stands in redis.url too; keep one of them"]);
}

#[test]
fn nodes_of_a_cluster_are_listed_and_there_is_one_database() {
    let found = |url: &str, more: &str| mistakes(&format!("{MINIMAL}\n[redis]\nurl = \"{url}\"\n{more}"), &[]);
    let good = format!("{MINIMAL}\n[redis]\nurl = \"rediss+cluster://door@a:6379,b/\"\npassword = \"one\"");
    assert!(doorward::config::Config::read("test", &good, std::iter::empty()).is_ok());
    assert_eq!(
        found("redis+cluster://a,b/2", ""),
        ["redis.url: should name no database, since a cluster has none but 0: redis+cluster://host:port,host:port"]
    );
    assert_eq!(found("redis+cluster://a,,b", ""), ["redis.url: should list nodes of the cluster: redis+cluster://host:port,host:port"]);
    let twice = found("redis+cluster://:one@a,b", "password = \"two\"");
    assert_eq!(twice, ["redis.password: stands in redis.url too; keep one of them"]);
}

#[cfg(not(feature = "otel"))]
#[test]
fn a_build_without_opentelemetry_says_which_one_has_it() {
    let found = mistakes(&format!("{MINIMAL}\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:4318\""), &[]);
    let says = "telemetry.otlp_endpoint: OpenTelemetry is not in this build: it is in the released image, and in what is built with \
        `cargo build --release --features otel`";
    assert_eq!(found, [says]);
}

#[cfg(feature = "otel")]
#[test]
fn a_collector_is_an_address_and_headers() {
    let with = |lines: &str| format!("{MINIMAL}\n[telemetry]\n{lines}");
    for lines in [
        "otlp_endpoint = \"http://127.0.0.1:4318\"",
        "otlp_endpoint = \"https://collector.example/otlp\"\notlp_headers = \"x-team=blue,authorization=Bearer%20a\"\notlp_sample = 0.25",
    ] {
        assert!(doorward::config::Config::read("test", &with(lines), std::iter::empty()).is_ok(), "{lines}");
    }
    for (lines, says) in [
        (
            "otlp_endpoint = \"http://a/?key=hunter2\"",
            "telemetry.otlp_endpoint: should be http://host:port or https://host:port, with a path at most",
        ),
        ("otlp_sample = 1.5", "telemetry.otlp_sample: should be between 0 and 1"),
        ("otlp_sample = nan", "telemetry.otlp_sample: should be between 0 and 1"),
        ("otlp_headers = \"a=hunter2\"", "telemetry.otlp_headers: is for nobody: telemetry.otlp_endpoint is unset"),
        (
            "otlp_endpoint = \"http://a\"\notlp_headers = \"hunter2\"",
            "telemetry.otlp_headers: should be headers, as name=value,name=value; a comma in a value is %2C",
        ),
    ] {
        assert_eq!(mistakes(&with(lines), &[]), [says], "{lines}");
    }
}

#[cfg(not(feature = "mongodb"))]
#[test]
fn a_build_without_mongodb_says_which_one_has_it() {
    for url in ["mongodb://h/db", "mongodb+srv://h/db"] {
        let found = mistakes(&MINIMAL.replace("sqlite:doorward.db", url), &[]);
        let says = "store.url: MongoDB is not in this build: it is in the released image, and in what is built with \
            `cargo build --release --features mongodb`";
        assert_eq!(found, [says]);
    }
}

#[cfg(feature = "mongodb")]
#[test]
fn a_url_of_mongodb_names_servers_and_a_database() {
    let with = |url: &str| MINIMAL.replace("sqlite:doorward.db", url);
    for url in ["mongodb://h/db", "mongodb://ada:hunter2@one:27017,two:27017/db?replicaSet=rs0&tls=true"] {
        read(&with(url), &[]).unwrap();
    }
    for url in ["mongodb://h", "mongodb://h/", "mongodb://ada:hunter2@h/?replicaSet=rs0"] {
        assert_eq!(mistakes(&with(url), &[]), ["store.url: should name a database: mongodb://HOST/DATABASE"], "{url}");
    }
    let found = mistakes(&with("mongodb+srv://ada:hunter2@h/db"), &[]);
    let says = "store.url: mongodb+srv:// is not supported; list the servers: mongodb://one,two,three/DATABASE?replicaSet=NAME";
    assert_eq!(found, [says]);
}

#[test]
fn plain_http_is_for_this_machine() {
    let with = |url: &str, more: &str| format!("{}\n{more}", MINIMAL.replace("https://wiki.example.com", url));
    assert!(read(&with("http://127.0.0.1:8080", ""), &[]).is_ok());
    assert!(read(&with("http://localhost:8080", ""), &[]).is_ok());
    assert!(read(&with("http://wiki.example.com", "[cookies]\nsecure = false"), &[]).is_ok());
    let found = mistakes(&with("http://wiki.example.com", ""), &[]);
    assert_eq!(found, ["public_url: should be https, or browsers will not keep the cookies"]);
}

#[test]
fn development_is_for_this_machine() {
    let local = MINIMAL.replace("https://wiki.example.com", "http://127.0.0.1:8080");
    let development = "[development]\nenabled = true\n[tokens]\nsecret = \"short\"";
    assert!(read(&format!("{local}\n{development}"), &[]).is_ok());
    for text in [format!("{MINIMAL}\n{development}"), format!("{local}\n[listen]\npublic = [\"0.0.0.0:8080\"]\n{development}")] {
        let found = mistakes(&text, &[]);
        assert!(found.iter().any(|mistake| mistake.starts_with("development.enabled: ")), "{found:?}");
    }
}

#[test]
fn nobody_signs_in_without_a_provider() {
    let found = mistakes(&MINIMAL.replace("[[delivery.email]]\nkind = \"console\"\n", ""), &[]);
    assert_eq!(found, ["delivery.email: is missing: without a provider nobody gets a code"]);
}

#[test]
fn routes_and_names_are_judged_too() {
    let more = "[[route]]\nname = \"wiki\"\nhost = \"*.*.example.com\"\npath = \"x\"\nupstream = []\nread_timeout = \"0s\"\n\
                [identity.custom]\n\"bad header\" = \"user\"";

    let found = mistakes(&format!("{MINIMAL}\n{more}"), &[]);

    let keys: Vec<&str> = found.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
    for key in
        ["route[1].name", "route[1].host", "route[1].path", "route[1].upstream", "route[1].read_timeout", "identity.custom.bad header"]
    {
        assert!(keys.contains(&key), "{key} is not among {found:#?}");
    }
}

#[test]
fn bounds_of_clients_are_more_than_nothing() {
    let text = format!(
        "{}\n[listen]\nhead_timeout = \"0s\"\nkeep_alive = \"0s\"\nwrite_timeout = \"0s\"\nrequests_per_connection = 0\n",
        MINIMAL.replace("[[route]]", "[[route]]\nbody_timeout = \"0s\"")
    );
    let found = mistakes(&text, &[]);
    for key in
        ["listen.head_timeout", "listen.keep_alive", "listen.write_timeout", "listen.requests_per_connection", "route[0].body_timeout"]
    {
        assert_eq!(found.iter().filter(|mistake| mistake.starts_with(&format!("{key}: should be "))).count(), 1, "{key}: {found:#?}");
    }
}

#[test]
fn a_size_is_written_with_its_unit() {
    let found = mistakes(&MINIMAL.replace("[[route]]", "[[route]]\nmax_body = \"10 megabytes\""), &[]);
    assert!(found.iter().any(|mistake| mistake.starts_with("route[0].max_body: not a size")), "{found:#?}");
}

#[test]
fn every_mistake_of_a_provider_is_named_by_its_key() {
    let text = r#"
[[delivery.email]]
kind = "resend"
name = "None!"
url = "http://api.example.com"
api_key = "two words"
from = "nobody"
password = "hunter2"

[[delivery.email]]
kind = "webhook"
url = "ftp://hooks.example.com"
secret = "hunter2"

[[delivery.sms]]
kind = "twilio"
account_sid = "AC12"
auth_token = "hunter2"
api_key_sid = "SK0123456789abcdef0123456789abcdef"
from = "a name that is too long"
content_sid = "HX0123456789abcdef0123456789abcdef"

[[delivery.sms]]
kind = "console"
allow_private = true

[[delivery.whatsapp]]
kind = "twilio"
account_sid = "AC0123456789abcdef0123456789abcdef"
api_key_secret = "hunter2"
from = "Wiki"
messaging_service_sid = "MG0123456789abcdef0123456789abcdef"

[[delivery.whatsapp]]
kind = "console"

[[delivery.whatsapp]]
kind = "twilio"
account_sid = "AC0123456789abcdef0123456789abcdef"
auth_token = "hunter2"
from = "+15005550006"
content_sid = "HX0123456789abcdef0123456789abcdef"
content_sids = { it = "HX0123456789abcdef0123456789abcdef" }
"#;
    let found = mistakes(&format!("{MINIMAL}{text}"), &[]);

    let keys: Vec<&str> = found.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
    let expected = [
        "delivery.email[1].url",
        "delivery.email[1].api_key",
        "delivery.email[1].from",
        "delivery.email[1].password",
        "delivery.email[1].name",
        "delivery.email[2].url",
        "delivery.email[2].secret",
        "delivery.sms[0].account_sid",
        "delivery.sms[0].from",
        "delivery.sms[0].auth_token",
        "delivery.sms[0].content_sid",
        "delivery.sms[1].allow_private",
        "delivery.whatsapp[0].messaging_service_sid",
        "delivery.whatsapp[0].content_sid",
        "delivery.whatsapp[0].api_key_sid",
        "delivery.whatsapp[1].kind",
        "delivery.whatsapp[2].content_sids",
        "limits.sms_countries",
    ];
    assert_eq!(keys, expected, "{found:#?}");
    assert!(!found.concat().contains("hunter2"));
}

#[test]
fn what_a_provider_needs_is_said_to_be_missing() {
    let kinds = [
        ("email", "resend", vec!["api_key", "from"]),
        ("email", "webhook", vec!["url", "secret"]),
        ("sms", "twilio", vec!["account_sid", "from", "auth_token"]),
        ("sms", "webhook", vec!["url", "secret"]),
        ("whatsapp", "twilio", vec!["account_sid", "from", "content_sid", "auth_token"]),
        ("whatsapp", "webhook", vec!["url", "secret"]),
    ];
    for (channel, kind, missing) in kinds {
        let text = MINIMAL.replace("[[delivery.email]]\nkind = \"console\"", &format!("[[delivery.{channel}]]\nkind = \"{kind}\""));
        let found = mistakes(&text, &[]);
        let keys: Vec<&str> = found.iter().filter_map(|mistake| mistake.split_once(": is missing")).map(|(key, _)| key).collect();
        let expected: Vec<String> = missing.iter().map(|field| format!("delivery.{channel}[0].{field}")).collect();
        assert_eq!(keys, expected, "{found:#?}");
    }
}

#[test]
fn a_phone_is_enough_to_sign_in_with() {
    let sms = MINIMAL.replace("[[delivery.email]]", "[limits]\nsms_countries = [\"DE\"]\n[[delivery.sms]]");
    assert!(read(&sms, &[]).is_ok());
    let nowhere = mistakes(&MINIMAL.replace("[[delivery.email]]", "[[delivery.sms]]"), &[]);
    assert_eq!(
        nowhere,
        ["limits.sms_countries: is empty: SMS and WhatsApp go to no country, though there is a provider; write as [\"DE\"]"]
    );
}

#[test]
fn the_secrets_of_providers_come_from_files() {
    let folder = crate::support::folder::new("secrets");
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2\n").unwrap();
    let sms = format!(
        "[limits]\nsms_countries = [\"DE\"]\n[[delivery.sms]]\nkind = \"twilio\"\naccount_sid = \"AC0123456789abcdef0123456789abcdef\"\nfrom = \"Wiki\"\nauth_token_file = \"{}\"\n",
        file.display()
    );
    let config = read(&format!("{MINIMAL}{sms}"), &[]).unwrap();
    assert_eq!(config.delivery.sms[0].auth_token.as_ref().unwrap().expose(), "hunter2");
    let found = mistakes(&format!("{MINIMAL}{}", sms.replace("/token", "/nothing")), &[]);
    assert!(found[0].starts_with("delivery.sms[0].auth_token_file: "), "{found:?}");
}

/// The mistakes of a text, which may have none.
fn found(text: &str) -> Vec<String> {
    read(text, &[]).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn sockets_are_where_nobody_else_writes_and_nothing_else_listens() {
    let long = format!("/run/{}", "x".repeat(107));
    let said = |listen: &str| found(&format!("{MINIMAL}\n[listen]\n{listen}"));
    let upgrade = |path: &str, more: &str| said(&format!("upgrade_socket = \"{path}\"\n{more}"));

    assert_eq!(upgrade("/run/doorward/upgrade.sock", ""), Vec::<String>::new());
    assert_eq!(upgrade("/tmp/private/upgrade.sock", ""), Vec::<String>::new());
    for shared in ["/tmp", "/var/tmp", "/dev/shm"] {
        let found = upgrade(&format!("{shared}/upgrade.sock"), "");
        assert_eq!(found, ["listen.upgrade_socket: should be in a folder of Doorward's own: in this one everybody can write"]);
    }
    assert_eq!(upgrade(&long, ""), ["listen.upgrade_socket: is longer than 107 bytes, which no socket's path can be"]);
    let taken = ["listen.upgrade_socket: is the path of a listener: requests come there"];
    assert_eq!(upgrade("/run/d.sock", "public = [\"unix:/run/d.sock\"]"), taken);
    assert_eq!(upgrade("/run/d.sock", "admin = \"unix:/run/d.sock\""), taken);
    let found = said(&format!("public = [\"unix:{long}\"]\nadmin = \"unix:{long}\""));
    let keys: Vec<&str> = found.iter().filter_map(|mistake| mistake.split_once(": is longer than 107 bytes")).map(|(key, _)| key).collect();
    assert_eq!(keys, ["listen.admin", "listen.public[0]"], "{found:?}");
}

#[test]
fn an_address_that_another_takes_already_is_named() {
    let said = |public: &str| found(&format!("{MINIMAL}\n[listen]\npublic = {public}"));
    for (taken, public) in [
        ("127.0.0.1:80", "[\"127.0.0.1:80\", \"127.0.0.1:80\"]"),
        ("0.0.0.0:80", "[\"0.0.0.0:80\", \"127.0.0.1:80\"]"),
        ("127.0.0.1:80", "[\"127.0.0.1:80\", \"0.0.0.0:80\"]"),
        ("[::]:80", "[\"[::]:80\", \"[::1]:80\"]"),
        ("unix:/run/d.sock", "[\"unix:/run/d.sock\", \"unix:/run/d.sock\"]"),
    ] {
        assert_eq!(said(public), [format!("listen.public[1]: is taken by {taken} already; keep the wider of the two")]);
    }
    for public in [
        "[\"0.0.0.0:80\", \"[::]:80\"]",
        "[\"192.0.2.7:80\", \"[::]:80\"]",
        "[\"127.0.0.1:0\", \"127.0.0.1:0\"]",
        "[\"0.0.0.0:80\", \"127.0.0.1:81\"]",
    ] {
        assert_eq!(said(public), Vec::<String>::new(), "{public}");
    }
    let redirect = found(&format!("{MINIMAL}\n[listen]\nredirect = [\"0.0.0.0:80\", \"127.0.0.1:80\"]"));
    assert_eq!(redirect, ["listen.redirect[1]: is taken by 0.0.0.0:80 already; keep the wider of the two"]);
}

#[test]
fn an_upstream_that_is_our_own_address_is_a_loop() {
    let said = |public: &str, upstream: &str| {
        let text = MINIMAL.replace("http://127.0.0.1:3000", upstream);
        assert_ne!(text, MINIMAL);
        found(&format!("{text}\n[listen]\npublic = [\"{public}\"]"))
    };
    let looped = ["route[0].upstream[0]: is an address of listen.public or listen.redirect: a loop"];
    for (public, upstream) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("0.0.0.0:8080", "http://127.0.0.2:8080"),
        ("0.0.0.0:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "https://localhost:8080"),
        ("[::]:8080", "h2c://[::1]:8080"),
        ("192.0.2.7:80", "http://192.0.2.7"),
        ("unix:/run/d.sock", "unix:/run/d.sock"),
    ] {
        assert_eq!(said(public, upstream), looped, "{public} {upstream}");
    }
    for (public, upstream) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8081"),
        ("127.0.0.1:8080", "http://127.0.0.2:8080"),
        ("0.0.0.0:8080", "http://10.0.0.5:8080"),
        ("192.0.2.7:8080", "http://localhost:8080"),
        ("unix:/run/d.sock", "unix:/run/app.sock"),
    ] {
        assert_eq!(said(public, upstream), Vec::<String>::new(), "{public} {upstream}");
    }
}

#[test]
fn times_that_make_no_sense_together_are_named() {
    let health = |text: &str| found(&format!("{MINIMAL}\n[route.health]\n{text}"));
    assert_eq!(health("interval = \"1s\"\ntimeout = \"1s\""), Vec::<String>::new());
    assert_eq!(health("interval = \"100ms\""), Vec::<String>::new(), "unset, it is no longer than the interval");
    let wrong = health("interval = \"1s\"\ntimeout = \"1001ms\"");
    assert_eq!(
        wrong,
        ["route[0].health.timeout: should be no longer than health.interval: the next question would come before the answer"]
    );
    let head = |span: &str| found(&format!("{MINIMAL}\n[listen]\nhead_timeout = \"{span}\""));
    assert_eq!(head("5m"), Vec::<String>::new());
    assert_eq!(head("301s").len(), 1);
    assert!(head("1d")[0].starts_with("listen.head_timeout: should be at most 5m"));
}

#[test]
fn a_claims_hook_is_judged_as_a_webhook_is() {
    let said = |text: &str| found(&format!("{MINIMAL}\n[claims_hook]\n{text}"));
    let secret = "secret = \"0123456789abcdef0123456789abcdef\"";
    let keys = |text: &str| {
        let keys = said(text).into_iter().filter_map(|mistake| Some(mistake.split_once(": ")?.0.to_owned()));
        keys.collect::<Vec<_>>()
    };

    assert_eq!(said(&format!("url = \"https://hooks.example.com/claims\"\n{secret}")), Vec::<String>::new());
    assert_eq!(said(&format!("url = \"http://10.0.0.7/claims\"\nallow_private = true\n{secret}")), Vec::<String>::new());
    assert_eq!(keys(&format!("url = \"http://hooks.example.com\"\n{secret}")), ["claims_hook.url"]);
    assert_eq!(keys(&format!("url = \"https://10.0.0.7/\"\n{secret}")), ["claims_hook.url"]);
    assert_eq!(keys("url = \"https://hooks.example.com\"\nsecret = \"tiger\""), ["claims_hook.secret"]);
    assert_eq!(keys("timeout = \"1s\""), ["claims_hook.url", "claims_hook.secret"]);
    for (timeout, right) in [("0s", false), ("1ms", true), ("10s", true), ("10001ms", false)] {
        let found = keys(&format!("url = \"https://hooks.example.com\"\n{secret}\ntimeout = \"{timeout}\""));
        assert_eq!(found.is_empty(), right, "{timeout}: {found:?}");
    }
    let hidden = said("url = \"tiger://scott:tiger@host\"\nsecret = \"tiger\"\non_outage = \"guess\"").join("\n");
    assert!(!hidden.contains("tiger") && hidden.contains("claims_hook.on_outage"), "{hidden}");
}

#[test]
fn development_takes_an_encryption_key_of_any_length_and_nothing_else_does() {
    let with = |key: &str, more: &str| {
        let text = MINIMAL
            .replace("https://wiki.example.com", "http://127.0.0.1:8080")
            .replace("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", key);
        format!("{text}\n[listen]\npublic = [\"127.0.0.1:8080\"]\n[cookies]\nsecure = false\n{more}")
    };
    let development = "[development]\nenabled = true";
    let derived = |key: &str| read(&with(key, development), &[]).unwrap().root_key().unwrap().derive("x").expose().to_owned();

    for key in ["c2hvcnQ=", "short", "no base64, at all", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ=="] {
        assert_eq!(derived(key), derived(key), "{key}: the same after every start");
        let found = mistakes(&with(key, ""), &[]);
        assert!(matches!(&found[..], [one] if one.starts_with("store.encryption_key: is not ")), "{key}: {found:?}");
    }
    assert_ne!(derived("short"), derived("shorter"));
    let whole = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert_eq!(derived(whole), *read(&with(whole, ""), &[]).unwrap().root_key().unwrap().derive("x").expose(), "a whole one is what it is");
    for empty in ["", "  "] {
        assert!(read(&with(empty, development), &[]).is_err(), "{empty:?}");
    }
    let missing = with(whole, development).replace(&format!("encryption_key = \"{whole}\""), "");
    assert_eq!(mistakes(&missing, &[]), ["store.encryption_key: is missing; `doorward init` makes one"]);
}

#[test]
fn a_number_that_is_too_large_is_told_how_large_it_may_be() {
    let found = mistakes(&format!("{MINIMAL}\n[limits]\napp_codes = 5000000000\napp_sms = -1\n"), &[]);
    assert_eq!(
        found,
        [
            "limits.app_codes: should be a whole number from 0 to 4294967295",
            "limits.app_sms: should be a whole number from 0 to 4294967295",
        ]
    );
}

#[test]
fn a_section_that_is_written_as_a_list_is_told_how_it_is_written() {
    let hook =
        "[[claims_hook]]\nurl = \"http://127.0.0.1:1\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n[[limits]]\nsms_per_day = 1\n";
    assert_eq!(
        mistakes(&format!("{MINIMAL}\n{hook}"), &[]),
        ["claims_hook: is there once: write [claims_hook], not [[claims_hook]]", "limits: is there once: write [limits], not [[limits]]"]
    );
}
