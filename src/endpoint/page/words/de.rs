//! German.

use super::{Text, Unit, Words};

/// The words of the pages in German.
pub(super) static WORDS: Words = Words {
    lang: "de",
    error: "Fehler",
    sign_in: "Anmelden",
    address: "E-Mail-Adresse",
    address_hint: "Wir senden Ihnen einen Code. Sie brauchen kein Passwort.",
    send_code: "Code senden",
    have_code: "Ich habe schon einen Code",
    signed_in_as: "Sie sind angemeldet als {who}.",
    go_on: "Weiter",
    enter_code: "Code eingeben",
    code_sent: "Wenn sich diese Adresse hier anmelden darf, ist ein Code unterwegs. Das kann eine Minute dauern; sehen Sie auch im Spam-Ordner nach.",
    code: "Code",
    new_code: "Neuen Code senden",
    sign_out: "Abmelden",
    sign_out_hint: "Um wiederzukommen, brauchen Sie einen neuen Code.",
    sign_out_everywhere: "Auf allen Geräten abmelden",
    signed_out: Text { heading: "Sie sind abgemeldet", sentence: "Schließen Sie das Fenster, wenn auch andere dieses Gerät benutzen." },
    sign_in_again: "Wieder anmelden",
    invalid_address: "Das ist keine E-Mail-Adresse. Schreiben Sie sie wie name@example.com.",
    channel_unavailable: "An diese Art von Adresse können hier keine Codes gesendet werden. Verwenden Sie eine E-Mail-Adresse.",
    resend_too_soon: "Für diese Adresse wurde eben erst ein Code gesendet. Geben Sie ihn ein, oder fordern Sie in {wait} einen neuen an.",
    limit_reached: "Zu viele Anfragen von hier. Versuchen Sie es in {wait} wieder.",
    no_code: "In diesem Browser wird kein Code erwartet, oder er ist abgelaufen. Fordern Sie einen neuen an.",
    invalid_code: "Dieser Code ist falsch, abgelaufen oder schon benutzt. Prüfen Sie ihn, oder fordern Sie einen neuen an.",
    too_many_attempts: "Es wurden zu viele Codes probiert. Versuchen Sie es in {wait} wieder.",
    bad_request: Text {
        heading: "Das hat nicht geklappt",
        sentence: "Die Anfrage war nicht zu verstehen. Gehen Sie zurück und versuchen Sie es noch einmal.",
    },
    not_signed_in: Text { heading: "Sie sind nicht angemeldet", sentence: "Melden Sie sich an, um weiterzugehen." },
    too_long_ago: Text {
        heading: "Bitte melden Sie sich noch einmal an",
        sentence: "Für diese Seite liegt Ihre letzte Anmeldung zu lange zurück.",
    },
    second_factor: Text {
        heading: "Ein zweiter Faktor ist nötig",
        sentence: "Diese Seite ist nur nach einer Anmeldung mit zweitem Faktor zu sehen.",
    },
    forbidden: Text {
        heading: "Hier dürfen Sie nicht hinein",
        sentence: "Sie sind angemeldet, aber Ihr Konto darf diese Seite nicht sehen. Wenn das ein Irrtum ist, fragen Sie den Betreiber.",
    },
    cross_site: Text {
        heading: "Zu Ihrer Sicherheit angehalten",
        sentence: "Eine andere Website hat diese Anfrage in Ihrem Namen gesendet; sie wurde nicht ausgeführt.",
    },
    not_found: Text { heading: "Hier ist nichts", sentence: "Die Adresse ist falsch, oder die Seite ist umgezogen." },
    unavailable: Text {
        heading: "Gerade nicht verfügbar",
        sentence: "Wir können Ihre Anmeldung im Moment nicht prüfen. Sie bleiben angemeldet; versuchen Sie es gleich noch einmal.",
    },
    upstream_failed: Text {
        heading: "Die Anwendung ist nicht erreichbar",
        sentence: "Die Anwendung hinter dieser Adresse antwortet nicht. Sie bleiben angemeldet; versuchen Sie es gleich noch einmal.",
    },
    upstream_timeout: Text {
        heading: "Die Anwendung braucht zu lange",
        sentence: "Die Anwendung hinter dieser Adresse hat nicht rechtzeitig geantwortet. Sie bleiben angemeldet; versuchen Sie es gleich noch einmal.",
    },
    internal: Text {
        heading: "Etwas ist schiefgegangen",
        sentence: "Der Fehler liegt bei uns. Wenn er bleibt, nennen Sie dem Betreiber das Zeichen unten.",
    },
    try_again: "Noch einmal versuchen",
    reference: "Zeichen",
    inbox: "Posteingang",
    inbox_hint: "Entwicklung: Codes kommen im Posteingang an.",
    inbox_empty: "Noch wurden keine Codes gesendet.",
    inbox_to: "An",
    inbox_at: "Gesendet",
    reload: "Neu laden",
    development: "Entwicklung: jeder Code besteht aus Nullen.",
    second: Unit { one: "Sekunde", many: "Sekunden" },
    minute: Unit { one: "Minute", many: "Minuten" },
    hour: Unit { one: "Stunde", many: "Stunden" },
};
