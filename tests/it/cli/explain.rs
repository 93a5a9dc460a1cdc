//! `explain`: the answer of the gate, told without a gateway that runs; and what the one that runs remembers of a refusal.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{behind_a_door, printed, sign_in};
use crate::support::folder;
use crate::support::gateway::{Gateway, command};
use crate::support::smtp::Mailbox;
use crate::support::upstream::Upstream;

/// Rules of every kind, beside the route for all.
const ROUTES: &str = r#"
[[route]]
name = "wiki"
host = "wiki.example.com"
upstream = ["http://127.0.0.1:1"]

[[route.rule]]
path = "/admin"
require = "second_factor"
groups = ["admins"]

[[route.rule]]
path = "/hook"
require = "public"
methods = ["POST"]
networks = ["192.0.2.0/24"]

[[route.rule]]
email_domains = ["example.com"]

[[route]]
name = "bank"
host = "bank.example.com"
path = "/money"
upstream = ["http://127.0.0.1:1"]
max_age = "5m"
strip_prefix = true
"#;

/// A configuration alone: nothing runs.
struct Desk {
    environment: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new(more: &str) -> Self {
        let folder = folder::new("explain");
        let (file, database) = (folder.path().join("doorward.toml"), folder.path().join("doorward.db"));
        let mut text = format!(
            "public_url = \"https://door.example.com\"\n{more}\n[store]\nurl = \"sqlite:{}\"\n\
             encryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n[[delivery.email]]\nkind = \"console\"\n",
            database.display()
        );
        write!(text, "{ROUTES}").unwrap();
        std::fs::write(&file, text).unwrap();
        Self { environment: vec![("DOORWARD_CONFIG".to_owned(), file.display().to_string())], _folder: folder }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        command(arguments, &self.environment)
    }

    /// The exit code and the answer.
    fn explain(&self, arguments: &[&str]) -> (i32, Value) {
        let arguments = [&["explain", "--json"], arguments].concat();
        let (code, printed, complaint) = self.run(&arguments);
        (code, serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}{complaint}")))
    }

    /// Exit code, decision, code, and the key of the rule.
    fn verdict(&self, arguments: &[&str]) -> (i32, String, Value, Value) {
        let (code, answer) = self.explain(arguments);
        let decision = answer["decision"].as_str().unwrap().to_owned();
        (code, decision, answer["code"].clone(), answer["rule_key"].clone())
    }

    fn add(&self, arguments: &[&str]) {
        assert_eq!(self.run(&[&["account", "add"], arguments].concat()).0, 0);
    }
}

fn admitted(rule: &str) -> (i32, String, Value, Value) {
    (0, "admitted".to_owned(), Value::Null, json!(rule))
}

fn refused(code: &str) -> (i32, String, Value, Value) {
    (1, "refused".to_owned(), json!(code), Value::Null)
}

#[test]
fn it_says_which_route_and_rule_and_why() {
    let desk = Desk::new("");
    desk.add(&["ada@example.com", "--group", "staff"]);
    desk.add(&["root@example.com", "--group", "admins"]);
    desk.add(&["eve@evil.com", "--group", "admins"]);
    desk.add(&["doe@example.com", "--group", "staff", "--username", "doe"]);
    let (home, admin) = ("https://wiki.example.com/x?y=z", "https://wiki.example.com/admin/");

    assert_eq!(desk.verdict(&["GET", home]), refused("unauthenticated"));
    assert_eq!(desk.verdict(&["--as", "ada@example.com", "GET", home]), admitted("route[0].rule[2]"));
    assert_eq!(desk.verdict(&["--as", "Doe", "GET", home]), admitted("route[0].rule[2]"), "by the user name");
    assert_eq!(desk.verdict(&["--as", "eve@evil.com", "GET", home]), refused("forbidden"));
    assert_eq!(desk.verdict(&["--as", "ada@example.com", "GET", admin]), refused("forbidden"));
    assert_eq!(desk.verdict(&["--as", "root@example.com", "GET", admin]), refused("insufficient_user_authentication"));
    assert_eq!(desk.verdict(&["--as", "root@example.com", "--second-factor", "GET", admin]), admitted("route[0].rule[0]"));
    assert_eq!(desk.verdict(&["POST", "https://wiki.example.com/hook"]), refused("unauthenticated"));
    let elsewhere = desk.explain(&["POST", "https://wiki.example.com/hook"]).1["reason"].as_str().unwrap().to_owned();
    assert!(elsewhere.contains("route[0].rule[1] is for other networks than that of 127.0.0.1"), "{elsewhere}");
    assert_eq!(desk.verdict(&["--from", "192.0.2.7", "POST", "https://wiki.example.com/hook"]), admitted("route[0].rule[1]"));
    assert_eq!(desk.verdict(&["GET", "https://nowhere.example.com/"]), refused("no_route"));
    assert_eq!(desk.verdict(&["--as", "ada@example.com", "GET", "https://bank.example.com/money/x"]), admitted("route[1]"));
    let late = ["--as", "ada@example.com", "--signed-in-for", "10m", "GET", "https://bank.example.com/money/x"];
    assert_eq!(desk.verdict(&late), refused("insufficient_user_authentication"));
    assert_eq!(desk.verdict(&["TRACE", home]), refused("method_not_allowed"));
}

