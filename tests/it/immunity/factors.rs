//! People with a second factor at a real gateway, whose clock nobody can move: what they type is chosen to fit it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::flow::place::{Place, verify};
use crate::support::authenticator::Authenticator;
use crate::support::client::{Person, Reply};
use crate::support::wait;

/// Somebody who has set up an authenticator.
pub struct Enrolled {
    pub email: String,
    /// Signed in, with both factors.
    pub person: Person,
    pub phone: Authenticator,
    pub recovery_codes: Vec<String>,
    /// The step whose code has been used.
    used: i64,
}

impl Enrolled {
    pub async fn at(place: &Place, email: &str) -> Self {
        let person = place.sign_in(email).await;
        let told = person.post("/auth/totp/enroll", &json!({})).await;
        assert_eq!(told.status, 200, "{}", told.text());
        let phone = Authenticator::scanned(told.json()["otpauth_url"].as_str().unwrap());
        let now = soon_after_a_step().await;
        let confirmed = person.post("/auth/totp/confirm", &json!({ "code": phone.code(now) })).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text());
        let codes = confirmed.json()["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        Self { email: email.to_owned(), person, phone, recovery_codes: codes, used: now.div_euclid(30) }
    }

    /// A code that is good and was not used: of the next step, which a clock that is a little late would show.
    pub fn code(&self) -> String {
        self.phone.code((self.used + 1) * 30)
    }

    /// A code that fits no step near.
    pub fn wrong(&self) -> String {
        self.phone.wrong(now())
    }

    /// Somebody who has shown the first factor, and holds the id of the half-finished sign-in.
    pub async fn half_way(&self, place: &Place) -> (Person, String) {
        let person = place.person();
        let reply = self.first_factor(place, &person).await;
        assert_eq!(reply["second_factor_required"], true, "{reply}");
        let id = reply["challenge_id"].as_str().unwrap().to_owned();
        (person, id)
    }

    async fn first_factor(&self, place: &Place, person: &Person) -> Value {
        let code = place.code_for(person, &self.email).await;
        let reply: Reply = verify(person, &self.email, &code).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The time, when enough is left of its step for what follows to be within it.
pub async fn soon_after_a_step() -> i64 {
    let look = || async { Some(now()).filter(|now| now.rem_euclid(30) < 18) };
    wait::until_async("a step of the authenticator to begin", Duration::from_secs(20), look).await
}
