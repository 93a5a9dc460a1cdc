//! What happens, told to whoever counts it.

use crate::signin::deliver::Channel;
use crate::signin::factor::Means;

/// Is told of what happens while people sign in. Words of outcomes are fixed.
pub trait Events: Send + Sync {
    /// A code was tried: `verified`, `wrong`, `exhausted`, `nothing`.
    fn otp_verified(&self, channel: Option<Channel>, outcome: &'static str);

    /// A second factor was shown: `verified`, `wrong`, `replayed` (right, but used before), `exhausted`, `nothing`.
    fn second_factor_verified(&self, means: Means, outcome: &'static str);

    /// A refresh token was presented: `rotated`, `concurrent`, `ended`, `expired`, `reused`, `unknown`.
    fn refreshed(&self, outcome: &'static str);

    /// A limit refused somebody.
    fn limited(&self, limit: &'static str);

    /// Something that an operator should look at: `sms_breaker_opened`, `sms_cap_near`, `sms_cap_reached`. Once each, over
    /// all nodes.
    fn alarmed(&self, alarm: &'static str);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unheard;

impl Events for Unheard {
    fn otp_verified(&self, _: Option<Channel>, _: &'static str) {}
    fn second_factor_verified(&self, _: Means, _: &'static str) {}
    fn refreshed(&self, _: &'static str) {}
    fn limited(&self, _: &'static str) {}
    fn alarmed(&self, _: &'static str) {}
}