#[test]
fn the_reason_is_a_sentence_that_names_what_is_missing() {
    let desk = Desk::new("");
    desk.add(&["ada@example.com", "--group", "staff"]);
    let reason = |arguments: &[&str]| desk.explain(arguments).1["reason"].as_str().unwrap().to_owned();

    let forbidden = reason(&["--as", "ada@example.com", "GET", "https://wiki.example.com/admin"]);
    assert_eq!(
        forbidden,
        "no rule of route \"wiki\" lets ada@example.com in: route[0].rule[0] is for the groups admins, and they are in staff"
    );
    let late = reason(&["--as", "ada@example.com", "--signed-in-for", "2h", "GET", "https://bank.example.com/money"]);
    assert_eq!(late, "route \"bank\" wants a sign-in of the last 5m, and that of ada@example.com was 2h ago");
    let nowhere = reason(&["GET", "https://bank.example.com/"]);
    assert_eq!(nowhere, "no route for the host bank.example.com is for the path /");
    let (code, text, _) = desk.run(&["explain", "--as", "ada@example.com", "GET", "https://wiki.example.com/"]);
    assert_eq!(code, 0);
    assert!(text.starts_with("admitted: route \"wiki\" lets ada@example.com in by route[0].rule[2]\n"), "{text}");
    assert!(text.contains("app sees  remote-email: ada@example.com") && !text.contains("doorward_access"), "{text}");
}

#[test]
fn an_account_that_nobody_can_sign_in_with_gets_a_sentence() {
    let (open, closed) = (Desk::new(""), Desk::new("[otp]\nregistration = \"closed\""));
    for desk in [&open, &closed] {
        desk.add(&["gone@example.com"]);
        assert_eq!(desk.run(&["account", "disable", "gone@example.com"]).0, 0);
    }
    let url = "https://wiki.example.com/";
    let reason = |desk: &Desk, who: &str| {
        let (code, answer) = desk.explain(&["--as", who, "GET", url]);
        (code, answer["reason"].as_str().unwrap().to_owned())
    };

    let (code, disabled) = reason(&open, "gone@example.com");
    assert!(code == 1 && disabled.contains("is disabled since "), "{disabled}");
    let (code, unknown) = reason(&closed, "new@example.com");
    assert!(code == 1 && unknown.contains("registration is closed"), "{unknown}");
    let (code, no_id) = reason(&open, "nothing");
    assert!(code == 1 && no_id.contains("there is no account nothing"), "{no_id}");
    // Where registration is open, a stranger's first sign-in makes an account, which the rules judge.
    let (code, answer) = open.explain(&["--as", "new@example.com", "GET", url]);
    assert_eq!((code, &answer["decision"]), (0, &json!("admitted")));
    assert!(answer["notes"][0].as_str().unwrap().contains("new account"), "{answer}");
    assert_eq!(open.run(&["account", "list", "--json"]).1.matches("example.com").count(), 1, "none was made");
}

