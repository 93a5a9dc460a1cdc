//! `doorward healthcheck`: asks the admin listener of the running gateway for `/healthz`.

use std::path::Path;

use super::{Failed, load, print, running};

/// Prints what the gateway says; fails when it does not say that it is ready.
pub(super) fn run(path: &Path) -> Result<(), Failed> {
    let (status, body) = running::get(&load(path)?.listen.admin, "/healthz", None)?;
    if status == "200" {
        return print::line(body.trim());
    }
    Err(Failed::refused(format!("not ready: {} {}", print::cell(&status), print::cell(body.trim()))))
}
