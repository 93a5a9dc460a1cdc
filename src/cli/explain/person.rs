//! Who is supposed to ask: an account, as its tokens would speak of it a moment after signing in.

use std::time::Duration;

use crate::boot::Core;
use crate::cli::{Failed, desk};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::Outage;
use crate::signin::{Account, Extra, Factors, Handle, LastClaims, Registration};
use crate::token::{Acr, Amr, Claims, claims};

/// Somebody who is supposed to be signed in.
pub(super) struct Person {
    /// What their token would say.
    pub(super) claims: Claims,
    /// Whether their account has an authenticator that counts.
    pub(super) has_authenticator: bool,
    /// What the operator should know of them.
    pub(super) notes: Vec<String>,
}

/// How they are supposed to have signed in.
pub(super) struct How {
    /// With a second factor, even where the account has none.
    pub(super) second_factor: bool,
    /// So long ago.
    pub(super) ago: Duration,
}

/// The account that `text` names. The inner error is a sentence that says why nobody can be signed in as that.
pub(super) async fn find(core: &Core, config: &Config, text: &str, how: &How) -> Result<Result<Person, String>, Failed> {
    let now = core.clock.now();
    let handle = if text.contains('@') || text.starts_with('+') {
        Some(Handle::parse(text).map_err(|error| Failed::refused(format!("{text} is {error}")))?)
    } else {
        None
    };
    let found = match &handle {
        Some(handle) => core.store.find_by_handle(handle).await?,
        None => desk::by_word(core, text).await?,
    };
    let mut notes = Vec::new();
    let mut account = match (found, &handle, config.otp.registration) {
        (Some(account), ..) => account,
        (None, Some(handle), Registration::Open) => {
            notes.push(format!("nobody has the address {text} yet: whoever signs in with it gets a new account, without groups"));
            fresh(core, handle, now)?
        }
        (None, Some(_), Registration::Closed) => {
            return Ok(Err(format!("nobody has the address {text}, and registration is closed: no code is sent to it")));
        }
        (None, None, _) => return Ok(Err(format!("there is no account {text}"))),
    };
    if let Some(at) = account.disabled_at {
        return Ok(Err(format!("the account of {text} is disabled since {at}: nobody can sign in with it, and its sessions are over")));
    }
    let Some(handle) = handle.or_else(|| address(&account)) else {
        return Ok(Err(format!("the account {text} has no address: nobody can sign in with it")));
    };
    if let Some(missing) = no_provider(config, &handle) {
        notes.push(missing.to_owned());
    }
    if config.claims_hook.is_some() {
        notes.push(hooked(core, &mut account).await?.to_owned());
    }
    let factor = Factors::find(core.store.as_ref(), &account.id).await?;
    let has_authenticator = factor.is_some_and(|factor| factor.confirmed_at.is_some());
    let is_two = has_authenticator || how.second_factor;
    let claims = speak_of(core, config, account, &handle, (is_two, now.minus(how.ago), now))?;
    Ok(Ok(Person { claims, has_authenticator, notes }))
}

/// With what the claims hook said last: it is not asked for this.
async fn hooked(core: &Core, account: &mut Account) -> Result<&'static str, Outage> {
    let last = LastClaims::last(core.store.as_ref(), &account.id).await?;
    let Some(extra) = last.and_then(|text| serde_json::from_str::<Extra>(&text).ok()) else {
        return Ok("the claims hook would be asked, and what it says is not known");
    };
    (account.claims, account.groups) = extra.added_to(account);
    Ok("claims and groups are those that the claims hook said last")
}

/// What a token would say of who signed in with `handle`: it is verified then.
fn speak_of(
    core: &Core,
    config: &Config,
    account: Account,
    handle: &Handle,
    (is_two, signed_in, now): (bool, Timestamp, Timestamp),
) -> Result<Claims, Outage> {
    let by_email = matches!(handle, Handle::Email(_));
    let first = if by_email { Amr::Email } else { Amr::Sms };
    let issuer = config.public_url.as_str().trim_end_matches('/').to_owned();
    Ok(Claims {
        aud: issuer.clone(),
        iss: issuer,
        sub: account.id,
        iat: now.as_secs(),
        nbf: now.as_secs(),
        exp: now.plus(config.tokens.access_lifetime).as_secs(),
        jti: TokenId::draw(core.entropy.as_ref())?,
        sid: SessionId::draw(core.entropy.as_ref())?,
        kind: claims::ACCESS.to_owned(),
        email: account.email,
        email_verified: account.email_verified || by_email,
        phone_number: account.phone,
        phone_number_verified: account.phone_verified || !by_email,
        preferred_username: account.username,
        name: account.name,
        groups: account.groups,
        amr: if is_two { vec![first, Amr::Otp, Amr::Mfa] } else { vec![first] },
        acr: if is_two { Acr::TwoFactor } else { Acr::OneFactor },
        auth_time: signed_in.as_secs(),
        revision: account.revision,
        custom: account.claims,
    })
}

/// The account that a stranger's first sign-in would make.
fn fresh(core: &Core, handle: &Handle, now: Timestamp) -> Result<Account, Outage> {
    let text = Some(handle.expose().to_owned());
    let (email, phone) = if matches!(handle, Handle::Email(_)) { (text, None) } else { (None, text) };
    Ok(Account {
        id: AccountId::draw(core.entropy.as_ref())?,
        username: None,
        name: None,
        email,
        email_verified: false,
        phone,
        phone_verified: false,
        groups: Vec::new(),
        claims: serde_json::Map::new(),
        disabled_at: None,
        created_at: now,
        revision: 0,
    })
}

/// The one that they would sign in with.
fn address(account: &Account) -> Option<Handle> {
    account.email.clone().map(Handle::Email).or_else(|| account.phone.clone().map(Handle::Phone))
}

fn no_provider(config: &Config, handle: &Handle) -> Option<&'static str> {
    let delivery = &config.delivery;
    match handle {
        Handle::Email(_) if delivery.email.is_empty() => Some("there is no provider of e-mail: no code can be sent to this address"),
        Handle::Phone(_) if delivery.sms.is_empty() && delivery.whatsapp.is_empty() => {
            Some("there is no provider of SMS or WhatsApp: no code can be sent to this number")
        }
        Handle::Email(_) | Handle::Phone(_) => None,
    }
}