#[test]
fn a_path_that_reads_in_several_ways_is_taken_apart() {
    let desk = Desk::new("");
    desk.add(&["ada@example.com"]);

    let (code, answer) = desk.explain(&["--as", "ada@example.com", "GET", "https://wiki.example.com/x/..%2fadmin"]);

    assert_eq!((code, &answer["code"]), (1, &json!("ambiguous_path")));
    let falls = |path: &str| {
        let readings = answer["readings"].as_array().unwrap();
        readings.iter().find(|reading| reading["path"] == path).unwrap_or_else(|| panic!("{path} is not in {answer}"))["under"].clone()
    };
    assert_eq!(falls("/x/..%2fadmin"), "route \"wiki\", rules 2");
    assert_eq!(falls("/admin"), "route \"wiki\", rules 0, 2");
    let (code, harmless) = desk.explain(&["--as", "ada@example.com", "GET", "https://wiki.example.com/x/./y"]);
    assert_eq!((code, &harmless["decision"]), (0, &json!("admitted")));
}

#[test]
fn headers_of_the_client_count() {
    let desk = Desk::new("");
    desk.add(&["ada@example.com"]);
    let url = "https://wiki.example.com/";

    let from_elsewhere = ["--as", "ada@example.com", "--header", "Origin: https://evil.com", "POST", url];
    assert_eq!(desk.verdict(&from_elsewhere), refused("cross_site"));
    let preflight = ["--header", "Origin: https://evil.com", "--header", "Access-Control-Request-Method: POST", "OPTIONS", url];
    assert_eq!(desk.verdict(&preflight), (0, "admitted".to_owned(), Value::Null, Value::Null));
    let twice = ["--as", "ada@example.com", "--header", "Cookie: __Host-doorward_access=x", "GET", url];
    assert_eq!(desk.verdict(&twice), refused("repeated_cookie"));
}

#[test]
fn the_host_that_the_client_says_is_the_one_that_counts() {
    let desk = Desk::new("");
    let host = |host: &str, url: &str| desk.explain(&["--header", &format!("Host: {host}"), "POST", url]);

    let (code, answer) = host("bank.example.com", "https://127.0.0.1:8443/money");
    assert_eq!((code, &answer["route"], &answer["host"]), (1, &json!("bank"), &json!("bank.example.com")));
    let (code, answer) = host("nowhere.example.com", "https://wiki.example.com/");
    assert_eq!((code, &answer["code"]), (1, &json!("no_route")));
    let twice = desk.run(&["explain", "--header", "Host: a", "--header", "Host: b", "GET", "https://wiki.example.com/"]);
    assert_eq!((twice.0, twice.1.as_str(), twice.2.contains("Host twice")), (1, "", true));
}

#[test]
fn whoever_has_read_enough_is_told_nothing_more() {
    let desk = Desk::new("");
    let url = "https://wiki.example.com/x/..%2fadmin";
    for arguments in [&["explain", "GET", url][..], &["explain", "--json", "GET", url], &["account", "list"]] {
        let (code, complaint) = unheard(&desk, arguments);
        assert_eq!(complaint, "", "{arguments:?}");
        assert_eq!(code, i32::from(arguments[0] == "explain"), "{arguments:?}");
    }
}

