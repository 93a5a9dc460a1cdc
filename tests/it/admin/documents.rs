//! What the documents promise, tried with what nobody would think of: schemathesis makes requests from each document, valid and
//! not, as somebody who may and as a stranger, and holds every answer to it.

use std::process::{Command, Stdio};

use super::desk::key;
use crate::flow::place::{ACCESS, Database, Place, Wants};
use crate::support::{folder, python};

/// Requests for one operation and phase. With four runs it stays below a minute and a half.
const EXAMPLES: &str = "6";

/// What is looked at in every answer: no 5xx, no undocumented status, content type or shape.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Runs it against a document, with a header or without.
fn holds(document: &str, header: Option<&str>, more: &[&str]) {
    let work = folder::new("schemathesis");
    let program = python::interpreter().with_file_name("schemathesis");
    let mut command = Command::new(program);
    command.current_dir(work.path()).args(["run", document, "--checks", CHECKS, "--max-examples", EXAMPLES]);
    command.args(["--phases", "examples,coverage,fuzzing", "--seed", "1", "--workers", "1", "--no-shrink", "--continue-on-failure"]);
    command.args(["--max-time", "15", "--request-timeout", "10", "--suppress-health-check", "all", "--warnings", "off"]);
    command.args(more);
    if let Some(header) = header {
        command.args(["--header", header]);
    }
    let done = command.stdin(Stdio::null()).env("HYPOTHESIS_STORAGE_DIRECTORY", work.path()).output().expect("schemathesis");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{document}: {said}{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_answers_as_its_document_says() {
    let place = Place::on(Database::Sqlite).await;
    let document = format!("http://{}/api/openapi.json", place.gateway.admin());
    let key = key(&place, "schemathesis", "admin").await;

    let tried = tokio::task::spawn_blocking(move || {
        holds(&document, Some(&format!("Authorization: Bearer {key}")), &[]);
        holds(&document, None, &[]);
    });

    tried.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_in_api_answers_as_its_document_says() {
    let limits = "codes_per_address = 100000\ncodes_per_network = 100000\nattempts_per_network = 100000";
    let place = Place::with(Wants { sections: vec![("limits", limits)], ..Wants::default() }).await;
    let person = place.sign_in("ada@example.com").await;
    let document = format!("http://{}/auth/openapi.json", place.gateway.public());
    let cookies = format!("Cookie: {}", person.cookie_header());
    assert!(person.cookie(ACCESS).is_some());

    let tried = tokio::task::spawn_blocking(move || {
        // Signing out, and a refresh token that comes again and again, would end what the others are tried with.
        holds(&document, Some(&cookies), &["--exclude-path", "/auth/logout", "--exclude-path", "/auth/refresh"]);
        holds(&document, None, &[]);
    });

    tried.await.unwrap();
}
