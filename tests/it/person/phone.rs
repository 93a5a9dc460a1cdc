//! A phone with an authenticator app that is not ours: it scans what the browser shows, and computes codes with the
//! standard library of Python.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

use crate::support::browser::Browser;
use crate::support::picture::Picture;
use crate::support::{python, wait};

const STEP: i64 = 30;

/// So long at least a code is good after it was read.
const TO_TYPE: i64 = 10;

/// RFC 6238 with HMAC-SHA-1 and six digits.
const CODE: &str = "
import base64, hashlib, hmac, struct, sys
key, step = sys.argv[1], int(sys.argv[2])
digest = hmac.new(base64.b32decode(key + '=' * (-len(key) % 8)), struct.pack('>Q', step), hashlib.sha1).digest()
place = digest[-1] & 15
print('%06d' % ((struct.unpack('>I', digest[place:place + 4])[0] & 0x7FFFFFFF) % 10 ** 6))";

/// The phone, with what it has scanned.
#[derive(Debug)]
pub struct Phone {
    secret: String,
    /// The name of the place, as the app lists it.
    pub issuer: String,
    /// Whose code it is.
    pub label: String,
    used: Cell<i64>,
}

impl Phone {
    /// Takes a picture of what the browser shows, and reads the one QR code in it.
    pub async fn scan(browser: &Browser) -> Self {
        let codes = Picture::read(&browser.picture().await).codes();
        let [code] = codes.as_slice() else { panic!("not one QR code on {}: {codes:?}", browser.url().await) };
        Self::read(&Url::parse(code).expect("a url"))
    }

    fn read(url: &Url) -> Self {
        assert_eq!((url.scheme(), url.host_str()), ("otpauth", Some("totp")), "{url}");
        let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let plain = [query("algorithm"), query("digits"), query("period")];
        let usual = ["SHA1", "6", "30"];
        assert!(plain.iter().zip(usual).all(|(said, usual)| said.as_deref().is_none_or(|said| said == usual)), "{url}");
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().expect("text").into_owned();
        let label = path.rsplit(':').next().expect("a label").trim_start_matches('/').to_owned();
        Self { secret: query("secret").expect("a secret"), issuer: query("issuer").expect("an issuer"), label, used: Cell::new(0) }
    }

    /// A code that was not shown before. A server takes those of the step before and after its own too, so three can be had
    /// without waiting.
    pub async fn code(&self) -> String {
        let step = (self.used.get() + 1).max((seconds() + TO_TYPE) / STEP - 1);
        let is_near = || async { (seconds() / STEP >= step - 1).then_some(()) };
        wait::until_async("the next code of the authenticator", Duration::from_secs(60), is_near).await;
        self.used.set(step);
        python::run(CODE, &[&self.secret, &step.to_string()])
    }
}

fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("soon enough")
}

#[test]
fn an_authenticator_that_is_not_ours_computes_what_the_rfc_says() {
    // RFC 6238, appendix B: the last six of eight digits.
    let key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
        assert_eq!(python::run(CODE, &[key, &(time / STEP).to_string()]), code);
    }
}
