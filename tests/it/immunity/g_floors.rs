//! G 84: the libraries that we are built of stand above what was found in them, and `cargo deny` holds them there.

use std::fs;
use std::path::Path;

/// A crate, and the first version in which all that was found was mended.
const FLOORS: [(&str, &str); 9] = [
    ("aws-lc-sys", "0.39.0"),
    ("h2", "0.4.16"),
    ("idna", "1.0.0"),
    ("lettre", "0.11.22"),
    ("pingora-core", "0.8.0"),
    ("pingora-proxy", "0.8.0"),
    ("ring", "0.17.12"),
    ("rustls-webpki", "0.103.13"),
    ("time", "0.3.47"),
];

/// What nobody brings: keys that can be timed, a second TLS library.
const BANNED: [&str; 8] = ["rsa", "openssl", "openssl-sys", "native-tls", "boring", "boring-sys", "tokio-boring", "pingora-boringssl"];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file of ours")
}

/// Name and version of every crate in a lockfile.
fn locked(lock: &str) -> Vec<(String, String)> {
    let lock: toml::Table = lock.parse().expect("a lockfile");
    let packages = lock["package"].as_array().expect("crates");
    packages.iter().map(|package| (package["name"].as_str().unwrap().to_owned(), package["version"].as_str().unwrap().to_owned())).collect()
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['-', '+']).next().unwrap_or_default().split('.').map(|number| number.parse().expect("a number")).collect()
}

/// What in a lockfile is banned, or below its floor.
fn too_low(lock: &str) -> Vec<String> {
    let is_low = |name: &str, version: &str| FLOORS.iter().any(|(floored, floor)| *floored == name && numbers(version) < numbers(floor));
    let found = locked(lock).into_iter().filter(|(name, version)| BANNED.contains(&name.as_str()) || is_low(name, version));
    found.map(|(name, version)| format!("{name} {version}")).collect()
}

#[test]
fn rustsec_2026_0049_every_library_stands_above_its_floor() {
    let lock = read("Cargo.lock");

    assert_eq!(too_low(&lock), [""; 0]);

    // All of them are there, so that each comparison is one.
    let names: Vec<String> = locked(&lock).into_iter().map(|(name, _)| name).collect();
    for (name, _) in FLOORS {
        assert!(names.iter().any(|locked| locked == name), "{name} is in no lockfile of ours any more");
    }
    let low = "[[package]]\nname = \"h2\"\nversion = \"0.4.9\"\n[[package]]\nname = \"rsa\"\nversion = \"0.9.8\"\n[[package]]\nname = \"idna\"\nversion = \"1.1.0\"";
    assert_eq!(too_low(low), ["h2 0.4.9", "rsa 0.9.8"]);
}

#[test]
fn rustsec_2026_0044_cargo_deny_holds_the_floors() {
    let deny: toml::Table = read("deny.toml").parse().expect("TOML");
    let denied: Vec<&str> = deny["bans"]["deny"].as_array().expect("a list").iter().map(|entry| entry["crate"].as_str().unwrap()).collect();
    for (name, floor) in FLOORS {
        assert!(denied.contains(&format!("{name}@<{floor}").as_str()), "{name}");
    }
    for name in BANNED {
        assert!(denied.contains(&name), "{name}");
    }
    // And it runs with every lint.
    assert!(read("Makefile").contains("cargo-deny\" --locked check bans"));
}

#[test]
fn rustsec_2026_0141_mail_goes_through_rustls() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    for (name, wanted, unwanted) in
        [("lettre", "tokio1-rustls", "boring"), ("pingora", "rustls", "boring"), ("pingora", "rustls", "openssl")]
    {
        let features: Vec<&str> =
            manifest["dependencies"][name]["features"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
        assert!(features.contains(&wanted) && !features.iter().any(|feature| feature.contains(unwanted)), "{name}: {features:?}");
        assert_eq!(manifest["dependencies"][name]["default-features"].as_bool(), Some(false));
    }
}
