//! `doorward explain`: what becomes of a request, and why, by the same gate that decides about real ones.

mod person;
mod request;
mod target;
mod words;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::{Value, json};

use super::{ConfigFile, Failed, desk, load, print};
use crate::admission::explain::{Explained, Fall, Judged, Nobody, Supposed};
use crate::admission::{self, Gate, Incoming, Machine, Machines, Names, Ports, Refusal, Revocations, Table, Tokens, Why};
use crate::app;
use crate::boot::Core;
use crate::boot::guests::{self, Joined};
use crate::client::Client;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::{Config, duration};
use crate::cookie::{Cookies, Kind};
use crate::outage::Outage;
use crate::secret::{Secret, SecretStr};
use crate::token::Claims;
use person::{How, Person};
use target::Target;
use words::Written;

/// What is asked.
#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(flatten)]
    file: ConfigFile,
    /// Somebody who is signed in: an address, a user name, or the id of an account; nobody when unset
    #[arg(long = "as", value_name = "HANDLE|ID", allow_hyphen_values = true)]
    who: Option<String>,
    /// They have shown a second factor, even if the account has none
    #[arg(long, requires = "who")]
    second_factor: bool,
    /// They signed in so long ago, as 5m
    #[arg(long, requires = "who", value_name = "SPAN", value_parser = span, default_value = "0s")]
    signed_in_for: Duration,
    /// The address that the client has
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    from: IpAddr,
    /// A header that the client sends; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The client shows a certificate of the authority that the route asks for
    #[arg(long)]
    client_certificate: bool,
    /// Look a refused request up by the id that its reply names: the gateway that runs remembers the last 10000
    #[arg(long, value_name = "ID", allow_hyphen_values = true, conflicts_with_all = ["who", "method", "url"])]
    request: Option<String>,
    /// The method, as GET
    #[arg(value_name = "METHOD", value_parser = method, required_unless_present = "request")]
    method: Option<Method>,
    /// The whole URL, or a path at the host of `public_url`
    #[arg(value_name = "URL", value_parser = Target::parse, required_unless_present = "request")]
    url: Option<Target>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A question that is whole.
struct Asked<'a> {
    explain: &'a Explain,
    method: &'a Method,
    url: &'a Target,
}

/// What the words of an answer need to know of the question.
struct Question<'a> {
    /// With the routes of apps at its end, so many.
    config: &'a Config,
    guests: usize,
    gate: &'a Gate,
    method: &'a Method,
    target: &'a Target,
    host: String,
    from: IpAddr,
    ago: Duration,
    person: Option<&'a Person>,
    /// Whose key the request presents, if it is a good one.
    machine: Option<&'a Machine>,
    /// Does it present one at all?
    has_key: bool,
    named: Option<&'a str>,
}

impl Question<'_> {
    fn who(&self) -> &str {
        let machine = self.machine.and_then(|machine| machine.claims.preferred_username.as_deref());
        self.named.or(machine).unwrap_or("nobody")
    }

    fn claims(&self) -> Option<&Claims> {
        self.person.map(|person| &person.claims).or_else(|| self.machine.map(|machine| machine.claims.as_ref()))
    }
}

/// What the answer rests on besides the configuration.
#[derive(Default)]
struct Rests<'a> {
    core: Option<&'a Core>,
    person: Option<&'a Person>,
    /// The store's word on the key that the request presents.
    machine: Option<Machine>,
}

