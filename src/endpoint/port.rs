//! What the endpoints ask of the sign-in services.

use std::time::Duration;

use async_trait::async_trait;

use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::outage::Outage;
use crate::secret::Secret;
use crate::signin::{Channel, Handle, Session};
use crate::token::{Claims, Issued};

pub struct Ask {
    pub handle: Handle,
    pub channel: Channel,
    pub seen: Seen,
}
pub struct Asked {
    pub challenge_id: Secret<String>,
    pub channel: Channel,
    pub expires_in: Duration,
    pub resend_after: Duration,
    pub development_code: Option<String>,
}
#[derive(Debug)]
pub enum AskRefusal {
    TooSoon(Duration),
    Limited { limit: &'static str, retry_after: Duration },
    ChannelUnavailable,
    Outage(Outage),
}
pub struct Guess {
    pub handle: Option<Handle>,
    pub code: Secret<String>,
    pub named: Option<Secret<String>>,
    pub held: Option<Secret<String>>,
    pub seen: Seen,
}
#[derive(Debug)]
pub enum GuessRefusal {
    Invalid,
    TooMany(Duration),
    Limited { limit: &'static str, retry_after: Duration },
    Outage(Outage),
}
#[derive(Debug)]
pub enum RefreshRefusal {
    Ended,
    Outage(Outage),
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Local,
    Others,
    Global,
}
#[derive(Debug, Clone, Default)]
pub struct Presented {
    pub access: Vec<Secret<String>>,
    pub refresh: Option<Secret<String>>,
}

#[async_trait]
pub trait SignIn: Send + Sync {
    async fn request(&self, ask: Ask, now: Timestamp) -> Result<Asked, AskRefusal>;
    async fn register(&self, ask: Ask, username: Option<String>, name: Option<String>, now: Timestamp) -> Result<Asked, AskRefusal>;
    async fn verify(&self, guess: Guess, now: Timestamp) -> Result<Issued, GuessRefusal>;
    async fn refresh(&self, token: &Secret<String>, seen: &Seen, now: Timestamp) -> Result<Issued, RefreshRefusal>;
    async fn sign_out(&self, presented: &Presented, scope: Scope, now: Timestamp) -> Result<(), Outage>;
    async fn current(&self, presented: &Presented, now: Timestamp) -> Result<Option<Claims>, Outage>;
    async fn sessions(&self, claims: &Claims, now: Timestamp) -> Result<Vec<Session>, Outage>;
    async fn end_session(&self, claims: &Claims, id: &SessionId, now: Timestamp) -> Result<bool, Outage>;
    fn jwks(&self) -> String;
}
