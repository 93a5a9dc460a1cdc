//! The words of the pages, in the languages that we speak. A place for a value is written `{who}` or `{wait}`.

mod de;
mod en;
mod es;
mod fr;

use std::time::Duration;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::clock::ceil_secs;

/// A heading and a sentence.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) heading: &'static str,
    pub(crate) sentence: &'static str,
}

/// A unit of time: one, and several.
#[derive(Debug)]
pub(crate) struct Unit {
    one: &'static str,
    many: &'static str,
}

/// All words of one language.
#[derive(Debug)]
pub(crate) struct Words {
    /// RFC 5646.
    pub(crate) lang: &'static str,
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
    // how long
    second: Unit,
    minute: Unit,
    hour: Unit,
}

/// The languages; the first is spoken to those who understand none of them.
static ALL: [&Words; 4] = [&en::WORDS, &de::WORDS, &fr::WORDS, &es::WORDS];

impl Words {
    /// Those of the language that the person likes best (RFC 9110 §12.5.4).
    pub(crate) fn of(headers: &HeaderMap) -> &'static Self {
        let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0, &en::WORDS);
        for range in text.split(',').take(32) {
            let (tag, weight) = weighed(range);
            if let Some(words) = ALL.into_iter().find(|words| is_language(words.lang, tag)).filter(|_| weight > best.0) {
                best = (weight, words);
            }
        }
        best.1
    }

    /// A span in words, in its largest unit, rounded up: "2 minutes".
    pub(crate) fn wait(&self, span: Duration) -> String {
        let (count, unit) = match ceil_secs(span) {
            seconds @ 0..120 => (seconds.max(1), &self.second),
            seconds @ 120..7200 => (seconds.div_ceil(60), &self.minute),
            seconds => (seconds.div_ceil(3600), &self.hour),
        };
        format!("{count} {}", if count == 1 { unit.one } else { unit.many })
    }
}

fn weighed(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
    (tag, weight.filter(|q: &f32| (0.0..=1.0).contains(q)).unwrap_or(0.0))
}

fn is_language(lang: &str, tag: &str) -> bool {
    tag.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case(lang))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn lang(accept: &str) -> &'static str {
        Words::of(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_str(accept).unwrap())])).lang
    }

    #[test]
    fn the_language_that_is_liked_best_is_spoken() {
        assert_eq!(Words::of(&HeaderMap::new()).lang, "en");
        let liked = [
            ("de", "de"),
            ("de-CH, en;q=0.9", "de"),
            ("DE-at", "de"),
            ("it, fr;q=0.8, en;q=0.7", "fr"),
            ("en;q=0.2, es;q=0.9", "es"),
            ("fr;q=0, de;q=0.1", "de"),
            ("*", "en"),
            ("", "en"),
            ("ja", "en"),
            ("deutsch", "en"),
            ("de;q=2", "en"),
            ("de;q=nonsense", "en"),
            (";;;,,,q=", "en"),
        ];
        for (accept, spoken) in liked {
            assert_eq!(lang(accept), spoken, "{accept}");
        }
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
    fn places_for_values_are_in_every_language() {
        for words in ALL {
            assert!(words.signed_in_as.contains("{who}"), "{}", words.lang);
            for text in [words.resend_too_soon, words.limit_reached, words.too_many_attempts] {
                assert!(text.contains("{wait}"), "{}: {text}", words.lang);
            }
        }
    }
}