/// What is answered.
struct Answer {
    /// `admitted`, `refused`, or `own` for what Doorward answers itself.
    decision: &'static str,
    refusal: Option<Refusal>,
    reason: String,
    /// Facts, by their names.
    facts: Vec<(&'static str, String)>,
    /// The same and more, for programs.
    more: Value,
}

/// Prints the answer. Fails when the request would not pass, without another word.
pub(super) fn run(explain: &Explain) -> Result<(), Failed> {
    let config = load(&explain.file.config)?;
    if let Some(id) = &explain.request {
        return request::look_up(&config, id, explain.json);
    }
    let (Some(method), Some(url)) = (&explain.method, &explain.url) else { return Err(Failed::refused("say which method, and which URL")) };
    let asked = &Asked { explain, method, url };
    let mut answer = None;
    let key = admission::key_in(&explain.headers.iter().cloned().collect());
    if explain.who.is_none() && key.is_none() {
        let (joined, note) = desk::beside_apps(&config)?;
        desk::alone(async || {
            answer = Some(answered(asked, &joined, Rests::default()).await?);
            Ok(())
        })?;
        answer = answer.map(|answer| answer.with(note));
    } else {
        desk::with(&config, async |core| {
            let joined = guests::join(&config, &core.store.with_routes().await?, core.clock.now());
            let how = How { second_factor: explain.second_factor, ago: explain.signed_in_for };
            let person = match &explain.who {
                Some(who) => person::find(core, &config, who, &how).await?.map(Some),
                None => Ok(None),
            };
            answer = Some(match person {
                Ok(person) => {
                    let machine = machine(core, &config, key.as_ref()).await?;
                    answered(asked, &joined, Rests { core: Some(core), person: person.as_ref(), machine }).await?
                }
                Err(sentence) => nobody(sentence),
            });
            Ok(())
        })?;
    }
    let answer = answer.ok_or_else(|| Failed::refused("there is no answer"))?;
    let shown = if explain.json { print::json(&as_value(&answer)) } else { show(&answer) };
    match shown {
        // Who has read enough is told by the exit code, too.
        Ok(()) | Err(Failed::Unheard) if answer.decision == "refused" => Err(Failed::Shown),
        shown => shown,
    }
}

/// Whose key the request presents.
async fn machine(core: &Core, config: &Config, key: Option<&Secret<String>>) -> Result<Option<Machine>, Failed> {
    let Some(key) = key else { return Ok(None) };
    let issuer = config.public_url.as_str().trim_end_matches('/');
    Ok(app::look_up(core.store.as_ref(), SecretStr::new(key.expose()), issuer, core.clock.now()).await?)
}

/// Believes the key that was looked up: the request holds no other.
struct LookedUp(Option<Machine>);

#[async_trait]
impl Machines for LookedUp {
    fn known(&self, _key: SecretStr<'_>, _now: Timestamp) -> Option<Machine> {
        self.0.clone()
    }

