//! The languages that we speak to people, on pages and in messages.

/// A language that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Spoken to those who understand none of the others.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Arabic, from right to left.
    Arabic,
}

impl Language {
    /// All of them; the default first.
    pub const ALL: [Self; 5] = [Self::English, Self::German, Self::French, Self::Spanish, Self::Arabic];

    /// Its tag (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Arabic => "ar",
        }
    }

    /// Which way it is written: `ltr` or `rtl`.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German | Self::French | Self::Spanish => "ltr",
            Self::Arabic => "rtl",
        }
    }

    /// The one that a person likes best, by the text of their `Accept-Language` (RFC 9110 §12.5.4).
    pub fn of(accepted: &str) -> Self {
        let mut best = (0.0, Self::default());
        for range in accepted.split(',').take(32) {
            let (tag, weight) = weighed(range);
            if let Some(language) = Self::ALL.into_iter().find(|language| language.is(tag)).filter(|_| weight > best.0) {
                best = (weight, language);
            }
        }
        best.1
    }

    fn is(self, tag: &str) -> bool {
        tag.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case(self.tag()))
    }
}

fn weighed(range: &str) -> (&str, f32) {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
    (tag, weight.filter(|q: &f32| (0.0..=1.0).contains(q)).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_liked_best_is_spoken() {
        let liked = [
            ("de", "de"),
            ("de-CH, en;q=0.9", "de"),
            ("DE-at", "de"),
            ("it, fr;q=0.8, en;q=0.7", "fr"),
            ("en;q=0.2, es;q=0.9", "es"),
            ("fr;q=0, de;q=0.1", "de"),
            ("ar-EG", "ar"),
            ("*", "en"),
            ("", "en"),
            ("ja", "en"),
            ("deutsch", "en"),
            ("de;q=2", "en"),
            ("de;q=nonsense", "en"),
            (";;;,,,q=", "en"),
        ];
        for (accept, spoken) in liked {
            assert_eq!(Language::of(accept).tag(), spoken, "{accept}");
        }
    }
}
