//! The proxies themselves, started with what `doorward snippet` prints: only the port that they listen on is written over.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::child::{self, Process, Signal, Spawn};
use crate::support::gateway::status_at;
use crate::support::{folder, ports};

/// A proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Haproxy,
    Caddy,
    Traefik,
    Envoy,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        }
    }
}

/// A running proxy; it ends with the value.
pub struct Proxy {
    process: Process,
    _folder: TempDir,
}

/// What an operator has at hand.
pub struct Pasted<'a> {
    /// Where the proxy listens.
    pub port: u16,
    /// The name by which people reach it.
    pub name: &'a str,
    /// What `doorward snippet` has printed.
    pub snippet: &'a str,
    /// Who vouches for the gateway's certificate, where it has one: the machine's own authorities do not.
    pub authority: Option<PathBuf>,
}

impl Proxy {
    /// Starts it with what was pasted.
    pub fn start(kind: Kind, pasted: &Pasted<'_>) -> Self {
        let folder = folder::new("proxy");
        let mut process = kind.spawn(pasted, folder.path());
        let (address, host) = (SocketAddr::from(([127, 0, 0, 1], pasted.port)), format!("{}:{}", pasted.name, pasted.port));
        let ready = child::await_ready(kind.name(), &mut process, || status_at(address, &host, "/auth/login") == Some(200));
        assert!(ready, "{} ended: {}", kind.name(), process.output().text());
        Self { process, _folder: folder }
    }

    pub fn log(&self) -> String {
        self.process.output().text()
    }
}

impl Kind {
    fn spawn(self, pasted: &Pasted<'_>, folder: &Path) -> Process {
        let Pasted { port, name, snippet, authority } = pasted;
        // What the machine's own authorities stand in is written over; programs in Go look where a variable says.
        let authority = authority.as_ref().map(|file| file.display().to_string());
        let snippet = &trusting(snippet, authority.as_deref());
        let go: Vec<(&str, &str)> = authority.iter().map(|file| ("SSL_CERT_FILE", file.as_str())).collect();
        let at = |name: &str| folder.join(name).display().to_string();
        match self {
            Self::Nginx => {
                let pasted = replaced(snippet, "listen 80", &format!("listen 127.0.0.1:{port}"));
                let temporary: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .iter()
                    .map(|kind| format!("    {kind}_temp_path {};\n", at(kind)))
                    .collect();
                let text = format!(
                    "daemon off;\nmaster_process off;\npid {};\nerror_log stderr;\nevents {{}}\nhttp {{\n    access_log off;\n{}{pasted}\n}}\n",
                    at("nginx.pid"),
                    temporary.concat()
                );
                start("nginx", folder, "nginx.conf", &text, &["-e", "stderr", "-c"], &[])
            }
            Self::Haproxy => {
                // Sockets without a file belong to the whole machine.
                let snippet = &snippet.replace("abns@doorward_check", &format!("abns@doorward_check_{port}"));
                let (script, configuration) = snippet.split_once("\n# HAProxy, second file").expect("two files");
                std::fs::write(folder.join("doorward.lua"), script).expect("a writable folder");
                let text = replaced(configuration, "/etc/haproxy/doorward.lua", &at("doorward.lua"));
                let text = replaced(&text, "bind :80", &format!("bind 127.0.0.1:{port}"));
                start("haproxy", folder, "haproxy.cfg", &format!("# HAProxy{text}"), &["-db", "-f"], &[])
            }
            Self::Caddy => {
                // Every site without TLS, which the test has no certificates for.
                let site = |line: &str| match line.strip_suffix(" {").filter(|host| host.contains('.') || *host == "localhost") {
                    Some(host) if !line.starts_with([' ', '(']) => format!("http://{host}:{port} {{\n"),
                    _ => format!("{line}\n"),
                };
                let text: String = replaced(snippet, &format!("\n{name} {{"), &format!("\n{name} {{")).lines().map(site).collect();
                let text = replaced(&text, "\nhttp:// {", &format!("\nhttp://:{port} {{"));
                let text = format!("{{\n    admin off\n    auto_https off\n}}\n{text}");
                start(
                    "caddy",
                    folder,
                    "Caddyfile",
                    &text,
                    &["run", "--adapter", "caddyfile", "--config"],
                    &[&go[..], &[("HOME", &at("home"))]].concat(),
                )
            }
            Self::Traefik => {
                std::fs::write(folder.join("dynamic.yml"), snippet).expect("a writable folder");
                let text = format!(
                    "entryPoints:\n  web:\n    address: \"127.0.0.1:{port}\"\nproviders:\n  file:\n    filename: {}\nlog:\n  level: INFO\nglobal:\n  checkNewVersion: false\n  sendAnonymousUsage: false\n",
                    at("dynamic.yml")
                );
                let file = folder.join("traefik.yml");
                std::fs::write(&file, text).expect("a writable folder");
                start_at(&tool("traefik"), &[format!("--configFile={}", file.display())], &go)
            }
            Self::Envoy => {
                let text = replaced(snippet, "address: 0.0.0.0, port_value: 80", &format!("address: 127.0.0.1, port_value: {port}"));
                let base = ports::free().to_string();
                let program = tool("envoy");
                start(&program, folder, "envoy.yaml", &text, &["--concurrency", "1", "--base-id", &base, "-l", "warn", "-c"], &[])
            }
        }
    }
}

/// What an operator writes over.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} stands in the snippet:\n{text}");
    text.replace(from, to)
}

fn start(program: &str, folder: &Path, name: &str, text: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a writable folder");
    let mut all: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    all.push(file.display().to_string());
    start_at(program, &all, environment)
}

/// The snippet, with another file of authorities.
fn trusting(snippet: &str, authority: Option<&str>) -> String {
    let own = ["/etc/ssl/certs/ca-certificates.crt", "@system-ca"];
    authority.map_or_else(|| snippet.to_owned(), |file| own.iter().fold(snippet.to_owned(), |text, own| text.replace(own, file)))
}

fn start_at(program: &str, arguments: &[String], environment: &[(&str, &str)]) -> Process {
    let environment: Vec<(String, String)> = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Process::start(Spawn { program, arguments, environment: &environment, user: None }, Signal::Term)
}

/// A program that a Python package brings.
fn tool(name: &str) -> String {
    folder::tools().join("venv/bin").join(name).display().to_string()
}