    async fn believe(&self, _key: SecretStr<'_>, _now: Timestamp) -> Result<Option<Machine>, Outage> {
        Ok(self.0.clone())
    }
}

/// There can be nobody of this name at the door.
fn nobody(sentence: String) -> Answer {
    Answer { decision: "refused", refusal: None, reason: sentence, facts: Vec::new(), more: json!({}) }
}

impl Answer {
    /// With something that the operator should know.
    fn with(mut self, note: Option<String>) -> Self {
        self.facts.extend(note.map(|note| ("note", note)));
        self
    }
}

async fn answered(asked: &Asked<'_>, joined: &Joined, rests: Rests<'_>) -> Result<Answer, Failed> {
    let Rests { core, person, machine } = rests;
    let config = &joined.config;
    let supposed = match (core, person) {
        (Some(core), Some(person)) => Some(Supposed::new(person.claims.clone(), core.entropy.as_ref()).map_err(Outage::from)?),
        _ => None,
    };
    let (secure, addressed) = asked.url.at(config);
    let host = host(asked.explain)?.unwrap_or(addressed);
    let cookies = Cookies::new(&config.cookies);
    let head = head(asked, &host, &cookies, supposed.as_ref())?;
    let client = Client { address: asked.explain.from, secure, host: host.clone() };
    let authorities: Vec<&Path> = config.routes.iter().filter_map(|route| route.client_ca.as_deref()).collect();
    let authorities = if asked.explain.client_certificate { authorities } else { Vec::new() };
    let incoming = Incoming { head: &head, target: &asked.url.asked, client: &client, authorities: &authorities, request_id: "" };
    let gate = gate(config, cookies, core, supposed, machine.clone())?;
    let question = Question {
        config,
        guests: joined.guests,
        gate: &gate,
        method: asked.method,
        target: asked.url,
        host,
        from: asked.explain.from,
        ago: asked.explain.signed_in_for,
        person,
        machine: machine.as_ref(),
        has_key: admission::key_in(&head.headers).is_some(),
        named: asked.explain.who.as_deref(),
    };
    if admission::is_ours(asked.url.path(), &config.prefix) {
        return Ok(own(&question));
    }
    let explained = gate.explain(&incoming, question.claims(), SystemClock.now()).await;
    tell(&explained, &gate.falls(&incoming).unwrap_or_default(), &question)
}

/// The host that the client says, where that is another than the URL's.
fn host(explain: &Explain) -> Result<Option<String>, Failed> {
    let mut said = explain.headers.iter().filter(|(name, _)| name == HOST);
    let host = said.next().map(|(_, value)| value.to_str().map(str::to_owned));
    if said.next().is_some() {
        return Err(Failed::refused("a request that says Host twice is answered 400"));
    }
    host.transpose().map_err(|_| Failed::refused("a host is plain text"))
}

/// The request as it would come.
fn head(asked: &Asked<'_>, host: &str, cookies: &Cookies, supposed: Option<&Supposed>) -> Result<Parts, Failed> {
    let wrong = |error: http::Error| Failed::refused(format!("there is no such request: {error}"));
    let mut request = Request::builder().method(asked.method.clone()).header(HOST, host);
    for (name, value) in asked.explain.headers.iter().filter(|(name, _)| name != HOST) {
        request = request.header(name, value);
    }
    if let Some(supposed) = supposed {
        request = request.header(COOKIE, format!("{}={}", cookies.name(Kind::Access), supposed.word().expose()));
    }
    Ok(request.body(()).map_err(wrong)?.into_parts().0)
}

/// The gate of the configuration, before which the supposed person stands, and nobody else.
fn gate(
    config: &Config,
    cookies: Cookies,
    core: Option<&Core>,
    supposed: Option<Supposed>,
    machine: Option<Machine>,
) -> Result<Gate, Failed> {
    let table = Table::new(&config.routes, &config.prefix).map_err(Failed::Mistakes)?;
    let names = Names::new(&config.identity).map_err(Failed::Mistakes)?;
    let tokens: Arc<dyn Tokens> = match supposed {
        Some(supposed) => Arc::new(supposed),
        None => Arc::new(Nobody),
    };
    let revocations: Arc<dyn Revocations> = match core {
        Some(core) => Arc::<crate::revocation::Revocations>::clone(&core.revocations),
        None => Arc::new(Nobody),
    };
    let ports = Ports { tokens, machines: Arc::new(LookedUp(machine)), renew: Arc::new(Nobody), revocations, assertions: Arc::new(Nobody) };
    Ok(Gate::new(table, names, cookies, config.tokens.leeway, ports))
}

fn own(question: &Question<'_>) -> Answer {
    let reason = format!("{} is Doorward's own, on every host: it answers this itself, and no route is asked", question.config.prefix);
    Answer { decision: "own", refusal: None, reason, facts: Vec::new(), more: asked(question) }
}

fn tell(explained: &Explained, falls: &[Fall], question: &Question<'_>) -> Result<Answer, Failed> {
    let route = explained.route.as_ref().and_then(|route| Written::find(question.config, question.guests, &route.name));
    let mut facts = facts(explained, route.as_ref(), question);
    let mut more = asked(question);
    let mut add = |name: &str, value: Value| drop(more.as_object_mut().map(|object| object.insert(name.to_owned(), value)));
    add("route", json!(explained.route.as_ref().map(|route| &route.name)));
    add("route_key", json!(route.as_ref().map(|route| &route.key)));
    add("rules", rules(explained, route.as_ref(), question));
    if falls.len() > 1 {
        add("readings", falls.iter().map(|fall| json!({ "path": fall.reading, "under": words::falls(fall) })).collect());
        facts.extend(falls.iter().map(|fall| ("reads as", format!("{}  → {}", fall.reading, words::falls(fall)))));
    }
    let rule = explained.outcome.as_ref().ok().and_then(crate::admission::Admitted::rule);
    add("rule", json!(rule));
    add("rule_key", json!(rule.zip(route.as_ref()).map(|(rule, route)| route.rule_key(rule))));
    match &explained.outcome {
        Ok(admitted) => {
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let told = admitted.edit().sets().filter(|(name, _)| **name != COOKIE).map(|(name, value)| (name.to_string(), text(value)));
            let told: Vec<(String, String)> = told.collect();
            facts.extend(told.iter().map(|(name, value)| ("app sees", format!("{name}: {value}"))));
            add("headers", told.into_iter().map(|(name, value)| (name, Value::String(value))).collect());
            let reason = words::passes(admitted, route.as_ref(), question.who());
            Ok(Answer { decision: "admitted", refusal: None, reason, facts, more })
        }
        Err(Why::Refused(refusal)) => {
            let reason = words::stays_out(*refusal, explained, route.as_ref(), question);
            Ok(Answer { decision: "refused", refusal: Some(*refusal), reason, facts, more })
        }
        Err(Why::Outage(outage)) => Err(Failed::refused(format!("it could not be decided: {outage}"))),
    }
}

fn facts(explained: &Explained, route: Option<&Written<'_>>, question: &Question<'_>) -> Vec<(&'static str, String)> {
    let mut facts = vec![("request", format!("{} {}{} from {}", question.method, question.host, question.target.asked, question.from))];
    if let Some(person) = question.person {
        let acr = if person.claims.acr == crate::token::Acr::TwoFactor { "two factors" } else { "one factor" };
        let groups = if person.claims.groups.is_empty() { "none".to_owned() } else { person.claims.groups.join(", ") };
        let ago = words::span(question.ago);
        facts.push(("as", format!("{}, account {}, {acr}, signed in {ago} ago, groups {groups}", question.who(), person.claims.sub)));
        facts.extend(person.notes.iter().map(|note| ("note", note.clone())));
    }
    let Some(route) = route else { return facts };
    let place = format!("{}{}", route.settings.host.as_deref().unwrap_or("*"), route.settings.path);
    facts.push(("route", format!("{} ({}): {place}", route.settings.name, route.key)));
    for (index, judged) in explained.rules.iter().enumerate().filter(|(_, judged)| **judged != Judged::NotFor) {
        let said = words::declines(index, *judged, route, question);
        facts.push(("rule", format!("{said} ({})", route.rule_words(index))));
    }
    facts
}

fn rules(explained: &Explained, route: Option<&Written<'_>>, question: &Question<'_>) -> Value {
    let word = |judged: &Judged| match judged {
        Judged::NotFor => "not_asked",
        Judged::OtherNetwork => "other_network",
        Judged::Admits => "admits",
        Judged::Wants(_) => "wants_more",
        Judged::Lacks(_) => "declines",
    };
    let each = |(index, judged): (usize, &Judged)| {
        let (key, says) = route.map(|route| (route.rule_key(index), words::declines(index, *judged, route, question))).unzip();
        json!({ "rule": index, "key": key, "verdict": word(judged), "reason": says })
    };
    explained.rules.iter().enumerate().map(each).collect()
}

fn asked(question: &Question<'_>) -> Value {
    json!({
        "method": question.method.as_str(),
        "host": question.host,
        "path": question.target.path(),
        "from": question.from,
        "as": question.named,
        "account": question.person.map(|person| &person.claims.sub),
        "notes": question.person.map(|person| &person.notes),
    })
}

fn as_value(answer: &Answer) -> Value {
    let mut value = json!({
        "decision": answer.decision,
        "code": answer.refusal.map(Refusal::code),
        "status": answer.refusal.map(Refusal::status),
        "reason": answer.reason,
    });
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), answer.more.clone()) {
        value.extend(more);
    }
    value
}

fn show(answer: &Answer) -> Result<(), Failed> {
    let code = answer.refusal.map(|refusal| format!(" ({} {})", refusal.status(), refusal.code())).unwrap_or_default();
    print::line(&format!("{}{code}: {}", answer.decision, print::cell(&answer.reason)))?;
    answer.facts.iter().try_for_each(|(name, fact)| print::line(&format!("  {name:<9} {}", print::cell(fact))))
}

fn method(text: &str) -> Result<Method, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    Method::from_bytes(text.as_bytes()).ok().filter(|_| plain).ok_or_else(|| "should be a method in capitals, as GET".to_owned())
}

fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| "should be a span, as 30s, 5m or 2h".to_owned())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| "should be \"Name: value\"".to_owned())?;
    let name = HeaderName::try_from(name.trim()).map_err(|error| error.to_string())?;
    Ok((name, HeaderValue::try_from(value.trim()).map_err(|error| error.to_string())?))
}
