//! `check`, `init`, `migrate`, and commands that are used wrongly.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::folder;
use crate::support::gateway::command;

fn run(arguments: &[&str]) -> (i32, String, String) {
    command(arguments, &[])
}

#[test]
fn what_init_writes_is_right_and_for_its_owner_alone() {
    let folder = folder::new("init");
    let (target, file) = (folder.path().join("config"), folder.path().join("config/doorward.toml"));

    let written = run(&["init", target.to_str().unwrap()]);
    let checked = run(&["check", "--config", file.to_str().unwrap()]);

    assert_eq!(written, (0, format!("{}\n", file.display()), String::new()));
    assert_eq!(checked, (0, "ok\n".to_owned(), String::new()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn init_makes_another_secret_each_time_and_overwrites_nothing() {
    let folder = folder::new("init");
    let read = |name: &str| {
        let target = folder.path().join(name);
        assert_eq!(run(&["init", target.to_str().unwrap()]).0, 0);
        fs::read_to_string(target.join("doorward.toml")).unwrap()
    };
    let (one, other) = (read("one"), read("other"));

    let (code, printed, complaint) = run(&["init", folder.path().join("one").to_str().unwrap()]);

    assert_ne!(one, other);
    assert_eq!((code, printed.as_str()), (1, ""));
    assert!(complaint.contains("File exists"), "{complaint}");
    assert_eq!(fs::read_to_string(folder.path().join("one/doorward.toml")).unwrap(), one);
}

#[test]
fn check_prints_every_mistake_with_its_key() {
    let folder = folder::new("check");
    let file = folder.path().join("doorward.toml");
    fs::write(&file, "public_url = \"ftp://x\"\n[otp]\nlength = 3\nlenght = 4\n[listen]\npublic = [\"x\"]\n").unwrap();

    let (code, printed, complaint) = run(&["check", "--config", file.to_str().unwrap()]);

    assert_eq!((code, printed.as_str()), (1, ""));
    let keys: Vec<&str> = complaint.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(keys, ["listen.public[0]", "otp.lenght", "public_url", "store.encryption_key", "otp.length", "delivery.email"]);
}

#[test]
fn check_tells_programs_as_well() {
    let folder = folder::new("check");
    let file = folder.path().join("doorward.toml");
    fs::write(&file, "public_url = \"ftp://x\"\n[[delivery.email]]\nkind = \"console\"\n").unwrap();

    let (code, printed, complaint) = run(&["check", "--json", "--config", file.to_str().unwrap()]);
    assert_eq!(run(&["init", folder.path().join("good").to_str().unwrap()]).0, 0);
    let good = run(&["check", "--json", "--config", folder.path().join("good/doorward.toml").to_str().unwrap()]);

    assert_eq!((code, complaint.as_str()), (1, ""));
    let found: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&found["ok"], &found["mistakes"][0]["key"]), (&false.into(), &"public_url".into()));
    assert_eq!(good.0, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&good.1).unwrap(), serde_json::json!({ "ok": true, "mistakes": [] }));
}

#[test]
fn check_tells_what_is_allowed_and_seldom_meant() {
    let folder = folder::new("check");
    assert_eq!(run(&["init", folder.path().to_str().unwrap()]).0, 0);
    let file = folder.path().join("doorward.toml").display().to_string();
    let environment = [("DOORWARD_CONFIG".to_owned(), file), ("DOORWARD__SESSION__CONCURRENT_REFRESH_WINDOW".to_owned(), "0s".to_owned())];

    let (code, printed, note) = command(&["check"], &environment);
    let listed = command(&["check", "--json"], &environment);

    assert_eq!((code, printed.as_str()), (0, "ok\n"));
    assert!(note.starts_with("note: session.concurrent_refresh_window: is nothing: "), "{note}");
    let listed: serde_json::Value = serde_json::from_str(&listed.1).unwrap();
    assert_eq!((&listed["ok"], &listed["notes"][0]["key"]), (&true.into(), &"session.concurrent_refresh_window".into()));
}

#[test]
fn serve_refuses_what_check_refuses() {
    let folder = folder::new("check");
    let file = folder.path().join("doorward.toml");
    fs::write(&file, "[tokens]\nsecret = \"short\"\n").unwrap();
    let arguments = ["--config", file.to_str().unwrap()];

    let checked = run(&["check", arguments[0], arguments[1]]);
    let served = run(&["serve", arguments[0], arguments[1]]);

    assert_eq!(checked.0, 1);
    assert_eq!(served, checked);
}

#[test]
fn the_configuration_is_found_through_the_environment() {
    let folder = folder::new("check");
    assert_eq!(run(&["init", folder.path().to_str().unwrap()]).0, 0);
    let file = folder.path().join("doorward.toml").display().to_string();

    let checked = command(&["check"], &[("DOORWARD_CONFIG".to_owned(), file.clone())]);
    let overridden = command(&["check"], &[("DOORWARD_CONFIG".to_owned(), file), ("DOORWARD__OTP__LENGTH".to_owned(), "12".to_owned())]);

    assert_eq!(checked.0, 0);
    assert_eq!(overridden, (1, String::new(), "otp.length: should be 4 to 10 digits\n".to_owned()));
}

#[test]
fn a_database_that_is_behind_is_refused_until_it_is_migrated() {
    let folder = folder::new("migrate");
    assert_eq!(run(&["init", folder.path().to_str().unwrap()]).0, 0);
    let database = folder.path().join("doorward.db").display().to_string();
    let environment = [
        ("DOORWARD_CONFIG".to_owned(), folder.path().join("doorward.toml").display().to_string()),
        ("DOORWARD__STORE__URL".to_owned(), format!("sqlite:{database}")),
        ("DOORWARD__STORE__MIGRATE".to_owned(), "false".to_owned()),
    ];

    let before = command(&["account", "list"], &environment);
    let migrated = command(&["migrate"], &environment);
    let after = command(&["account", "list", "--json"], &environment);

    assert_eq!(before.0, 1);
    assert!(before.2.contains("doorward migrate"), "{before:?}");
    assert_eq!(migrated, (0, "up to date\n".to_owned(), String::new()));
    assert_eq!(after, (0, "[]\n".to_owned(), String::new()));
}

#[test]
fn wrong_use_is_told_apart_from_refusal() {
    for arguments in
        [&["fly"][..], &[], &["account", "add"], &["session", "revoke"], &["session", "revoke", "x", "--all-of", "y"], &["check", "--loud"]]
    {
        let (code, printed, complaint) = run(arguments);
        assert_eq!((code, printed.as_str()), (2, ""), "{arguments:?}");
        assert!(complaint.contains("Usage: "), "{complaint}");
    }
    assert_eq!(run(&["--version"]), (0, format!("doorward {}\n", env!("CARGO_PKG_VERSION")), String::new()));
    assert_eq!(run(&["--help"]).0, 0);
    assert_eq!(run(&["check", "--config", "/nowhere/doorward.toml"]).0, 1);
}
