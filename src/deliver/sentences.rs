//! What messages say, sentence by sentence, in each language. Templates arrange them. `{name}` and the like are filled in.
//!
//! The subject is an SMS's line too: its letters are kept to those of GSM 03.38 where the language allows, since one other letter
//! doubles what an SMS costs.

use crate::language::Language;
use crate::signin::{Changed, Notice, Purpose};

/// The sentences of a language.
pub(super) struct Sentences {
    sign_in: CodeWords,
    new_address: CodeWords,
    app: CodeWords,
    /// What to do with a code.
    pub(super) hint: &'static str,
    /// What to do about a notice that tells of somebody else.
    pub(super) advice: &'static str,
    new_device: &'static str,
    new_device_from: &'static str,
    authenticator_added: &'static str,
    authenticator_removed: &'static str,
    recovery_codes_renewed: &'static str,
    recovery_code_used: &'static str,
    email_changed: &'static str,
    phone_changed: &'static str,
    token_reused: &'static str,
}

/// What is said of a code, by what it is for.
pub(super) struct CodeWords {
    /// The code and what it is for, in one line.
    pub(super) subject: &'static str,
    /// Before the code.
    pub(super) lead: &'static str,
    /// What never to do with it.
    pub(super) warning: &'static str,
}

/// Those of `language`.
pub(super) const fn of(language: Language) -> &'static Sentences {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
        Language::Spanish => &SPANISH,
        Language::Arabic => &ARABIC,
    }
}

impl Sentences {
    /// What is said of a code for `purpose`.
    pub(super) const fn words(&self, purpose: Purpose) -> &CodeWords {
        match purpose {
            Purpose::SignIn => &self.sign_in,
            Purpose::NewAddress => &self.new_address,
            Purpose::App => &self.app,
        }
    }

    /// What has happened, and the values in it.
    pub(super) fn what(&self, notice: &Notice) -> (&'static str, Vec<(&'static str, String)>) {
        match notice {
            Notice::NewDevice { device, address: None } => (self.new_device, vec![("device", device.clone())]),
            Notice::NewDevice { device, address: Some(address) } => {
                (self.new_device_from, vec![("device", device.clone()), ("address", address.to_string())])
            }
            Notice::AuthenticatorAdded => (self.authenticator_added, Vec::new()),
            Notice::AuthenticatorRemoved => (self.authenticator_removed, Vec::new()),
            Notice::RecoveryCodesRenewed => (self.recovery_codes_renewed, Vec::new()),
            Notice::RecoveryCodeUsed { left } => (self.recovery_code_used, vec![("left", left.to_string())]),
            Notice::AddressChanged(Changed::Email) => (self.email_changed, Vec::new()),
            Notice::AddressChanged(Changed::Phone) => (self.phone_changed, Vec::new()),
            Notice::RefreshTokenReused => (self.token_reused, Vec::new()),
        }
    }
}

/// So many minutes, as they are counted in `language`.
pub(super) fn minutes(language: Language, count: u64) -> String {
    match (language, count) {
        (Language::English | Language::French, 1) => "1 minute".to_owned(),
        (Language::English | Language::French, _) => format!("{count} minutes"),
        (Language::German, 1) => "1 Minute".to_owned(),
        (Language::German, _) => format!("{count} Minuten"),
        (Language::Spanish, 1) => "1 minuto".to_owned(),
        (Language::Spanish, _) => format!("{count} minutos"),
        (Language::Arabic, 1) => "دقيقة واحدة".to_owned(),
        (Language::Arabic, 2) => "دقيقتين".to_owned(),
        // Plural for what ends in 3 to 10, singular for all beyond (CLDR).
        (Language::Arabic, _) if (3..=10).contains(&(count % 100)) => format!("{count} دقائق"),
        (Language::Arabic, _) => format!("{count} دقيقة"),
    }
}

const ENGLISH: Sentences = Sentences {
    sign_in: CodeWords {
        subject: "{code} is your code for {name}",
        lead: "Your code for {name}:",
        warning: "If you did not ask for it, ignore this message: nobody can sign in without the code. Never pass it on.",
    },
    new_address: CodeWords {
        subject: "{code} is the code to add this address to an account at {name}",
        lead: "The code to add this address to an account at {name}:",
        warning: "If you did not ask for it, ignore this message: without the code nobody can add your address to their account. Never pass it on.",
    },
    app: CodeWords {
        subject: "{code} is your confirmation code from {name}",
        lead: "Your confirmation code from {name}:",
        warning: "If you did not ask for it, ignore this message: nothing is confirmed without the code. Never pass it on.",
    },
    hint: "Type it where you asked for it. It works once, for {minutes}.",
    advice: "If this was not you, sign in to {name} and end all other sessions.",
    new_device: "Somebody signed in on a new device: {device}.",
    new_device_from: "Somebody signed in on a new device: {device}, from {address}.",
    authenticator_added: "An authenticator app was set up.",
    authenticator_removed: "The authenticator app was removed.",
    recovery_codes_renewed: "New recovery codes were made; the old ones no longer work.",
    recovery_code_used: "A recovery code was used. Codes left: {left}.",
    email_changed: "The e-mail address of the account was changed.",
    phone_changed: "The phone number of the account was changed.",
    token_reused: "A session was ended: its key was used twice, as a copy would be.",
};

