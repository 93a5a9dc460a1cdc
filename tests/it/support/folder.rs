//! A folder for a server's data, under the system's temporary folder so that a server with a user of its own can
//! reach it.
//!
//! Shared servers live in statics, which are never dropped. What they leave is swept by the next run: a folder carries
//! the id of the process that made it.

use std::path::{Path, PathBuf};
use std::sync::Once;

use tempfile::TempDir;

const PREFIX: &str = "doorward-test-";

/// A new empty folder, removed when the value is dropped, else by the next run.
pub fn new(purpose: &str) -> TempDir {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(sweep);
    tempfile::Builder::new().prefix(&format!("{PREFIX}{}-{purpose}-", std::process::id())).tempdir().expect("a temporary folder")
}

/// Where `make setup` puts tools that are not the system's: inside the target folder.
pub fn tools() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's tmp is inside the target folder");
    target.join("test-tools")
}

/// Removes the folders of processes that are no more.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    let left: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_left_behind(path)).collect();
    for path in left {
        // Two runs may sweep at once: whoever comes second finds nothing, and that is well.
        drop(std::fs::remove_dir_all(path));
    }
}

fn is_left_behind(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).is_some_and(|process| !Path::new("/proc").join(process).exists())
}
