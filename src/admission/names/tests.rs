use proptest::prelude::*;
use serde_json::json;

use super::*;

fn names(settings: &serde_json::Value) -> Result<Names, Vec<Mistake>> {
    Names::new(&serde_json::from_value(settings.clone()).unwrap())
}

fn is_reserved(name: &str) -> bool {
    names(&json!({ "custom": { "X-Team": "department" } })).unwrap().is_reserved(&HeaderName::try_from(name).unwrap())
}

/// Every name that the contract promises.
const PROMISED: [&str; 20] = [
    "Remote-User",
    "Remote-Email",
    "Remote-Name",
    "Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Groups",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Groups",
    "X-authentik-username",
    "X-authentik-email",
    "X-authentik-name",
    "X-authentik-uid",
    "X-authentik-groups",
    "Cf-Access-Authenticated-User-Email",
    "Cf-Access-Jwt-Assertion",
    "X-Doorward-Assertion",
];

#[test]
fn every_name_of_every_preset_is_reserved_in_every_spelling() {
    for name in PROMISED.iter().chain(&["X-Team"]) {
        let forms = [(*name).to_owned(), format!("X-{name}"), name.to_uppercase()];
        for form in &forms {
            assert!(is_reserved(form), "{form}");
            for other in ["_", ".", "+", "~", "^", "!", "#", "$", "%", "&", "'", "*", "`", "|"] {
                assert!(is_reserved(&form.replace('-', other)), "{form} with {other}");
                assert!(is_reserved(&form.replacen('-', other, 1)), "{form} with {other} once");
            }
        }
    }
    assert!(is_reserved("X-Doorward-Anything") && is_reserved("x_doorward_route"));
}

#[test]
fn other_names_are_free() {
    for name in [
        "Host",
        "Accept",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Remote",
        "Remote-Users",
        "X-Remote",
        "X-Doorwards",
        "Content-Type",
        "User-Agent",
    ] {
        assert!(!is_reserved(name), "{name}");
    }
}

#[test]
fn own_names_are_told_beside_the_presets_and_instead_of_them() {
    let names =
        names(&json!({ "headers": "cloudflare", "custom": { "X-Team": "department", "Cf-Access-Authenticated-User-Email": "user" } }))
            .unwrap();
    let told: Vec<_> = names.told().iter().map(|(name, told)| (name.as_str(), told.clone())).collect();
    assert_eq!(
        told,
        [
            ("cf-access-jwt-assertion", Told::Assertion),
            ("x-doorward-assertion", Told::Assertion),
            ("cf-access-authenticated-user-email", Told::Claim(Claim::User, ',')),
            ("x-team", Told::Claim(Claim::Custom("department".to_owned()), ',')),
        ]
    );
}

#[test]
fn names_that_mean_something_to_others_cannot_be_taken() {
    for header in [
        "Host",
        "Cookie",
        "Authorization",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X_Forwarded_For",
        "Proxy-Authorization",
        "Sec-Fetch-Site",
        "X-Doorward-Assertion",
        "a b",
        "",
    ] {
        let found = names(&json!({ "custom": { header: "email" } })).unwrap_err();
        assert_eq!(found.iter().map(|mistake| mistake.key.as_str()).collect::<Vec<_>>(), [format!("identity.custom.{header}")]);
    }
    assert!(names(&json!({ "custom": { "X-Forwarded-Preferred-Username": "user", "X-Forwarded-User": "sub" } })).is_ok());
    // An app that folds would take the two for one.
    let found = names(&json!({ "custom": { "X-Team": "department", "x_team": "email" } })).unwrap_err();
    assert_eq!(found[0].key, "identity.custom.x_team");
    let instead = names(&json!({ "custom": { "remote_user": "email" } })).unwrap();
    assert!(!instead.headers().any(|name| name == "remote-user"));
}

#[test]
fn a_header_tells_a_claim_of_a_person() {
    for claim in ["", "iss", "exp", "aud", "jti"] {
        let found = names(&json!({ "custom": { "X-Team": claim, "X-Other": claim } })).unwrap_err();
        assert_eq!(found.len(), 2, "{claim}");
    }
}

proptest! {
    /// Whatever RFC 9110 lets stand in a name: if it folds to one of ours, it is reserved.
    #[test]
    fn a_name_that_folds_to_ours_is_reserved(
        index in 0..PROMISED.len(),
        x in any::<bool>(),
        marks in prop::collection::vec(prop::sample::select(b"-_.+~^!#$%&'*`|".to_vec()), 8),
        cases in prop::collection::vec(any::<bool>(), 48),
    ) {
        let name = if x { format!("x-{}", PROMISED[index]) } else { PROMISED[index].to_owned() };
        let mut marks = marks.into_iter().map(char::from);
        let spelt: String = name.chars().zip(cases).map(|(letter, upper)| match letter {
            '-' => marks.next().unwrap_or('_'),
            letter if upper => letter.to_ascii_uppercase(),
            letter => letter.to_ascii_lowercase(),
        }).collect();
        prop_assert!(is_reserved(&spelt), "{}", spelt);
    }
}
