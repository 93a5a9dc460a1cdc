//! The operator's own command, speaking to the gateway that runs: both have read the same configuration, so both can derive the
//! same key from `store.encryption_key`. A request carries the time and a MAC over the time, its method and its path, good for a
//! minute:
//!
//! ```text
//! Authorization: Doorward-Operator t=1800000000,v1=<base64url of HMAC-SHA-256>
//! ```
//!
//! It is for reading alone: whoever overhears it on the admin listener reads the same thing again, for a minute, and nothing else.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::{MacKey, RootKey, same};

/// How far the two clocks may be apart.
const FRESH: Duration = Duration::from_mins(1);

/// The scheme of the credential.
const SCHEME: &str = "Doorward-Operator ";

/// Signs what the command asks, and believes it.
#[derive(Debug, Clone)]
pub struct Operator(MacKey);

impl Operator {
    /// With the key that is derived from the operator's.
    pub fn new(root: &RootKey) -> Self {
        Self(root.mac_key("operator"))
    }

    /// The value of `Authorization` for a request at `now`.
    pub fn sign(&self, method: &str, path: &str, now: Timestamp) -> String {
        let time = now.as_secs().to_string();
        format!("{SCHEME}t={time},v1={}", self.0.mac(&[&time, method, path]))
    }

    /// Is this value one of ours, made for this request within the last minute?
    pub fn believes(&self, authorization: &str, method: &str, path: &str, now: Timestamp) -> bool {
        let parts = authorization.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix("t=")).and_then(|rest| rest.split_once(",v1="));
        let Some((time, mac)) = parts else { return false };
        let Ok(seconds) = time.parse::<i64>() else { return false };
        let then = Timestamp::from_secs(seconds);
        let is_fresh = now.since(then) <= FRESH && then.since(now) <= FRESH;
        is_fresh && same(self.0.mac(&[time, method, path]).as_bytes(), mac.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_signature_is_for_one_request_and_one_minute() {
        let operator = Operator::new(&RootKey::new([7; 32]));
        let value = operator.sign("GET", "/api/refusals/a", NOW);
        let believed = |value: &str, method: &str, path: &str, at: i64| operator.believes(value, method, path, Timestamp::from_secs(at));
        let now = NOW.as_secs();
        assert!(believed(&value, "GET", "/api/refusals/a", now - 60) && believed(&value, "GET", "/api/refusals/a", now + 60));
        assert!(!believed(&value, "GET", "/api/refusals/a", now + 61) && !believed(&value, "GET", "/api/refusals/a", now - 61));
        assert!(!believed(&value, "GET", "/api/refusals/b", now) && !believed(&value, "POST", "/api/refusals/a", now));
        assert!(!believed(&value.replace("t=1800000000", "t=1800000001"), "GET", "/api/refusals/a", now));
        let other = Operator::new(&RootKey::new([8; 32]));
        assert!(!other.believes(&value, "GET", "/api/refusals/a", NOW));
        for nonsense in ["", "Bearer x", "Doorward-Operator ", "Doorward-Operator t=,v1=", "Doorward-Operator t=9999999999999999999,v1=x"] {
            assert!(!believed(nonsense, "GET", "/api/refusals/a", now), "{nonsense}");
        }
    }
}
