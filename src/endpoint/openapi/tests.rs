use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::endpoint::{api, table};

/// Every path with its methods, as a document says it.
fn documented(document: &Value, prefix: &str) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        let path = path.strip_prefix(prefix).unwrap().to_owned();
        methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.to_ascii_uppercase()))
    });
    all.collect()
}

#[test]
fn the_document_of_the_admin_api_has_its_paths_and_no_others() {
    let table: BTreeSet<_> = api::table::PATHS
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |(method, _)| ((*path).to_owned(), method.to_string())))
        .collect();
    assert_eq!(documented(&admin(), ""), table);
}

#[test]
fn the_document_of_the_public_api_has_its_paths_but_for_pages_and_no_others() {
    let table: BTreeSet<_> = table::programs().map(|(path, method)| (path.to_owned(), method.to_string())).collect();
    assert_eq!(documented(&public("/door"), "/door"), table);
}

#[test]
fn every_shape_that_is_named_is_there_and_every_one_that_is_there_is_named() {
    for document in [admin(), public("/auth")] {
        let text = document.to_string();
        let named: BTreeSet<&str> = text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let there: BTreeSet<&str> = document["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(named, there);
    }
}

#[test]
fn operations_have_names_of_their_own_and_answers_for_every_error() {
    for document in [admin(), public("/auth")] {
        let mut names = BTreeMap::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap().to_owned();
                assert!(!operation["summary"].as_str().unwrap().is_empty());
                assert_eq!(names.insert(name, (path, method)), None);
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.keys().any(|status| status.starts_with('2')), "{path}");
                assert!(["400", "413", "421", "500"].iter().all(|status| responses.contains_key(*status)), "{path}");
                let is_open = operation["security"].as_array().unwrap().is_empty();
                assert!(is_open || responses.contains_key("401"), "{path}");
            }
        }
    }
}

#[test]
fn an_error_names_its_codes() {
    let found = &admin()["paths"]["/api/accounts/{id}"]["patch"]["responses"]["422"];
    let codes = &found["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"];
    let expected = ["invalid_query", "invalid_address", "invalid_account", "address_required", "reserved_claim", "invalid_body"];
    assert_eq!(codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect::<Vec<_>>(), expected);
}
