//! Secrets from files.

use std::fs;

use super::{MINIMAL, mistakes, read};
use crate::support::folder;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn a_secret_is_read_from_its_file() {
    let folder = folder::new("secrets");
    let path = folder.path().join("key");
    fs::write(&path, format!("{KEY}\n")).unwrap();
    let text = MINIMAL.replace(&format!("encryption_key = \"{KEY}\""), &format!("encryption_key_file = {path:?}"));
    assert_eq!(read(&text, &[]).unwrap().store.encryption_key.unwrap().expose(), KEY);
    fs::write(&path, format!("{KEY}\r\n")).unwrap();
    assert_eq!(read(&text, &[]).unwrap().store.encryption_key.unwrap().expose(), KEY);
}

#[test]
fn every_secret_may_come_from_a_file() {
    let folder = folder::new("secrets");
    let path = folder.path().join("secret");
    fs::write(&path, "redis://127.0.0.1:6379").unwrap();
    let redis = format!("{MINIMAL}\n[redis]\nurl_file = {path:?}");
    assert_eq!(read(&redis, &[]).unwrap().redis.unwrap().url.expose(), "redis://127.0.0.1:6379");
    let smtp = MINIMAL.replace("kind = \"console\"", "kind = \"smtp\"\nurl = \"smtps://u@h\"\nfrom = \"a@example.com\"");
    let variable = [("DOORWARD__DELIVERY__EMAIL__0__PASSWORD_FILE", path.to_str().unwrap())];
    let config = read(&smtp, &variable).unwrap();
    assert_eq!(config.delivery.email[0].password.as_ref().unwrap().expose(), "redis://127.0.0.1:6379");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_key() {
    let folder = folder::new("secrets");
    let (empty, absent) = (folder.path().join("empty"), folder.path().join("absent"));
    fs::write(&empty, "\n").unwrap();
    let without_key = MINIMAL.replace("encryption_key = ", "encryption_key_file = ").replace(KEY, absent.to_str().unwrap());
    let found = mistakes(&format!("{without_key}\n[tokens]\nsecret_file = {empty:?}"), &[]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with(&format!("store.encryption_key_file: {} cannot be read: ", absent.display())), "{found:#?}");
    assert_eq!(found[1], format!("tokens.secret_file: {} is empty", empty.display()));
}

#[test]
fn a_secret_and_its_file_are_one_too_many() {
    let found = mistakes(&format!("{MINIMAL}\n[tokens]\nsecret = \"x\"\nsecret_file = \"/nowhere\""), &[]);
    assert_eq!(found, ["tokens.secret_file: secret is set too; keep one of them"]);
    let stray = mistakes(&format!("{MINIMAL}\n[otp]\nsecret_file = \"/etc/hostname\""), &[]);
    assert_eq!(stray.len(), 1);
    assert!(stray[0].starts_with("otp.secret_file: there is no such key"), "{stray:?}");
}
