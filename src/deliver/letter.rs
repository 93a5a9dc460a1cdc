//! What a message says: the subject, and the same words as text and as HTML.

use crate::signin::{Changed, Content, Message, Notice};

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
        match &message.content {
            Content::Code { code, minutes } => Self::code(code.expose(), *minutes, name),
            Content::Notice(notice) => Self::notice(notice, name),
        }
    }

    fn code(code: &str, count: u64, name: &str) -> Self {
        let minutes = minutes(count);
        Self {
            subject: format!("{code} is your code for {name}"),
            text: fill(TEXT, [("code", code), ("name", name), ("minutes", &minutes)]),
            html: fill(HTML, [("code", &escape(code)), ("name", &escape(name)), ("minutes", &minutes)]),
        }
    }

    fn notice(notice: &Notice, name: &str) -> Self {
        let text = format!("{}. If this was not you, sign in to {name} and end all other sessions.\n", sentence(notice));
        Self { subject: format!("{name}: {}", sentence(notice)), html: format!("<p>{}</p>", escape(&text)), text }
    }
}

/// What has happened, in a sentence.
fn sentence(notice: &Notice) -> String {
    match notice {
        Notice::NewDevice { device, address } => {
            let from = address.map(|address| format!(" from {address}")).unwrap_or_default();
            format!("Somebody signed in on a new device: {device}{from}")
        }
        Notice::AuthenticatorAdded => "An authenticator app was set up".to_owned(),
        Notice::AuthenticatorRemoved => "The authenticator app was removed".to_owned(),
        Notice::RecoveryCodesRenewed => "New recovery codes were made".to_owned(),
        Notice::RecoveryCodeUsed { left } => format!("A recovery code was used; {left} are left"),
        Notice::AddressChanged(Changed::Email) => "The e-mail address was changed".to_owned(),
        Notice::AddressChanged(Changed::Phone) => "The phone number was changed".to_owned(),
        Notice::RefreshTokenReused => "A session was ended because its token was used twice".to_owned(),
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
    use crate::language::Language;
    use crate::secret::Secret;
    use crate::signin::{Channel, Handle};

    #[test]
    fn a_letter_says_the_code_and_nothing_of_its_template() {
        let to = Handle::email("ada@example.com").unwrap();
        let code = Secret::new("123456".to_owned());
        let message = Message {
            to,
            channel: Channel::Email,
            content: Content::Code { code, minutes: 1 },
            language: Language::English,
            handle: "mac".into(),
        };
        let letter = Letter::new(&message, "<Wiki> {code} & Co");
        assert_eq!(letter.subject, "123456 is your code for <Wiki> {code} & Co");
        assert!(letter.text.starts_with("123456 is your code for <Wiki> {code} & Co.\n"), "{}", letter.text);
        assert!(letter.text.contains("for 1 minute.\n"));
        assert!(letter.html.contains("<strong>&lt;Wiki&gt; {code} &amp; Co</strong>"), "{}", letter.html);
        assert!(!letter.html.contains("{minutes}") && !letter.html.contains("{name}"));
    }
}
