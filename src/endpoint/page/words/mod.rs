//! The words of the pages, in the languages that we speak. A place for a value is written `{who}` or `{wait}`.

mod ar;
mod de;
mod en;
mod es;
mod fr;

use std::time::Duration;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::clock::ceil_secs;
use crate::language::Language;

/// A heading and a sentence.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) heading: &'static str,
    pub(crate) sentence: &'static str,
}

/// A unit of time in the forms that follow a number (Unicode CLDR: one, two, few, many).
#[derive(Debug)]
pub(crate) struct Unit {
    one: &'static str,
    /// A form of its own, with the number in it.
    two: Option<&'static str>,
    few: &'static str,
    many: &'static str,
}

impl Unit {
    /// In a language that tells one from several, and no more.
    const fn of(one: &'static str, many: &'static str) -> Self {
        Self { one, two: None, few: many, many }
    }

    fn count(&self, count: u64) -> String {
        match (count, self.two, count % 100) {
            (1, Some(_), _) => self.one.to_owned(),
            (1, None, _) => format!("1 {}", self.one),
            (2, Some(two), _) => two.to_owned(),
            (_, _, 3..=10) => format!("{count} {}", self.few),
            (_, _, _) => format!("{count} {}", self.many),
        }
    }
}

/// The words of second factors and of stepping up.
#[derive(Debug)]
pub(crate) struct FactorWords {
    pub(crate) confirm: Text,
    pub(crate) code: &'static str,
    pub(crate) button: &'static str,
    pub(crate) to_recovery: &'static str,
    pub(crate) recovery: Text,
    pub(crate) recovery_code: &'static str,
    pub(crate) to_app: &'static str,
    pub(crate) start_again: &'static str,
    pub(crate) invalid: &'static str,
    pub(crate) invalid_recovery: &'static str,
    pub(crate) expired: &'static str,
    pub(crate) fresh: Text,
    pub(crate) send_to: &'static str,
    pub(crate) enrol_first: Text,
}

/// The words of the account's pages.
#[derive(Debug)]
pub(crate) struct AccountWords {
    pub(crate) title: &'static str,
    pub(crate) devices: Text,
    pub(crate) this_device: &'static str,
    pub(crate) unknown_device: &'static str,
    pub(crate) since: &'static str,
    pub(crate) last_seen: &'static str,
    pub(crate) network: &'static str,
    pub(crate) end: &'static str,
    pub(crate) end_others: &'static str,
    pub(crate) app: &'static str,
    pub(crate) on: &'static str,
    pub(crate) off: &'static str,
    pub(crate) app_on: &'static str,
    pub(crate) app_off: &'static str,
    pub(crate) set_up: &'static str,
    pub(crate) codes: &'static str,
    pub(crate) codes_left: &'static str,
    pub(crate) addresses: Text,
    pub(crate) email: &'static str,
    pub(crate) phone: &'static str,
    pub(crate) none: &'static str,
    pub(crate) confirmed: &'static str,
    pub(crate) unconfirmed: &'static str,
    pub(crate) add: &'static str,
    pub(crate) change: &'static str,
    pub(crate) remove: &'static str,
    pub(crate) back: &'static str,
    pub(crate) set_up_app: Text,
    pub(crate) begin: &'static str,
    pub(crate) begin_again: &'static str,
    pub(crate) scan: Text,
    pub(crate) picture: &'static str,
    pub(crate) key: &'static str,
    pub(crate) open_app: &'static str,
    pub(crate) then_code: &'static str,
    pub(crate) turn_on: &'static str,
    pub(crate) scanned: &'static str,
    pub(crate) turn_off: Text,
    pub(crate) turn_off_button: &'static str,
    pub(crate) shown_once: Text,
    pub(crate) copy: &'static str,
    pub(crate) copied: &'static str,
    pub(crate) print: &'static str,
    pub(crate) stored: &'static str,
    pub(crate) renew: Text,
    pub(crate) renew_button: &'static str,
    pub(crate) set_email: Text,
    pub(crate) set_phone: Text,
    pub(crate) new_email: &'static str,
    pub(crate) new_phone: &'static str,
    pub(crate) confirm_address: Text,
    pub(crate) ended: &'static str,
    pub(crate) others_ended: &'static str,
    pub(crate) turned_off: &'static str,
    pub(crate) address_set: &'static str,
    pub(crate) address_removed: &'static str,
    pub(crate) last_address: &'static str,
    pub(crate) gone: &'static str,
    pub(crate) just_now: &'static str,
    pub(crate) ago: &'static str,
}

