"""A mail server that is not ours: aiosmtpd, with TLS and passwords. Prints a line of JSON when it listens and for each mail.

Arguments: the port, how TLS is spoken (none, starttls, tls), the folder for its certificate, the host that it is for.
"""

import datetime
import ipaddress
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USER, PASSWORD = b"door", b"hodge"


def tell(**what):
    print(json.dumps(what), flush=True)


class Keep:
    async def handle_DATA(self, server, session, envelope):
        tell(
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            encrypted=server.transport.get_extra_info("ssl_object") is not None,
            signed_in=bool(session.authenticated),
            raw=envelope.content.decode("utf-8", "replace"),
        )
        return "250 kept"


def sign_in(server, session, envelope, mechanism, given):
    # Not handled: the server says 235 or 535 itself.
    return AuthResult(success=(given.login, given.password) == (USER, PASSWORD), handled=False)


def certify(folder, host):
    """A certificate for a host and, where that is localhost, for 127.0.0.1, signed by an authority of its own: authority.pem is what to trust."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name, key, issuer, issuer_key):
        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=7))
        if name == issuer:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        else:
            names = [x509.DNSName(host)]
            if host == "localhost":
                names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(folder, "authority.pem", certificate("authority", authority, "authority", authority))
    write(folder, "server.pem", certificate("localhost", key, "authority", authority))
    write(folder, "server.key", secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    return context


def named(name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def write(folder, name, content):
    with open(f"{folder}/{name}", "wb") as file:
        file.write(content)


def main():
    port, tls, folder, host = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    context = None if tls == "none" else certify(folder, host)
    controller = Controller(
        Keep(),
        hostname="127.0.0.1",
        port=port,
        ssl_context=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        require_starttls=tls == "starttls",
        authenticator=sign_in,
        auth_required=tls != "none",
        auth_require_tls=tls == "starttls",
    )
    controller.start()
    tell(listening=port)
    threading.Event().wait()


main()
