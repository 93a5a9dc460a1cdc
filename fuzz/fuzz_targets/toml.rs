//! The configuration: whatever is written there, it is understood, or every mistake is named with its key.

#![no_main]

use doorward::config::Config;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Secrets may be read from files: not from those that never end.
    if text.contains("_file") || text.contains("/dev") || text.contains("/proc") {
        return;
    }
    match Config::read("doorward.toml", text, std::iter::empty()) {
        Ok(config) => drop(format!("{config:?}")),
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "wrong, and nobody says why");
            for mistake in mistakes {
                assert!(!mistake.key.is_empty() && !mistake.problem.is_empty(), "{mistake:?}");
            }
        }
    }
});