const GERMAN: Sentences = Sentences {
    sign_in: CodeWords {
        subject: "{code} ist Ihr Code für {name}",
        lead: "Ihr Code für {name}:",
        warning: "Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese Nachricht: Ohne den Code kann sich niemand anmelden. Geben Sie \
              ihn nie weiter.",
    },
    new_address: CodeWords {
        subject: "{code} ist der Code, um diese Adresse einem Konto bei {name} hinzuzufügen",
        lead: "Der Code, um diese Adresse einem Konto bei {name} hinzuzufügen:",
        warning: "Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese Nachricht: Ohne den Code kann niemand Ihre Adresse seinem Konto hinzufügen. Geben Sie ihn nie weiter.",
    },
    app: CodeWords {
        subject: "{code} ist Ihr Bestätigungscode von {name}",
        lead: "Ihr Bestätigungscode von {name}:",
        warning: "Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese Nachricht: Ohne den Code wird nichts bestätigt. Geben Sie ihn nie weiter.",
    },
    hint: "Geben Sie ihn dort ein, wo Sie ihn angefordert haben. Er gilt einmal und {minutes} lang.",
    advice: "Wenn Sie das nicht waren, melden Sie sich bei {name} an und beenden Sie alle anderen Sitzungen.",
    new_device: "Anmeldung auf einem neuen Gerät: {device}.",
    new_device_from: "Anmeldung auf einem neuen Gerät: {device}, von {address}.",
    authenticator_added: "Eine Authenticator-App wurde eingerichtet.",
    authenticator_removed: "Die Authenticator-App wurde entfernt.",
    recovery_codes_renewed: "Neue Wiederherstellungscodes wurden erstellt; die alten gelten nicht mehr.",
    recovery_code_used: "Ein Wiederherstellungscode wurde verwendet. Verbleibende Codes: {left}.",
    email_changed: "Die E-Mail-Adresse des Kontos wurde geändert.",
    phone_changed: "Die Telefonnummer des Kontos wurde geändert.",
    token_reused: "Eine Sitzung wurde beendet: Ihr Schlüssel wurde zweimal verwendet, wie es bei einer Kopie geschieht.",
};

const FRENCH: Sentences = Sentences {
    sign_in: CodeWords {
        subject: "{code} est votre code pour {name}",
        lead: "Votre code pour {name} :",
        warning: "Si vous ne l’avez pas demandé, ignorez ce message : personne ne peut se connecter sans le code. Ne le communiquez jamais.",
    },
    new_address: CodeWords {
        subject: "{code} est le code pour ajouter cette adresse à un compte {name}",
        lead: "Le code pour ajouter cette adresse à un compte {name} :",
        warning: "Si vous ne l’avez pas demandé, ignorez ce message : sans le code, personne ne peut ajouter votre adresse à son compte. Ne le communiquez jamais.",
    },
    app: CodeWords {
        subject: "{code} est votre code de confirmation de {name}",
        lead: "Votre code de confirmation de {name} :",
        warning: "Si vous ne l’avez pas demandé, ignorez ce message : rien n’est confirmé sans le code. Ne le communiquez jamais.",
    },
    hint: "Saisissez-le là où vous l’avez demandé. Il est utilisable une seule fois, pendant {minutes}.",
    advice: "Si ce n’était pas vous, connectez-vous à {name} et mettez fin à toutes les autres sessions.",
    new_device: "Connexion depuis un nouvel appareil : {device}.",
    new_device_from: "Connexion depuis un nouvel appareil : {device}, depuis {address}.",
    authenticator_added: "Une application d’authentification a été configurée.",
    authenticator_removed: "L’application d’authentification a été retirée.",
    recovery_codes_renewed: "De nouveaux codes de secours ont été créés ; les anciens ne sont plus valables.",
    recovery_code_used: "Un code de secours a été utilisé. Codes restants : {left}.",
    email_changed: "L’adresse e-mail du compte a été modifiée.",
    phone_changed: "Le numéro de téléphone du compte a été modifié.",
    token_reused: "Une session a été fermée : sa clé a été utilisée deux fois, comme le serait une copie.",
};