/// Runs a command whose reader has gone: its exit code, and what it complained.
fn unheard(desk: &Desk, arguments: &[&str]) -> (i32, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(arguments).envs(desk.environment.iter().map(|(name, value)| (name, value)));
    let done = command.stdin(std::process::Stdio::null()).stdout(writer).output().unwrap();
    (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_good_key_is_good_and_another_is_none() {
    let desk = Desk::new("");
    let mut text = std::fs::read_to_string(&desk.environment[0].1).unwrap();
    text.push_str("\n[[route]]\nname = \"git\"\nhost = \"git.example.com\"\nupstream = [\"http://127.0.0.1:1\"]\n");
    std::fs::write(&desk.environment[0].1, text).unwrap();
    let made = desk.run(&["apikey", "create", "ci", "--scope", "route:git:GET"]);
    assert_eq!(made.0, 0, "{}", made.2);
    let key = made.1.trim().to_owned();
    let url = "https://git.example.com/x";
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("git:{key}"));

    for header in [format!("Authorization: Bearer {key}"), format!("Authorization: Basic {basic}")] {
        let (code, answer) = desk.explain(&["--header", &header, "GET", url]);
        assert_eq!((code, &answer["decision"]), (0, &json!("admitted")), "{answer}");
        assert!(answer["reason"].as_str().unwrap().contains("apikey:ci"), "{answer}");
    }
    let bearer = format!("Authorization: Bearer {key}");
    let (code, elsewhere) = desk.explain(&["--header", &bearer, "GET", "https://bank.example.com/money"]);
    assert_eq!((code, &elsewhere["code"]), (1, &json!("forbidden")));
    assert!(elsewhere["reason"].as_str().unwrap().contains("is for the routes git alone"), "{elsewhere}");
    let other = format!("Authorization: Bearer {}x", &key[..key.len() - 1]);
    let (code, wrong) = desk.explain(&["--header", &other, "GET", url]);
    assert_eq!((code, &wrong["code"]), (1, &json!("invalid_token")));
    assert!(!wrong.to_string().contains(&key[..30]), "a key is not repeated");
    assert_eq!(desk.run(&["apikey", "revoke", "ci"]).0, 0);
    assert_eq!(desk.explain(&["--header", &bearer, "GET", url]).1["code"], "invalid_token");
    let used = desk.run(&["apikey", "list", "--json"]).1;
    assert!(used.contains("\"last_used_at\": null"), "asking is no use of it: {used}");
}

#[test]
fn the_routes_of_apps_are_known_and_those_that_are_left_out_are_told() {
    let desk = Desk::new("");
    let file = std::path::Path::new(&desk.environment[0].1).to_owned();
    let add = |name: &str, host: &str| {
        let route = file.with_file_name("route.json");
        std::fs::write(&route, json!({ "host": host, "upstream": ["http://127.0.0.1:1"], "groups": ["staff"] }).to_string()).unwrap();
        let (code, _, complaint) = desk.run(&["app", "add", name, "--route", route.to_str().unwrap()]);
        assert_eq!(code, 0, "{complaint}");
    };
    let url = "https://shop.example.com/";
    assert_eq!(desk.verdict(&["GET", url]), refused("no_route"), "nothing is there yet");
    add("shop", "shop.example.com");
    desk.add(&["ada@example.com", "--group", "staff"]);

    let (code, alone) = desk.explain(&["GET", url]);
    assert_eq!(
        (code, &alone["code"], &alone["route"], &alone["route_key"]),
        (1, &json!("unauthenticated"), &json!("shop"), &json!("app \"shop\""))
    );
    assert_eq!(desk.verdict(&["--as", "ada@example.com", "GET", url]), admitted("app \"shop\""));
    let (code, printed, complaint) = desk.run(&["check"]);
    assert_eq!((code, printed.as_str(), complaint.contains("left out")), (0, "ok\n", false));

    // The configuration comes first: from now on the host is its own.
    let mut text = std::fs::read_to_string(&file).unwrap();
    write!(text, "\n[[route]]\nname = \"new\"\nhost = \"shop.example.com\"\nupstream = [\"http://127.0.0.1:1\"]\n").unwrap();
    std::fs::write(&file, text).unwrap();
    let (code, printed, complaint) = desk.run(&["check"]);
    assert_eq!((code, printed.as_str()), (0, "ok\n"));
    assert!(complaint.contains("the route of app shop is left out: route.path"), "{complaint}");
    let told: Value = serde_json::from_str(&desk.run(&["check", "--json"]).1).unwrap();
    assert_eq!((&told["ok"], &told["apps"]["left_out"][0]["app"]), (&json!(true), &json!("shop")));
    assert_eq!(desk.explain(&["GET", url]).1["route"], "new");
}

#[test]
fn our_own_paths_are_no_routes() {
    let desk = Desk::new("");
    let (code, answer) = desk.explain(&["GET", "https://anything.example.com/auth/login"]);
    assert_eq!((code, &answer["decision"]), (0, &json!("own")));
}

#[test]
fn nonsense_is_a_wrong_use() {
    let desk = Desk::new("");
    for arguments in [
        &["GET"][..],
        &["get", "https://wiki.example.com/"],
        &["GET", "wiki.example.com"],
        &["GET", "https://ada@wiki.example.com/"],
        &["--from", "here", "GET", "/"],
        &["--second-factor", "GET", "/"],
        &["--as", "a@example.com", "--signed-in-for", "long", "GET", "/"],
        &["--header", "no colon", "GET", "/"],
        &["--request", "x", "GET", "/"],
    ] {
        let (code, printed, complaint) = desk.run(&[&["explain"], arguments].concat());
        assert_eq!((code, printed.as_str()), (2, ""), "{arguments:?}: {complaint}");
    }
    assert_eq!(desk.run(&["explain", "--as", "not an address@", "GET", "/"]).0, 1);
}

async fn refused_at(gateway: &Gateway, path: &str) -> String {
    let reply = gateway.person().get(path).await;
    assert!(reply.status >= 400, "{path}: {}", reply.status);
    reply.header("x-request-id").expect("an id")
}

fn looked_up(gateway: &Gateway, id: &str) -> Value {
    printed(&gateway.command(&["explain", "--json", "--request", id]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_looked_up_by_its_id() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;

    let id = refused_at(&gateway, "/secret?token=hunter2").await;
    let (code, text, _) = gateway.command(&["explain", "--request", &id]);
    let found = looked_up(&gateway, &id);
    let own = looked_up(&gateway, &refused_at(&gateway, "/auth/nothing").await);
    let subject = looked_up(&gateway, &refused_at(&gateway, "/auth/api/otp/ada%40example.com").await);

    assert_eq!(code, 0);
    assert!(text.starts_with("refused (401 unauthenticated): route \"app\" (route[0]) refused it"), "{text}");
    assert_eq!((&found["code"], &found["route"], &found["rules"]), (&json!("unauthenticated"), &json!("app"), &json!([0])));
    assert_eq!((&found["path"], &found["method"], &found["status"]), (&json!("/secret"), &json!("GET"), &json!(401)));
    assert!(!format!("{found}{text}").contains("hunter2"));
    assert_eq!(subject["path"], json!("/auth/api/otp/{subject}"), "whom an app asks about is nobody's business");
    assert_eq!((&own["decision"], &own["code"], &own["path"]), (&json!("own"), &json!("not_found"), &json!("/auth/nothing")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passed_is_not_remembered_and_nobody_else_may_ask() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;
    let person = gateway.person();
    sign_in(&person, &mailbox, "ada@example.com", 1).await;
    let passed = person.get("/").await.header("x-request-id").expect("an id");
    let refused = refused_at(&gateway, "/").await;

    let unknown = gateway.command(&["explain", "--request", &passed]);
    let odd = gateway.command(&["explain", "--request", "../x"]);
    let stranger = gateway.operator().get(&format!("/api/refusals/{refused}")).await;
    let other_key = [("DOORWARD__STORE__ENCRYPTION_KEY".to_owned(), "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned())];
    let mut environment = vec![("DOORWARD_CONFIG".to_owned(), gateway.config().display().to_string())];
    let found = command(&["explain", "--request", &refused], &environment);
    environment.extend(other_key);
    let config = std::fs::read_to_string(gateway.config()).unwrap();
    let copy = gateway.config().with_file_name("other.toml");
    std::fs::write(&copy, config.replace("encryption_key", "#encryption_key")).unwrap();
    environment[0].1 = copy.display().to_string();
    let not_believed = command(&["explain", "--request", &refused], &environment);

    assert_eq!(unknown.0, 1);
    assert!(unknown.2.contains("remembers no refused request"), "{}", unknown.2);
    assert_eq!(odd.0, 1);
    assert_eq!(stranger.status, 401);
    assert_eq!(found.0, 0, "{}", found.2);
    assert_eq!(not_believed.0, 1);
    assert!(not_believed.2.contains("401"), "{}", not_believed.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_turned_away_and_an_app_that_is_gone_are_looked_up_too() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gone = "[[route]]\nname = \"gone\"\npath = \"/gone\"\nupstream = [\"http://127.0.0.1:1\"]\nrequire = \"public\"";
    let gateway = behind_a_door(&app, &mailbox, gone).await;

    let gone = gateway.person().get("/gone").await;
    let turned_away = raw(&gateway, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");

    let gone = looked_up(&gateway, &gone.header("x-request-id").expect("an id"));
    let turned_away = looked_up(&gateway, &turned_away);
    assert_eq!((&gone["decision"], &gone["code"], &gone["route"]), (&json!("admitted"), &json!("upstream_failed"), &json!("gone")));
    assert_eq!((&turned_away["decision"], &turned_away["code"]), (&json!("refused"), &json!("bad_request")));
}

/// The id of the reply to these bytes.
fn raw(gateway: &Gateway, bytes: &str) -> String {
    use std::io::{Read as _, Write as _};

    let mut stream = std::net::TcpStream::connect(gateway.public()).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap_or_else(|| panic!("no id in {answer}"));
    line.to_owned()
}
