//! The sections `[otp]`, `[session]` and `[limits]`.

use std::time::Duration;

use serde::Deserialize;

use crate::config::duration;
use crate::signin::country::Country;

/// Codes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtpSettings {
    /// Decimal digits of a code, 4 to 10.
    pub length: usize,
    /// How long a code is good.
    #[serde(with = "duration")]
    pub lifetime: Duration,
    /// Attempts per challenge.
    pub attempts: u32,
    /// Wait between two codes for one address.
    #[serde(with = "duration")]
    pub resend_after: Duration,
    /// What becomes of unknown addresses.
    pub registration: Registration,
}

/// What becomes of an address that nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// It becomes an unverified account.
    Open,
    /// Nothing is sent; the reply is the same.
    Closed,
}

impl Default for OtpSettings {
    fn default() -> Self {
        Self {
            length: 6,
            lifetime: Duration::from_secs(600),
            attempts: 5,
            resend_after: Duration::from_secs(60),
            registration: Registration::Open,
        }
    }
}

/// Sessions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSettings {
    /// A session that is not renewed for this long is over; unset: only `tokens.refresh_lifetime` counts.
    #[serde(with = "duration::option")]
    pub idle: Option<Duration>,
    /// How long a spent refresh token is answered with its successor (two tabs, a lost reply).
    #[serde(with = "duration")]
    pub concurrent_refresh_window: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { idle: None, concurrent_refresh_window: Duration::from_secs(10) }
    }
}

/// Limits. Networks are `/32` of IPv4 and `/64` of IPv6; loopback is not counted as a network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Codes asked for per address and hour.
    pub codes_per_address: u32,
    /// Codes asked for per client network and hour.
    pub codes_per_network: u32,
    /// Codes tried, right or wrong, per client network and hour.
    pub attempts_per_network: u32,
    /// Wrong codes per account and hour, which asking again does not reset.
    pub failures_per_account: u32,
    /// Codes that an app may have sent to one of its subjects in a minute.
    pub app_codes: u32,
    /// Of these by e-mail.
    pub app_email: u32,
    /// Of these by SMS.
    pub app_sms: u32,
    /// Of these by WhatsApp.
    pub app_whatsapp: u32,
    /// Codes that an app may try for one of its subjects in a minute, right or wrong.
    pub app_verifications: u32,
    /// Countries (ISO 3166-1 alpha-2) that SMS and WhatsApp may go to; none by default.
    pub sms_countries: Vec<Country>,
    /// SMS and WhatsApp messages a day (UTC), over all.
    pub sms_per_day: u32,
    /// A prefix of numbers is the country code and so many digits after it.
    pub sms_breaker_digits: u8,
    /// How long messages to a prefix and codes that came back are counted, from the first message on.
    #[serde(with = "duration")]
    pub sms_breaker_window: Duration,
    /// Fewer messages to a prefix shut nothing.
    pub sms_breaker_least: u32,
    /// A prefix is shut while fewer of a hundred messages were verified; 0: never.
    pub sms_breaker_percent: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            codes_per_address: 100,
            codes_per_network: 1000,
            attempts_per_network: 3000,
            failures_per_account: 10,
            app_codes: 5,
            app_email: 5,
            app_sms: 3,
            app_whatsapp: 3,
            app_verifications: 10,
            sms_countries: Vec::new(),
            sms_per_day: 1000,
            sms_breaker_digits: 3,
            sms_breaker_window: Duration::from_secs(3600),
            sms_breaker_least: 20,
            sms_breaker_percent: 20,
        }
    }
}
