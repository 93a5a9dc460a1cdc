//! An operator's own templates: per language, for all, or refused by name.

use doorward::config::Config;
use doorward::language::Language;
use doorward::signin::Channel;
use tempfile::TempDir;

use super::Post;
use super::kinds::Kind;
use crate::support::folder;
use crate::support::provider::Provider;

fn written(files: &[(&str, &str)]) -> TempDir {
    let folder = folder::new("templates");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn section(folder: &TempDir) -> String {
    format!("[delivery]\ntemplates = \"{}\"\n", folder.path().display())
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_words_are_said_in_the_language_that_they_are_for() {
    let folder = written(&[
        ("code.de.txt", "Servus! {code}, {minutes}.\n"),
        ("code.txt", "{lead} {code}\n"),
        ("code.html", "<html lang=\"{lang}\"><style>p { margin: 0 }</style><p>{name}: {code}</p></html>"),
        ("code-subject.fr.txt", "{name} : {code}\n"),
        ("code-sms.txt", "{code} ({name})\n"),
        ("README.md", "What is no template is left alone."),
    ]);
    let provider = Provider::start();
    let post =
        Post::with(&format!("{}{}{}", section(&folder), Kind::MailHook.at(&provider.url(), "it"), Kind::SmsHook.at(&provider.url(), "it")))
            .await;

    let mut said = Vec::new();
    for (nth, language) in [Language::German, Language::French, Language::Arabic].into_iter().enumerate() {
        assert!(post.send_by(Channel::Email, "ada@example.com", "123456", language));
        post.wait_for("it", "sent", u64::try_from(nth).unwrap() + 1).await;
        said.push(provider.requests()[nth].json());
    }
    assert!(post.send_by(Channel::Sms, super::kinds::PHONE, "123456", Language::German));
    post.wait_for("it", "sent", 4).await;

    assert_eq!(said[0]["text"], "Servus! 123456, 10 Minuten.\n");
    assert_eq!(said[0]["subject"], "123456 ist Ihr Code für Wiki & Co");
    assert_eq!(said[1]["text"], "Votre code pour Wiki & Co : 123456\n");
    assert_eq!(said[1]["subject"], "Wiki & Co : 123456");
    assert_eq!(said[2]["html"], "<html lang=\"ar\"><style>p { margin: 0 }</style><p>Wiki &amp; Co: 123456</p></html>");
    assert_eq!(provider.requests()[3].json()["text"], "123456 (Wiki & Co)\n\n@wiki.example.com #123456");
}

#[test]
fn templates_that_cannot_do_are_refused_by_their_names() {
    let folder = written(&[
        ("code.de.txt", "Hello"),
        ("code.it.txt", "{code}"),
        ("cod.txt", "{code}"),
        ("notice.html", "{what} {code}"),
        ("code-subject.txt", "{code}\nBcc: everybody"),
    ]);
    let text = |delivery: &str| {
        format!(
            "public_url = \"http://127.0.0.1:8080\"\n[store]\nencryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n\
             {delivery}[[delivery.email]]\nkind = \"console\"\n"
        )
    };
    let mistakes = |delivery: &str| {
        let read = Config::read("templates", &text(delivery), std::iter::empty());
        read.err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>()
    };

    let found = mistakes(&section(&folder));

    assert_eq!(found.len(), 1, "{found:#?}");
    let problems: Vec<&str> = found[0].strip_prefix("delivery.templates: ").unwrap().split("; ").collect();
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert!(problems[0].starts_with("cod.txt is no template: there are code, "), "{problems:#?}");
    assert_eq!(problems[1..3], ["code-subject.txt should be one line", "code.de.txt lacks {code}"]);
    assert!(problems[3].starts_with("code.it.txt is no template"), "{problems:#?}");
    assert!(problems[4].starts_with("notice.html has {code}, which is none of"), "{problems:#?}");
    let nowhere = mistakes("[delivery]\ntemplates = \"/nowhere\"\n");
    assert!(nowhere[0].starts_with("delivery.templates: /nowhere cannot be read"), "{nowhere:?}");
}
