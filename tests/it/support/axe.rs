//! axe-core, put under the target folder by `make setup`: looks at a page for what stands in the way of people who do not
//! see, hear or point as others do (WCAG 2.2).

use serde_json::Value;

use super::browser::Browser;
use super::folder;

/// Runs every rule for WCAG 2.2 A and AA and the best practices; gives the findings that are serious or worse, each with
/// where it is.
const RUN: &str = "
const done = arguments[arguments.length - 1];
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations', 'passes'] }).then(
  (found) => done({
    passed: found.passes.length,
    found: found.violations.flatMap((rule) => rule.nodes.map((node) => ({
      impact: node.impact || rule.impact,
      what: rule.id + ': ' + rule.help + ' at ' + node.target.join(' ') + ' (' + node.failureSummary + ')',
    }))),
  }),
  (error) => done({ error: String(error) }),
);";

/// What axe-core has to say about a page.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Rules that the page keeps: none would mean that nothing was looked at.
    pub passed: u64,
    /// Of impact serious or critical.
    pub grave: Vec<String>,
    /// Of lesser impact.
    pub slight: Vec<String>,
}

/// Looks at the page that the browser shows.
pub async fn look(browser: &Browser) -> Findings {
    if browser.ask("return typeof axe").await == "undefined" {
        browser.ask(&source()).await;
    }
    let said = browser.page.execute_async(RUN, vec![]).await.expect("axe-core runs");
    assert!(said["error"].is_null(), "axe-core failed: {said}");
    let found = said["found"].as_array().expect("a list");
    let is_grave = |finding: &&Value| matches!(finding["impact"].as_str(), Some("serious" | "critical") | None);
    let what = |finding: &Value| finding["what"].as_str().expect("a sentence").to_owned();
    Findings {
        passed: said["passed"].as_u64().expect("a number"),
        grave: found.iter().filter(is_grave).map(what).collect(),
        slight: found.iter().filter(|finding| !is_grave(finding)).map(what).collect(),
    }
}

fn source() -> String {
    let file = folder::tools().join("axe-core/axe.min.js");
    std::fs::read_to_string(file).expect("axe-core; `make setup` fetches it")
}
