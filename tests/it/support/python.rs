//! Python with libraries that are not ours (PyJWT, cryptography, aiosmtpd), put under the target folder by `make setup`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::folder;

/// Runs a script with arguments and gives what it printed; fails the test with its complaint when it fails.
pub fn run(script: &str, arguments: &[&str]) -> String {
    ended(Command::new(interpreter()).arg("-c").arg(script).args(arguments))
}

/// [`run`], for a script that stands in this folder, with others that it imports.
pub fn run_file(name: &str, arguments: &[&str]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support").join(name);
    // Its tracks stay out of the sources.
    ended(Command::new(interpreter()).arg("-B").arg(file).args(arguments))
}

fn ended(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().expect("python; `make setup` installs it");
    assert!(done.status.success(), "python failed: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text").trim_end().to_owned()
}

/// The interpreter that sees those libraries.
pub fn interpreter() -> PathBuf {
    folder::tools().join("venv/bin/python")
}
