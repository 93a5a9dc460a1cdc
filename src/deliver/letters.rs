//! What messages say: the sentences of their language, put into templates.

use std::path::Path;

use super::sentences::{self, Sentences};
use super::templates::{Piece, Templates, fill};
use crate::language::Language;
use crate::signin::{Content, Message, Notice, Purpose};

/// Writes letters.
#[derive(Debug)]
pub(super) struct Letters {
    name: String,
    host: String,
    templates: Templates,
}

/// A mail.
pub(super) struct Letter {
    /// One line, the code in front: it is read in a list of mails.
    pub(super) subject: String,
    /// For those who read text.
    pub(super) text: String,
    /// For those who read HTML.
    pub(super) html: String,
}

/// The names of values, and the values.
type Values = Vec<(&'static str, String)>;

impl Letters {
    /// `name` is over the door, `host` is where people sign in, `folder` holds an operator's own templates.
    ///
    /// # Errors
    /// Every mistake in those.
    pub(super) fn new(name: &str, host: &str, folder: Option<&Path>) -> Result<Self, Vec<String>> {
        let templates = folder.map(Templates::read).transpose()?.unwrap_or_default();
        Ok(Self { name: one_line(name), host: host.to_owned(), templates })
    }

    /// `message` as a mail.
    pub(super) fn letter(&self, message: &Message) -> Letter {
        let values = self.values(message);
        let [subject, text, html] = match &message.content {
            Content::Code { .. } => [Piece::CodeSubject, Piece::CodeText, Piece::CodeHtml],
            Content::Notice(_) => [Piece::NoticeSubject, Piece::NoticeText, Piece::NoticeHtml],
        };
        let template = |piece| self.templates.of(piece, message.language);
        Letter {
            subject: subject_of(template(subject), &values),
            text: fill(template(text), &values),
            html: fill(template(html), &escaped(&values)),
        }
    }

    /// `message` as an SMS. A code's ends with the line by which browsers know whose it is:
    /// <https://wicg.github.io/sms-one-time-codes/>.
    pub(super) fn short(&self, message: &Message) -> String {
        let values = self.values(message);
        let template = |piece| fill(self.templates.of(piece, message.language), &values);
        match &message.content {
            Content::Code { code, .. } => format!("{}\n\n@{} #{}", template(Piece::CodeSms).trim_end(), self.host, code.expose()),
            Content::Notice(_) => template(Piece::NoticeSms).trim_end().to_owned(),
        }
    }

    fn values(&self, message: &Message) -> Values {
        let (language, sentences) = (message.language, sentences::of(message.language));
        let mut values = self.common(language);
        match &message.content {
            Content::Code { code, minutes, purpose } => {
                values.extend([("code", code.expose().clone()), ("minutes", sentences::minutes(language, *minutes))]);
                values.extend(of_a_code(sentences, *purpose, &values));
                // An operator's own subject is the page's title too.
                let own = self.templates.of(Piece::CodeSubject, language);
                let subject = subject_of(own, &values);
                values.retain(|(name, _)| *name != "subject");
                values.push(("subject", subject));
            }
            Content::Notice(notice) => values.extend(of_a_notice(sentences, notice, &values)),
        }
        values
    }

    fn common(&self, language: Language) -> Values {
        let direction = language.direction();
        let start = if direction == "rtl" { "right" } else { "left" };
        let texts = [("lang", language.tag()), ("dir", direction), ("start", start), ("name", &self.name), ("host", &self.host)];
        texts.map(|(name, value)| (name, value.to_owned())).to_vec()
    }
}

fn of_a_code(sentences: &Sentences, purpose: Purpose, values: &[(&str, String)]) -> Values {
    let words = sentences.words(purpose);
    let all = [("subject", words.subject), ("lead", words.lead), ("hint", sentences.hint), ("warning", words.warning)];
    all.map(|(name, sentence)| (name, fill(sentence, values))).to_vec()
}

fn of_a_notice(sentences: &Sentences, notice: &Notice, values: &[(&str, String)]) -> Values {
    let (what, inside) = sentences.what(notice);
    let inside: Values = inside.into_iter().map(|(name, value)| (name, one_line(&value))).collect();
    vec![("what", fill(what, &inside)), ("advice", fill(sentences.advice, values))]
}

fn subject_of(template: &str, values: &[(&str, String)]) -> String {
    one_line(fill(template, values).trim())
}

/// Without what could begin a header or a line of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

fn escaped(values: &[(&'static str, String)]) -> Values {
    values.iter().map(|(name, value)| (*name, escape(value))).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::secret::Secret;
    use crate::signin::{Changed, Channel, Handle};

    fn message(content: Content, language: Language) -> Message {
        let to = Handle::email("ada@example.com").unwrap();
        Message { to, channel: Channel::Email, content, language, handle: "mac".into() }
    }

    fn code(minutes: u64) -> Content {
        code_for(Purpose::SignIn, minutes)
    }

    fn code_for(purpose: Purpose, minutes: u64) -> Content {
        Content::Code { code: Secret::new("123456".to_owned()), minutes, purpose }
    }

    fn letters(name: &str) -> Letters {
        Letters::new(name, "wiki.example.com", None).unwrap()
    }

    #[test]
    fn a_letter_says_the_code_and_nothing_of_its_template() {
        let letter = letters("<Wiki> {code} & Co").letter(&message(code(1), Language::English));

        assert_eq!(letter.subject, "123456 is your code for <Wiki> {code} & Co");
        assert!(letter.text.starts_with("Your code for <Wiki> {code} & Co:\n\n    123456\n"), "{}", letter.text);
        assert!(letter.text.contains("for 1 minute.\n"));
        assert!(letter.html.contains("&lt;Wiki&gt; {code} &amp; Co"), "{}", letter.html);
        assert!(letter.html.contains(">123456</p>"));
    }

    #[test]
    fn every_language_says_everything() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        let contents = || {
            let notices = [
                Notice::NewDevice { device: "Firefox, Linux".to_owned(), address: Some(address) },
                Notice::NewDevice { device: "Firefox, Linux".to_owned(), address: None },
                Notice::AuthenticatorAdded,
                Notice::AuthenticatorRemoved,
                Notice::RecoveryCodesRenewed,
                Notice::RecoveryCodeUsed { left: 7 },
                Notice::AddressChanged(Changed::Email),
                Notice::AddressChanged(Changed::Phone),
                Notice::RefreshTokenReused,
            ];
            notices.map(Content::Notice).into_iter().chain([code(10), code_for(Purpose::NewAddress, 10), code_for(Purpose::App, 10)])
        };
        let mut said = std::collections::HashSet::new();
        for language in Language::ALL {
            let tag = format!("<html lang=\"{}\" dir=\"{}\">", language.tag(), language.direction());
            for content in contents() {
                let message = message(content, language);
                let (letter, short) = (letters("Wiki").letter(&message), letters("Wiki").short(&message));
                for text in [&letter.subject, &letter.text, &letter.html, &short] {
                    assert!(text.contains("Wiki") && !text.contains(['{', '}']), "{text}");
                }
                assert!(letter.html.contains(&tag), "{}", letter.html);
                assert!(said.insert(letter.text), "two messages say the same");
                assert!(message.code().is_none() || letter.subject.starts_with("123456"), "{}", letter.subject);
            }
        }
        assert_eq!(said.len(), 60);
    }

    #[test]
    fn nothing_breaks_out_of_its_place() {
        let hostile = "Evil\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>\u{2028}\"'";
        let letter = letters(hostile).letter(&message(code(10), Language::German));
        assert!(!letter.subject.contains(['\r', '\n', '\u{2028}']), "{}", letter.subject);
        assert!(!letter.html.contains("<script") && !letter.html.contains('\r'), "{}", letter.html);

        let device = hostile.to_owned();
        let notice = Content::Notice(Notice::NewDevice { device, address: None });
        let letter = letters("Wiki").letter(&message(notice, Language::French));
        assert!(!letter.subject.contains(['\r', '\n']) && !letter.html.contains("<script"), "{}", letter.html);
    }

    #[test]
    fn an_sms_ends_with_the_line_that_browsers_read() {
        let short = letters("Wiki\n@evil.example #666666").short(&message(code(10), Language::German));
        assert_eq!(short, "123456 ist Ihr Code für Wiki @evil.example #666666\n\n@wiki.example.com #123456");
    }
}