/// All words of one language.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) language: Language,
    pub(crate) error: &'static str,
    // signing in
    pub(crate) sign_in: &'static str,
    pub(crate) address: &'static str,
    pub(crate) address_hint: &'static str,
    pub(crate) send_code: &'static str,
    pub(crate) have_code: &'static str,
    pub(crate) signed_in_as: &'static str,
    pub(crate) go_on: &'static str,
    // the code
    pub(crate) enter_code: &'static str,
    pub(crate) code_sent: &'static str,
    pub(crate) slow: &'static str,
    pub(crate) code: &'static str,
    pub(crate) new_code: &'static str,
    // signing out
    pub(crate) sign_out: &'static str,
    pub(crate) sign_out_hint: &'static str,
    pub(crate) sign_out_everywhere: &'static str,
    pub(crate) signed_out: Text,
    pub(crate) sign_in_again: &'static str,
    // what went wrong in a form
    pub(crate) invalid_address: &'static str,
    pub(crate) channel_unavailable: &'static str,
    pub(crate) country_not_allowed: &'static str,
    pub(crate) resend_too_soon: &'static str,
    pub(crate) limit_reached: &'static str,
    pub(crate) no_code: &'static str,
    pub(crate) invalid_code: &'static str,
    pub(crate) too_many_attempts: &'static str,
    // error pages
    pub(crate) bad_request: Text,
    pub(crate) not_signed_in: Text,
    pub(crate) too_long_ago: Text,
    pub(crate) second_factor: Text,
    pub(crate) forbidden: Text,
    pub(crate) cross_site: Text,
    pub(crate) not_found: Text,
    pub(crate) unavailable: Text,
    pub(crate) upstream_failed: Text,
    pub(crate) upstream_timeout: Text,
    pub(crate) internal: Text,
    pub(crate) try_again: &'static str,
    pub(crate) reference: &'static str,
    // development
    pub(crate) inbox: &'static str,
    pub(crate) inbox_hint: &'static str,
    pub(crate) inbox_empty: &'static str,
    pub(crate) inbox_to: &'static str,
    pub(crate) inbox_at: &'static str,
    pub(crate) reload: &'static str,
    pub(crate) development: &'static str,
    pub(crate) address_or_phone: &'static str,
    pub(crate) by: &'static str,
    pub(crate) sent_to: &'static str,
    pub(crate) new_code_in: &'static str,
    pub(crate) invalid_address_or_phone: &'static str,
    pub(crate) invalid_phone: &'static str,
    pub(crate) other_address: &'static str,
    pub(crate) pasted: &'static str,
    pub(crate) factor: FactorWords,
    pub(crate) account: AccountWords,
    // how long
    second: Unit,
    minute: Unit,
    hour: Unit,
    day: Unit,
}

