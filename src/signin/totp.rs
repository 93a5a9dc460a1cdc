//! Codes of an authenticator app (RFC 6238): SHA-1, six digits, steps of 30 seconds, since that is what every app can do.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use totp_rs::{Builder, Totp, TotpError};

use crate::clock::Timestamp;
use crate::outage::{Dependency, Outage};
use crate::secret::{self, Secret};

/// What a secret is sealed for.
pub(super) const SEALED_FOR: &str = "totp";

/// Bytes of a secret: 160 bits, as RFC 4226 §4 recommends.
pub const SECRET: usize = 20;

/// Seconds of a step.
const STEP: i64 = 30;

/// How many steps a clock may be off, either way (RFC 6238 §5.2).
const SKEW: i64 = 1;

/// The least that a module of the QR code measures, in pixels of a picture that is drawn at its own size.
const MODULE: u32 = 4;

/// What an authenticator app is told, once.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The secret in base32, to be typed.
    pub secret: Secret<String>,
    /// The same, and what it is for, as an app reads it (`otpauth://totp/…`).
    pub otpauth_url: Secret<String>,
    /// That as a QR code: an SVG element, black on white, with its quiet zone.
    pub qr_svg: Secret<String>,
}

/// What to tell an app: `name` is over the door, `label` is who signs in.
///
/// # Errors
/// When the two names are too long for a QR code, or the secret is none.
pub fn enrolment(bytes: &[u8], name: &str, label: &str) -> Result<Enrolment, Outage> {
    let authenticator = Builder::new().with_secret(bytes).with_issuer(Some(plain(name))).with_account_name(plain(label));
    let authenticator = authenticator.build().map_err(unusable)?;
    let url = authenticator.to_url().map_err(unusable)?;
    let code = QrCode::with_error_correction_level(&url, EcLevel::M).map_err(|cause| Outage::new(Dependency::Keys, cause))?;
    let picture = code.render::<svg::Color<'_>>().module_dimensions(MODULE, MODULE).build();
    let element = picture.find("<svg").and_then(|start| picture.get(start..)).unwrap_or_default();
    Ok(Enrolment {
        secret: Secret::new(authenticator.secret().to_base32()),
        otpauth_url: Secret::new(url),
        qr_svg: Secret::new(element.to_owned()),
    })
}

/// The step whose code this is, at most one from that of `now`; the later one, should two have the same code. All are
/// compared, in constant time, whichever fits.
///
/// # Errors
/// When the secret is none.
pub fn step_of(bytes: &[u8], code: &str, now: Timestamp) -> Result<Option<i64>, Outage> {
    let authenticator = Builder::new().with_secret(bytes).build().map_err(unusable)?;
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let current = now.as_secs().div_euclid(STEP);
    let steps = current.saturating_sub(SKEW)..=current.saturating_add(SKEW);
    Ok(steps.fold(None, |found, step| if fits(&authenticator, step, &typed) { Some(step) } else { found }))
}

fn fits(authenticator: &Totp, step: i64, typed: &str) -> bool {
    // There is no code for a time before the epoch.
    let Ok(time) = u64::try_from(step.saturating_mul(STEP)) else { return false };
    secret::same(authenticator.generate(time).to_string().as_bytes(), typed.as_bytes())
}

/// A colon divides the two names in an app's address.
fn plain(text: &str) -> String {
    text.replace(':', " ")
}

/// The row holds what we did not write.
fn unusable(cause: TotpError) -> Outage {
    Outage::new(Dependency::Keys, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, for SHA-1.
    const RFC: &[u8] = b"12345678901234567890";

    /// Times and codes of that appendix, the last six digits of eight.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn at(secs: i64, code: &str) -> Option<i64> {
        step_of(RFC, code, Timestamp::from_secs(secs)).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (time, code) in VECTORS {
            assert_eq!(at(time, code), Some(time / 30), "{time}");
        }
    }

    #[test]
    fn a_clock_may_be_one_step_off_and_no_more() {
        let (time, code) = (1_234_567_890, "005924");
        let begin = time / 30 * 30;
        for (moment, found) in [(-31, false), (-30, true), (-1, true), (0, true), (29, true), (30, true), (59, true), (60, false)] {
            assert_eq!(at(begin + moment, code).is_some(), found, "{moment}");
        }
        assert_eq!(at(begin + 59, code), Some(time / 30));
    }

    #[test]
    fn a_code_may_be_typed_in_groups_and_is_nothing_but_digits() {
        assert!(at(59, " 287 082\n").is_some());
        for odd in ["", " ", "28708", "2870820", "+287082", "-287082", "２８７０８２", "287082x", "0x2870", "null", "287,082"] {
            assert_eq!(at(59, odd), None, "{odd:?}");
        }
    }

    #[test]
    fn before_the_epoch_there_are_no_codes() {
        assert_eq!(at(-1, "000000"), None);
        assert!(at(0, "755224").is_some(), "step 0 of RFC 4226, appendix D");
    }

    #[test]
    fn an_app_is_told_who_and_where() {
        let told = enrolment(RFC, "Wiki: intern", "ada+1@example.com").unwrap();

        assert_eq!(told.secret.expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            told.otpauth_url.expose(),
            "otpauth://totp/Wiki%20%20intern:ada%2B1%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Wiki%20%20intern"
        );
        let svg = told.qr_svg.expose();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>") && !svg.contains("style"), "{svg}");
    }

    #[test]
    fn a_damaged_secret_is_an_outage_and_no_yes() {
        assert!(step_of(b"short", "000000", Timestamp::from_secs(59)).is_err());
        assert!(step_of(b"", "000000", Timestamp::from_secs(59)).is_err());
    }
}
