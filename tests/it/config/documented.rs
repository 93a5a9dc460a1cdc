//! `config/doorward.toml` documents every key, with its real default; the other files in `config` are right.

use std::collections::{BTreeMap, BTreeSet};

use doorward::config::Config;
use toml::{Table, Value};

use super::{mistakes, read};

const DOCUMENTED: &str = include_str!("../../../config/doorward.toml");
const PRODUCTION: &str = include_str!("../../../config/production.toml");
const DEMO: &str = include_str!("../../../config/demo.toml");

/// What the documentation leaves to the operator.
const KEY: (&str, &str) = ("DOORWARD__STORE__ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");

/// Sections whose keys are free.
const FREE: [&str; 3] = ["identity.custom", "route.claims", "delivery.whatsapp.content_sids"];

#[test]
fn every_key_is_documented_and_every_documented_key_exists() {
    let mut documented = keys(&Value::Table(uncommented(|_| true).parse().unwrap()));
    // The two have the same keys, which are explained once.
    let whatsapp = documented.remove("delivery.whatsapp").unwrap();
    documented.get_mut("delivery.sms").unwrap().extend(whatsapp);
    assert_eq!(real_keys("delivery.whatsapp"), real_keys("delivery.sms"));

    for (section, keys) in documented.iter().filter(|(section, _)| !FREE.contains(&section.as_str())) {
        assert_eq!(keys, &real_keys(section), "the keys of [{section}]");
    }
}

#[test]
fn a_rule_has_no_key_that_a_route_has_not() {
    let documented = keys(&Value::Table(uncommented(|_| true).parse().unwrap()));

    assert!(DOCUMENTED.contains("# [[route.rule]]"));
    assert!(real_keys("route.rule").iter().all(|key| documented["route"].contains(key)));
}

#[test]
fn documented_defaults_are_the_real_ones() {
    let real = read(DOCUMENTED, &[KEY]).unwrap();
    let documented = read(&uncommented(|line| !line.ends_with("# (unset)")), &[KEY]).unwrap();

    assert_eq!(format!("{real:#?}"), format!("{documented:#?}"));
    assert_eq!(real.store.url.expose(), documented.store.url.expose());
}

#[test]
fn what_has_no_default_is_shown_by_an_example_of_the_right_type() {
    // Secrets are not spelled out, what comes from a file needs the file, and what TLS says needs a certificate from one.
    let shown = |line: &str| !["…", "_file = ", "#client_ca = ", "#hsts = "].iter().any(|part| line.contains(part));

    let real: Config = read(&uncommented(shown), &[KEY]).unwrap();

    assert!(real.session.idle.is_some() && real.tokens.rotate_after.is_some() && real.listen.workers.is_some());
}

#[test]
fn the_documentation_asks_for_a_key_of_ones_own() {
    assert_eq!(mistakes(DOCUMENTED, &[]), ["store.encryption_key: is missing; `doorward init` makes one"]);
}

#[test]
fn the_demo_needs_a_key_and_the_production_its_secrets() {
    assert!(read(DEMO, &[KEY]).unwrap().is_local());
    let unreadable = mistakes(PRODUCTION, &[]);
    let secrets = unreadable.iter().filter(|mistake| mistake.contains("_file: /run/secrets/doorward_")).count();
    assert_eq!((secrets, unreadable.len()), (5, 5), "{unreadable:#?}");
}

/// The documentation with the comment signs taken off those settings.
fn uncommented(wanted: impl Fn(&str) -> bool) -> String {
    let setting = |line: &str| {
        let name = line.strip_prefix('#')?.split_once(" = ")?.0;
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        (plain && wanted(line)).then(|| line[1..].to_owned())
    };
    DOCUMENTED.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

/// The keys of each section, by its name; the top's is empty. What is itself a section is not counted.
fn keys(top: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    collect("", top, &mut found);
    found
}

fn collect(name: &str, value: &Value, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let inside = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    if let Value::Array(list) = value {
        return list.iter().for_each(|element| collect(name, element, found));
    }
    let Value::Table(table) = value else { return };
    found.entry(name.to_owned()).or_default().extend(table.keys().filter(|key| !key.is_empty()).cloned());
    table.iter().filter(|(_, value)| is_section(value)).for_each(|(key, value)| collect(&inside(key), value, found));
}

fn is_section(value: &Value) -> bool {
    value.is_table() || value.as_array().is_some_and(|list| list.iter().any(Value::is_table))
}

/// The keys that a section really has, as the refusal of an unknown one lists them.
fn real_keys(section: &str) -> BTreeSet<String> {
    let path: Vec<&str> = section.split('.').filter(|part| !part.is_empty()).collect();
    let unknown = path.iter().rev().fold(Value::Table(Table::from_iter([("zzz".to_owned(), Value::Integer(1))])), |inner, part| {
        let inner = if matches!(*part, "route" | "rule" | "certificate" | "email" | "sms" | "whatsapp") {
            Value::Array(vec![inner])
        } else {
            inner
        };
        Value::Table(Table::from_iter([((*part).to_owned(), inner)]))
    });
    let text = toml_text(&unknown);
    let found = mistakes(&text, &[]);
    let answer = found.iter().find_map(|mistake| mistake.split_once("zzz: there is no such key; here are ")).expect("an answer").1;
    answer.replace(" or ", ", ").split(", ").filter(|key| *key != "rule").map(str::to_owned).collect()
}

/// Tables and lists of tables, inline.
fn toml_text(value: &Value) -> String {
    let Value::Table(table) = value else { unreachable!("a table") };
    table.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect::<Vec<_>>().join("\n")
}

fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let pairs: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        _ => "1".to_owned(),
    }
}
