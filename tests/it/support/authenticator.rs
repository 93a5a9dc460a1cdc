//! An authenticator app that is not ours: RFC 6238 on RFC 4226, in a few lines, with SHA-1 of another library than the
//! product's. `python.rs` has a second one.

use aws_lc_rs::hmac;

/// A phone with one secret in it.
#[derive(Clone, Debug)]
pub struct Authenticator(Vec<u8>);

impl Authenticator {
    /// Type the secret in, in base32 (RFC 4648 §6).
    pub fn typed(secret: &str) -> Self {
        let (mut bits, mut kept, mut bytes) = (0_u32, 0, Vec::new());
        for c in secret.chars() {
            let value = u32::try_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).expect("base32")).unwrap();
            (bits, kept) = ((bits << 5 | value) & 0xfff, kept + 5);
            if kept >= 8 {
                kept -= 8;
                bytes.push(u8::try_from(bits >> kept & 0xff).unwrap());
            }
        }
        Self(bytes)
    }

    /// The secret of an enrolment's address, as an app that has scanned it knows it.
    pub fn scanned(otpauth_url: &str) -> Self {
        let url = url::Url::parse(otpauth_url).expect("an address");
        assert_eq!((url.scheme(), url.host_str()), ("otpauth", Some("totp")));
        let secret = url.query_pairs().find(|(name, _)| name == "secret").expect("a secret").1.into_owned();
        Self::typed(&secret)
    }

    /// The secret itself.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What it shows so many seconds after the epoch.
    pub fn code(&self, secs: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &(secs.div_euclid(30)).to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[19] & 0xf);
        let word = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }

    /// Six digits that it does not show near this time.
    pub fn wrong(&self, secs: i64) -> String {
        let near: Vec<String> = (-3..=3).map(|step| self.code(secs + step * 30)).collect();
        (0..10).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
    }
}
