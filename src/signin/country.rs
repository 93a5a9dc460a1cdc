//! Which country a phone number belongs to, and whether messages go to such numbers at all. The only file that names
//! phonenumber.
//!
//! A number is judged as it is written, in E.164: one that its country's plan does not have (a trunk zero too many, a digit too
//! few) has no country, so that two spellings of one number are not two numbers.

use std::fmt;

use phonenumber::Type;
use phonenumber::metadata::{DATABASE, Metadata};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A country by its code of ISO 3166-1 alpha-2, whose numbers are known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country(&'static str);

/// What messages do not go to, though a number of a country: whoever owns it is paid by who sends, or it is nobody's.
const NOT_FOR_MESSAGES: [Type; 7] =
    [Type::PremiumRate, Type::SharedCost, Type::TollFree, Type::PersonalNumber, Type::Pager, Type::Uan, Type::Voicemail];

/// What messages go to. A fixed line can have WhatsApp.
const FOR_MESSAGES: [Type; 3] = [Type::Mobile, Type::FixedLine, Type::Voip];

/// Every kind that a plan may describe.
const KINDS: [Type; 10] = [
    Type::Mobile,
    Type::FixedLine,
    Type::Voip,
    Type::PremiumRate,
    Type::SharedCost,
    Type::TollFree,
    Type::PersonalNumber,
    Type::Pager,
    Type::Uan,
    Type::Voicemail,
];

impl Country {
    /// From its code, in capitals.
    pub fn parse(code: &str) -> Option<Self> {
        let known = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        DATABASE.by_id(code).filter(|_| known).map(|plan| Self(plan.id()))
    }

    /// Its code.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    fn plan(self) -> Option<&'static Metadata> {
        DATABASE.by_id(self.0)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let unknown =
            || D::Error::custom(format!("is no country whose phone numbers are known: {text:?}; write ISO 3166-1 codes, as \"DE\""));
        Self::parse(&text).ok_or_else(unknown)
    }
}

/// A number that messages may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Whose it is.
    pub country: Country,
    /// Country code and first digits: what such numbers have in common.
    pub prefix: String,
}

/// Where `number` (E.164) is, if it is one of these countries', could exist there, and messages go to its kind; its prefix has
/// so many `digits` after the country code.
pub fn place(number: &str, among: &[Country], digits: u8) -> Option<Placed> {
    let number = number.strip_prefix('+')?;
    let (code, national) = split(number, among)?;
    let plan = plan_of(code, national)?;
    let country = among.iter().copied().find(|country| country.as_str() == plan.id())?;
    let kinds = plan.descriptors();
    let is = |kind: &Type| kinds.get(*kind).is_some_and(|numbers| numbers.is_match(national));
    let reachable = kinds.general().is_match(national) && FOR_MESSAGES.iter().any(is) && !NOT_FOR_MESSAGES.iter().any(is);
    let first: String = national.chars().take(usize::from(digits)).collect();
    reachable.then(|| Placed { country, prefix: format!("{code}{first}") })
}

/// Country code and the rest, for a code that one of these countries has. Codes are prefix-free, so there is one at most; a
/// number of no such country costs nothing to refuse.
fn split<'a>(number: &'a str, among: &[Country]) -> Option<(u16, &'a str)> {
    let codes = among.iter().filter_map(|country| country.plan().map(Metadata::country_code));
    codes.into_iter().find_map(|code| number.strip_prefix(&code.to_string()).map(|rest| (code, rest)))
}

/// The plan that the number belongs to, among those that share a country code: the main country's first.
fn plan_of(code: u16, national: &str) -> Option<&'static Metadata> {
    let plans = DATABASE.by_code(&code)?;
    if let [only] = plans.as_slice() {
        return Some(only);
    }
    plans.into_iter().find(|plan| match plan.leading_digits() {
        Some(digits) => digits.find(national).is_some_and(|found| found.start() == 0),
        None => KINDS.iter().any(|kind| plan.descriptors().get(*kind).is_some_and(|numbers| numbers.is_match(national))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn countries(codes: &[&str]) -> Vec<Country> {
        codes.iter().map(|code| Country::parse(code).unwrap()).collect()
    }

    fn country_of(number: &str) -> Option<&'static str> {
        let all: Vec<Country> = DATABASE.iter().filter_map(|plan| Country::parse(plan.id())).collect();
        place(number, &all, 3).map(|placed| placed.country.as_str())
    }

    #[test]
    fn a_number_belongs_to_one_country() {
        let numbers = [
            ("+4915112345678", "DE"),
            ("+12125550123", "US"),
            ("+16137827274", "CA"),
            ("+13459492311", "KY"),
            ("+12684641234", "AG"),
            ("+447912345678", "GB"),
            ("+447797712345", "JE"),
            ("+79123456789", "RU"),
            ("+77710009998", "KZ"),
            ("+33631966543", "FR"),
            ("+390236618300", "IT"),
            ("+393123456789", "IT"),
            ("+2250123456789", "CI"),
            ("+819012345678", "JP"),
            ("+5511961234567", "BR"),
            ("+919876543210", "IN"),
        ];
        for (number, country) in numbers {
            assert_eq!(country_of(number), Some(country), "{number}");
        }
    }

    #[test]
    fn a_number_that_its_country_does_not_have_has_no_country() {
        let numbers = [
            // The trunk zero that people write in brackets.
            "+4901511234567",
            "+330631966543",
            "+4407912345678",
            // Too short, too long.
            "+491511234",
            "+33631966",
            "+336319665431",
            "+12530000",
            // No such country code, no such area.
            "+9991234567",
            "+10000000000",
        ];
        for number in numbers {
            assert_eq!(country_of(number), None, "{number}");
        }
    }

    #[test]
    fn numbers_that_are_paid_for_by_who_sends_are_refused() {
        let numbers = [
            ("premium rate", "+499001234567"),
            ("premium rate", "+33897123456"),
            ("premium rate", "+19002345678"),
            ("shared cost", "+448431234567"),
            ("shared cost", "+4918012345678"),
            ("toll free", "+18002345678"),
            ("personal", "+447012345678"),
            ("international premium rate", "+979123456789"),
            ("international toll free", "+80012345678"),
        ];
        for (kind, number) in numbers {
            assert_eq!(country_of(number), None, "{kind}: {number}");
        }
    }

    #[test]
    fn only_the_countries_that_are_named_are_served() {
        let served = countries(&["DE", "US"]);
        let prefix = |number| place(number, &served, 3).map(|placed| placed.prefix);
        assert_eq!(prefix("+4915112345678").as_deref(), Some("49151"));
        assert_eq!(prefix("+12125550123").as_deref(), Some("1212"));
        assert_eq!((prefix("+16137827274"), prefix("+33631966543")), (None, None));
        assert_eq!(place("+4915112345678", &[], 3), None);
        assert_eq!(place("+4915112345678", &served, 0).unwrap().prefix, "49");
    }

    #[test]
    fn what_is_no_country_is_none() {
        assert_eq!(Country::parse("DE").map(Country::as_str), Some("DE"));
        for code in ["", "de", "XX", "DEU", "001", "EU", "UK", "49", "Ü"] {
            assert_eq!(Country::parse(code), None, "{code}");
        }
    }
}
