//! A name server of a stranger, as a program sees it: names lead where a test says, and lead elsewhere a moment later. Neither
//! the machine's own settings nor its privileges are needed: what asks for names is a library (`resolver.c`) that is loaded into
//! the program, which is otherwise the real one.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::folder;

/// An address of the internet. What connects to it comes to this machine, at the same port.
pub const PUBLIC: &str = "93.184.216.34";

/// The names of one program.
pub struct Names(TempDir);

impl Names {
    pub fn new() -> Self {
        let folder = folder::new("names");
        let names = Self(folder);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/resolver.c");
        let library = names.file("resolver.so");
        let done = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").output();
        let done = done.expect("a C compiler, which building needs too");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        names.answer("nobody.invalid", &[&[PUBLIC]]);
        names
    }

    /// From now on lookups of `name` are answered by each of these in turn, and then by the last.
    pub fn answer(&self, name: &str, turns: &[&[&str]]) {
        let lines = turns.iter().fold(String::new(), |lines, addresses| lines + name + " " + &addresses.join(" ") + "\n");
        let (new, file) = (self.file("new"), self.file("names"));
        std::fs::write(&new, lines).expect("a writable folder");
        std::fs::rename(new, file).expect("a writable folder");
    }

    /// What a program needs in its environment to see them.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.file(name).display().to_string();
        vec![
            ("LD_PRELOAD", path("resolver.so")),
            ("DOORWARD_TEST_NAMES", path("names")),
            ("DOORWARD_TEST_NOTES", path("notes")),
            ("DOORWARD_TEST_PUBLIC", PUBLIC.to_owned()),
        ]
    }

    /// Where the program has tried to connect to since it was last asked, and how often it has looked a name up.
    pub fn take_notes(&self) -> (Vec<String>, usize) {
        let notes = std::fs::read_to_string(self.file("notes")).unwrap_or_default();
        std::fs::write(self.file("notes"), "").expect("a writable folder");
        let connected = notes.lines().filter_map(|line| line.strip_prefix("connect ")).map(str::to_owned).collect();
        (connected, notes.lines().filter(|line| line.starts_with("lookup ")).count())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
