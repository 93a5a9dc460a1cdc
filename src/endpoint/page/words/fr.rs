//! French.

use super::{Text, Unit, Words};

/// The words of the pages in French.
pub(super) static WORDS: Words = Words {
    lang: "fr",
    error: "Erreur",
    sign_in: "Se connecter",
    address: "Adresse e-mail",
    address_hint: "Nous vous envoyons un code. Aucun mot de passe n’est nécessaire.",
    send_code: "Envoyer le code",
    have_code: "J’ai déjà un code",
    signed_in_as: "Vous êtes connecté en tant que {who}.",
    go_on: "Continuer",
    enter_code: "Saisissez le code",
    code_sent: "Si cette adresse peut se connecter ici, un code est en route. Cela peut prendre une minute ; regardez aussi dans les indésirables.",
    code: "Code",
    new_code: "Envoyer un nouveau code",
    sign_out: "Se déconnecter",
    sign_out_hint: "Pour revenir, il vous faudra un nouveau code.",
    sign_out_everywhere: "Se déconnecter de tous les appareils",
    signed_out: Text {
        heading: "Vous êtes déconnecté", sentence: "Fermez la fenêtre si d’autres personnes utilisent aussi cet appareil."
    },
    sign_in_again: "Se reconnecter",
    invalid_address: "Ce n’est pas une adresse e-mail. Écrivez-la comme nom@example.com.",
    channel_unavailable: "Les codes ne peuvent pas être envoyés à ce type d’adresse ici. Utilisez une adresse e-mail.",
    resend_too_soon: "Un code vient d’être envoyé à cette adresse. Saisissez-le ou redemandez-en un dans {wait}.",
    limit_reached: "Trop de demandes depuis ici. Réessayez dans {wait}.",
    no_code: "Ce navigateur n’attend aucun code, ou il a expiré. Demandez-en un nouveau.",
    invalid_code: "Ce code est faux, a expiré ou a déjà servi. Vérifiez-le ou demandez-en un nouveau.",
    too_many_attempts: "Trop de codes ont été essayés. Réessayez dans {wait}.",
    bad_request: Text {
        heading: "Cela n’a pas fonctionné",
        sentence: "La demande n’a pas pu être comprise. Revenez en arrière et réessayez.",
    },
    not_signed_in: Text { heading: "Vous n’êtes pas connecté", sentence: "Connectez-vous pour continuer." },
    too_long_ago: Text { heading: "Veuillez vous reconnecter", sentence: "Pour cette page, votre dernière connexion est trop ancienne." },
    second_factor: Text {
        heading: "Un second facteur est nécessaire",
        sentence: "Cette page n’est visible qu’après une connexion avec un second facteur.",
    },
    forbidden: Text {
        heading: "Vous ne pouvez pas entrer ici",
        sentence: "Vous êtes connecté, mais votre compte n’a pas le droit de voir cette page. Si c’est une erreur, adressez-vous au responsable du site.",
    },
    cross_site: Text {
        heading: "Arrêté pour votre sécurité",
        sentence: "Un autre site a envoyé cette demande en votre nom ; elle n’a pas été exécutée.",
    },
    not_found: Text { heading: "Il n’y a rien ici", sentence: "L’adresse est fausse ou la page a été déplacée." },
    unavailable: Text {
        heading: "Indisponible pour un instant",
        sentence: "Nous ne pouvons pas vérifier votre connexion pour le moment. Vous restez connecté ; réessayez bientôt.",
    },
    upstream_failed: Text {
        heading: "L’application est injoignable",
        sentence: "L’application derrière cette adresse ne répond pas. Vous restez connecté ; réessayez bientôt.",
    },
    upstream_timeout: Text {
        heading: "L’application met trop de temps",
        sentence: "L’application derrière cette adresse n’a pas répondu à temps. Vous restez connecté ; réessayez bientôt.",
    },
    internal: Text {
        heading: "Un problème est survenu",
        sentence: "L’erreur vient de nous. Si elle persiste, indiquez au responsable du site la référence ci-dessous.",
    },
    try_again: "Réessayer",
    reference: "Référence",
    inbox: "Boîte de réception",
    inbox_hint: "Développement : les codes arrivent dans la boîte de réception.",
    inbox_empty: "Aucun code n’a encore été envoyé.",
    inbox_to: "À",
    inbox_at: "Envoyé",
    reload: "Actualiser",
    development: "Développement : chaque code est fait de zéros.",
    second: Unit { one: "seconde", many: "secondes" },
    minute: Unit { one: "minute", many: "minutes" },
    hour: Unit { one: "heure", many: "heures" },
};
