//! Spanish.

use super::{Text, Unit, Words};

/// The words of the pages in Spanish.
pub(super) static WORDS: Words = Words {
    lang: "es",
    error: "Error",
    sign_in: "Iniciar sesión",
    address: "Correo electrónico",
    address_hint: "Le enviamos un código. No necesita contraseña.",
    send_code: "Enviar código",
    have_code: "Ya tengo un código",
    signed_in_as: "Ha iniciado sesión como {who}.",
    go_on: "Continuar",
    enter_code: "Introduzca el código",
    code_sent: "Si esta dirección puede iniciar sesión aquí, un código está en camino. Puede tardar un minuto; mire también en el correo no deseado.",
    code: "Código",
    new_code: "Enviar un código nuevo",
    sign_out: "Cerrar sesión",
    sign_out_hint: "Para volver necesitará un código nuevo.",
    sign_out_everywhere: "Cerrar sesión en todos los dispositivos",
    signed_out: Text { heading: "Ha cerrado la sesión", sentence: "Cierre la ventana si otras personas también usan este dispositivo." },
    sign_in_again: "Iniciar sesión de nuevo",
    invalid_address: "Esto no es una dirección de correo. Escríbala como nombre@example.com.",
    channel_unavailable: "Aquí no se pueden enviar códigos a este tipo de dirección. Use un correo electrónico.",
    resend_too_soon: "Se acaba de enviar un código a esta dirección. Introdúzcalo o pida otro en {wait}.",
    limit_reached: "Demasiadas solicitudes desde aquí. Inténtelo de nuevo en {wait}.",
    no_code: "Este navegador no espera ningún código, o ha caducado. Pida uno nuevo.",
    invalid_code: "Este código es incorrecto, ha caducado o ya se ha usado. Compruébelo o pida uno nuevo.",
    too_many_attempts: "Se han probado demasiados códigos. Inténtelo de nuevo en {wait}.",
    bad_request: Text { heading: "No ha funcionado", sentence: "No se pudo entender la solicitud. Vuelva atrás e inténtelo de nuevo." },
    not_signed_in: Text { heading: "No ha iniciado sesión", sentence: "Inicie sesión para continuar." },
    too_long_ago: Text {
        heading: "Inicie sesión de nuevo",
        sentence: "Para esta página, su último inicio de sesión es demasiado antiguo.",
    },
    second_factor: Text {
        heading: "Se necesita un segundo factor",
        sentence: "Esta página solo se puede ver tras iniciar sesión con un segundo factor.",
    },
    forbidden: Text {
        heading: "No puede entrar aquí",
        sentence: "Ha iniciado sesión, pero su cuenta no puede ver esta página. Si es un error, pregunte a quien administra este sitio.",
    },
    cross_site: Text {
        heading: "Detenido por su seguridad",
        sentence: "Otro sitio envió esta solicitud en su nombre; no se ha ejecutado.",
    },
    not_found: Text { heading: "Aquí no hay nada", sentence: "La dirección es incorrecta o la página se ha movido." },
    unavailable: Text {
        heading: "No disponible por un momento",
        sentence: "Ahora mismo no podemos comprobar su sesión. Sigue abierta; inténtelo de nuevo en breve.",
    },
    upstream_failed: Text {
        heading: "No se puede acceder a la aplicación",
        sentence: "La aplicación de esta dirección no responde. Su sesión sigue abierta; inténtelo de nuevo en breve.",
    },
    upstream_timeout: Text {
        heading: "La aplicación tarda demasiado",
        sentence: "La aplicación de esta dirección no respondió a tiempo. Su sesión sigue abierta; inténtelo de nuevo en breve.",
    },
    internal: Text {
        heading: "Algo ha fallado",
        sentence: "El error es nuestro. Si continúa, indique la referencia de abajo a quien administra este sitio.",
    },
    try_again: "Intentar de nuevo",
    reference: "Referencia",
    inbox: "Bandeja de entrada",
    inbox_hint: "Desarrollo: los códigos llegan a la bandeja de entrada.",
    inbox_empty: "Todavía no se ha enviado ningún código.",
    inbox_to: "Para",
    inbox_at: "Enviado",
    reload: "Recargar",
    development: "Desarrollo: todos los códigos son ceros.",
    second: Unit { one: "segundo", many: "segundos" },
    minute: Unit { one: "minuto", many: "minutos" },
    hour: Unit { one: "hora", many: "horas" },
};