const SPANISH: Sentences = Sentences {
    sign_in: CodeWords {
        // "clave" and not "código": ó is no letter of GSM 03.38.
        subject: "{code} es tu clave para {name}",
        lead: "Tu clave para {name}:",
        warning: "Si no la pediste, ignora este mensaje: nadie puede entrar sin la clave. No la compartas nunca.",
    },
    new_address: CodeWords {
        subject: "{code} es la clave para vincular este contacto a una cuenta de {name}",
        lead: "La clave para añadir esta dirección a una cuenta de {name}:",
        warning: "Si no la pediste, ignora este mensaje: sin la clave nadie puede añadir tu dirección a su cuenta. No la compartas nunca.",
    },
    app: CodeWords {
        subject: "{code} es tu clave para confirmar en {name}",
        lead: "Tu clave para confirmar en {name}:",
        warning: "Si no la pediste, ignora este mensaje: nada se confirma sin la clave. No la compartas nunca.",
    },
    hint: "Escríbela donde la pediste. Sirve una sola vez, durante {minutes}.",
    advice: "Si no fuiste tú, entra en {name} y cierra todas las demás sesiones.",
    new_device: "Inicio de sesión en un dispositivo nuevo: {device}.",
    new_device_from: "Inicio de sesión en un dispositivo nuevo: {device}, desde {address}.",
    authenticator_added: "Se configuró una aplicación de autenticación.",
    authenticator_removed: "Se quitó la aplicación de autenticación.",
    recovery_codes_renewed: "Se crearon nuevos códigos de recuperación; los anteriores ya no sirven.",
    recovery_code_used: "Se usó un código de recuperación. Códigos restantes: {left}.",
    email_changed: "Se cambió la dirección de correo de la cuenta.",
    phone_changed: "Se cambió el número de teléfono de la cuenta.",
    token_reused: "Se cerró una sesión: su llave se usó dos veces, como ocurre con una copia.",
};

const ARABIC: Sentences = Sentences {
    sign_in: CodeWords {
        subject: "{code} هو رمزك للدخول إلى {name}",
        lead: "رمزك للدخول إلى {name}:",
        warning: "إذا لم تطلبه فتجاهل هذه الرسالة: لا يمكن لأحد الدخول دون الرمز. لا تعطه لأحد أبدا.",
    },
    new_address: CodeWords {
        subject: "{code} هو رمز إضافة هذا العنوان إلى حساب في {name}",
        lead: "رمز إضافة هذا العنوان إلى حساب في {name}:",
        warning: "إذا لم تطلبه فتجاهل هذه الرسالة: لا يمكن لأحد إضافة عنوانك إلى حسابه دون الرمز. لا تعطه لأحد أبدا.",
    },
    app: CodeWords {
        subject: "{code} هو رمز التأكيد من {name}",
        lead: "رمز التأكيد من {name}:",
        warning: "إذا لم تطلبه فتجاهل هذه الرسالة: لا يتم تأكيد أي شيء دون الرمز. لا تعطه لأحد أبدا.",
    },
    hint: "اكتبه حيث طلبته. يصلح لمرة واحدة ولمدة {minutes}.",
    advice: "إذا لم تكن أنت من فعل ذلك، فسجّل الدخول إلى {name} وأنهِ كل الجلسات الأخرى.",
    new_device: "تم تسجيل الدخول من جهاز جديد: {device}.",
    new_device_from: "تم تسجيل الدخول من جهاز جديد: {device}، من العنوان {address}.",
    authenticator_added: "تم إعداد تطبيق المصادقة.",
    authenticator_removed: "تمت إزالة تطبيق المصادقة.",
    recovery_codes_renewed: "تم إنشاء رموز استرداد جديدة، ولم تعد الرموز القديمة صالحة.",
    recovery_code_used: "تم استخدام رمز استرداد. الرموز المتبقية: {left}.",
    email_changed: "تم تغيير عنوان البريد الإلكتروني للحساب.",
    phone_changed: "تم تغيير رقم هاتف الحساب.",
    token_reused: "تم إنهاء جلسة: استُخدم مفتاحها مرتين، كما يحدث مع نسخة منه.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_counted_as_people_count() {
        let counted = |language| [1, 2, 5, 10, 11, 60].map(|count| minutes(language, count));
        assert_eq!(counted(Language::English), ["1 minute", "2 minutes", "5 minutes", "10 minutes", "11 minutes", "60 minutes"]);
        assert_eq!(counted(Language::German)[..2], ["1 Minute", "2 Minuten"]);
        assert_eq!(counted(Language::Spanish)[..2], ["1 minuto", "2 minutos"]);
        assert_eq!(counted(Language::Arabic), ["دقيقة واحدة", "دقيقتين", "5 دقائق", "10 دقائق", "11 دقيقة", "60 دقيقة"]);
    }

    #[test]
    fn the_line_of_an_sms_costs_one_message_where_the_language_allows() {
        let gsm = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà\n{}";
        let languages = [Language::English, Language::German, Language::French, Language::Spanish];
        for (language, purpose) in
            languages.into_iter().flat_map(|it| [(it, Purpose::SignIn), (it, Purpose::NewAddress), (it, Purpose::App)])
        {
            let odd: String =
                of(language).words(purpose).subject.chars().filter(|c| !c.is_ascii_alphanumeric() && !gsm.contains(*c)).collect();
            assert_eq!(odd, "", "{}", language.tag());
        }
    }
}
