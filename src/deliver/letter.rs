//! What a message says: the subject, and the same words as text and as HTML.

use crate::signin::Message;

const TEXT: &str = include_str!("templates/code.txt");
const HTML: &str = include_str!("templates/code.html");

/// What a message says.
pub(super) struct Letter {
    /// One line, the code in front: it is read in a list of mails.
    pub(super) subject: String,
    /// For those who read text.
    pub(super) text: String,
    /// For those who read HTML.
    pub(super) html: String,
}

impl Letter {
    /// The words around the code of `message`; `name` is over the door.
    pub(super) fn new(message: &Message, name: &str) -> Self {
        let code = message.code.expose();
        let minutes = minutes(message.minutes);
        Self {
            subject: format!("{code} is your code for {name}"),
            text: fill(TEXT, [("code", code), ("name", name), ("minutes", &minutes)]),
            html: fill(HTML, [("code", &escape(code)), ("name", &escape(name)), ("minutes", &minutes)]),
        }
    }
}

fn minutes(count: u64) -> String {
    if count == 1 { "1 minute".to_owned() } else { format!("{count} minutes") }
}

/// `template` with each `{name}` replaced, in one pass: a value that looks like a name is not replaced again.
fn fill(template: &str, values: [(&str, &str); 3]) -> String {
    let mut pieces = template.split('{');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let known = piece.split_once('}').and_then(|(name, rest)| Some((values.iter().find(|(known, _)| *known == name)?.1, rest)));
        match known {
            Some((value, rest)) => filled.extend([value, rest]),
            None => filled.extend(["{", piece]),
        }
    }
    filled
}

fn escape(text: &str) -> String {
    let escaped = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::signin::{Channel, Handle};

    #[test]
    fn a_letter_says_the_code_and_nothing_of_its_template() {
        let to = Handle::email("ada@example.com").unwrap();
        let code = Secret::new("123456".to_owned());
        let message = Message { to, channel: Channel::Email, code, minutes: 1, handle: "mac".into() };
        let letter = Letter::new(&message, "<Wiki> {code} & Co");
        assert_eq!(letter.subject, "123456 is your code for <Wiki> {code} & Co");
        assert!(letter.text.starts_with("123456 is your code for <Wiki> {code} & Co.\n"), "{}", letter.text);
        assert!(letter.text.contains("for 1 minute.\n"));
        assert!(letter.html.contains("<strong>&lt;Wiki&gt; {code} &amp; Co</strong>"), "{}", letter.html);
        assert!(!letter.html.contains("{minutes}") && !letter.html.contains("{name}"));
    }
}
