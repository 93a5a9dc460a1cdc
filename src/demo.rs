//! `doorward demo`: everything on one machine, without configuration. A gateway, an app behind it that shows what it received,
//! a database in a temporary folder, and an inbox page instead of a mail server.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::boot::{self, Extras, NotServing};
use crate::config::Config;
use crate::deliver::Inbox;
use crate::gateway::DemoApp;
use crate::outage::Outage;
use crate::random::{self, SystemEntropy};

/// Where the demo listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// The gateway.
    pub public: SocketAddr,
    /// Health, readiness, metrics.
    pub admin: SocketAddr,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { public: SocketAddr::from(([127, 0, 0, 1], 8080)), admin: SocketAddr::from(([127, 0, 0, 1], 9080)) }
    }
}

/// Run the demo until it is told to leave; `greet` is given its words once it is ready. What it kept is gone afterwards.
///
/// # Errors
/// When an address is taken, or the temporary folder cannot be made.
pub fn run(addresses: Addresses, greet: impl FnOnce(&str) + 'static) -> Result<(), NotServing> {
    let entropy = SystemEntropy::default();
    let folder = Folder::make(&random::id(&entropy).map_err(Outage::from)?)?;
    let app = DemoApp::bind("/auth")?;
    let key = random::bytes::<32>(&entropy).map_err(Outage::from)?;
    let text = configuration(addresses, &folder, app.address(), &STANDARD.encode(key));
    let config = Config::read("demo", &text, std::iter::empty()).map_err(NotServing::Configuration)?;
    let words = greeting(addresses);
    let extras =
        Extras { inbox: Some(Arc::new(Inbox::default())), app: Some(app), on_ready: Box::new(move || greet(&words)), ..Extras::default() };
    boot::serve(&config, extras)
}

/// A folder that is gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn make(name: &str) -> Result<Self, NotServing> {
        let path = std::env::temp_dir().join(format!("doorward-demo-{name}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(Outage::store)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(cause) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%cause, "The demo's folder {} is left behind", self.0.display());
        }
    }
}

fn configuration(addresses: Addresses, folder: &Folder, app: SocketAddr, key: &str) -> String {
    let Addresses { public, admin } = addresses;
    format!(
        r#"public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
[store]
url = "sqlite:{folder}/demo.db"
encryption_key = "{key}"
[otp]
resend_after = "5s"
[cookies]
secure = false
[pages]
name = "Doorward demo"
[telemetry]
log = "warn"
log_format = "text"
[[delivery.email]]
kind = "console"
[[route]]
name = "public"
path = "/public"
upstream = ["http://{app}"]
require = "public"
[[route]]
name = "demo"
upstream = ["http://{app}"]
require = "session"
"#,
        folder = folder.0.display()
    )
}

fn greeting(Addresses { public, admin }: Addresses) -> String {
    format!(
        "Doorward's demo is ready.\n\n  \
           The app, behind the door    http://{public}/\n  \
           A page in front of it       http://{public}/public\n  \
           Your inbox                  http://{public}/auth/dev/inbox\n  \
           Health and metrics          http://{admin}/readyz  http://{admin}/metrics\n\n\
         Sign in with any address; the code is printed here and shown in the inbox. Ctrl-C ends it.\n"
    )
}