impl Words {
    /// Those of a language.
    pub(crate) const fn in_language(language: Language) -> &'static Self {
        match language {
            Language::English => &en::WORDS,
            Language::German => &de::WORDS,
            Language::French => &fr::WORDS,
            Language::Spanish => &es::WORDS,
            Language::Arabic => &ar::WORDS,
        }
    }

    /// Those of the language that the person likes best (RFC 9110 §12.5.4).
    pub(crate) fn of(headers: &HeaderMap) -> &'static Self {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self::in_language(Language::of(accepted))
    }

    /// A span in words, in its largest unit, rounded up: "2 minutes".
    pub(crate) fn wait(&self, span: Duration) -> String {
        match ceil_secs(span) {
            seconds @ 0..120 => self.second.count(seconds.max(1)),
            seconds @ 120..7200 => self.minute.count(seconds.div_ceil(60)),
            seconds => self.hour.count(seconds.div_ceil(3600)),
        }
    }

    /// How long ago something was, in its largest unit, rounded down: "2 days ago".
    pub(crate) fn ago(&self, span: Duration) -> String {
        let span = match span.as_secs() {
            0..60 => return self.account.just_now.to_owned(),
            seconds @ 60..3600 => self.minute.count(seconds / 60),
            seconds @ 3600..86_400 => self.hour.count(seconds / 3600),
            seconds => self.day.count(seconds / 86_400),
        };
        self.account.ago.replace("{span}", &span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Words> {
        Language::ALL.into_iter().map(Words::in_language)
    }

    #[test]
    fn each_language_has_its_own_words() {
        for language in Language::ALL {
            assert_eq!(Words::in_language(language).language, language);
        }
        let accepted = HeaderMap::from_iter([(ACCEPT_LANGUAGE, http::HeaderValue::from_static("fr-CA, en;q=0.5"))]);
        assert_eq!((Words::of(&accepted).language, Words::of(&HeaderMap::new()).language), (Language::French, Language::English));
    }

    #[test]
    fn a_wait_is_said_in_words() {
        let said = |secs| en::WORDS.wait(Duration::from_secs(secs));
        assert_eq!([0, 1, 2, 119].map(said), ["1 second", "1 second", "2 seconds", "119 seconds"]);
        assert_eq!([120, 121, 7199].map(said), ["2 minutes", "3 minutes", "120 minutes"]);
        assert_eq!([7200, 7201].map(said), ["2 hours", "3 hours"]);
        assert_eq!(en::WORDS.wait(Duration::from_millis(59_001)), "60 seconds");
    }

    #[test]
    fn how_long_ago_something_was_is_said_in_words() {
        let said = |secs| en::WORDS.ago(Duration::from_secs(secs));
        assert_eq!([0, 59, 60, 3599].map(said), ["just now", "just now", "1 minute ago", "59 minutes ago"]);
        assert_eq!([3600, 86_399, 86_400, 172_800].map(said), ["1 hour ago", "23 hours ago", "1 day ago", "2 days ago"]);
        assert_eq!(de::WORDS.ago(Duration::from_secs(172_800)), "vor 2 Tagen");
    }

    #[test]
    fn arabic_counts_in_its_own_forms() {
        let minutes = |count: u64| ar::WORDS.ago(Duration::from_secs(count * 60));
        let said = ["منذ دقيقة واحدة", "منذ دقيقتين", "منذ 3 دقائق", "منذ 10 دقائق", "منذ 11 دقيقة"];
        assert_eq!([1, 2, 3, 10, 11].map(minutes), said);
    }

    #[test]
    fn places_for_values_are_in_every_language() {
        for words in all() {
            let places = [
                ("{who}", &[words.signed_in_as, words.factor.send_to][..]),
                ("{wait}", &[words.resend_too_soon, words.limit_reached, words.too_many_attempts][..]),
                ("{time}", &[words.new_code_in][..]),
                ("{count}", &[words.account.codes_left][..]),
                ("{span}", &[words.account.ago][..]),
            ];
            for (place, texts) in places {
                assert!(texts.iter().all(|text| text.contains(place)), "{place} in {:?}", words.language);
            }
        }
    }

    #[test]
    fn what_is_set_apart_by_direction_is_set_back() {
        for words in all() {
            let text = format!("{words:?}");
            let opened = text.matches("\\u{2066}").count() + text.matches("\\u{2068}").count();
            assert_eq!(opened, text.matches("\\u{2069}").count(), "{:?}", words.language);
        }
    }
}
