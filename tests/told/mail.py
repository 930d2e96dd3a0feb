"""A mail server for scenarios: port, certificate, key, folder, `starttls` or `implicit`. It takes mail from the user `teal`
with the password `s3cret`, over TLS only, and writes each mail into the folder."""

import email
import email.policy
import json
import os
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP

port, certificate, key, folder, kind = int(sys.argv[1]), *sys.argv[2:6]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"teal" and data.password == b"s3cret"
    return AuthResult(success=good, handled=False, auth_data=data.login.decode())


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = {
            "recipients": envelope.rcpt_tos,
            "tls": session.ssl is not None or kind == "implicit",
            "user": session.auth_data,
            "text": mail.get_body(("plain",)).get_content(),
            "html": mail.get_body(("html",)).get_content(),
        }
        for name in ("subject", "from", "to", "message-id", "in-reply-to", "references"):
            body[name] = mail[name]
        Keep.count += 1
        path = os.path.join(folder, "%04d" % Keep.count)
        with open(path, "w") as file:
            json.dump(body, file)
        os.rename(path, path + ".json")
        return "250 kept"


class Server(Controller):
    def factory(self):
        starttls = None if kind == "implicit" else context
        return SMTP(
            self.handler,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=starttls is not None,
        )


Server(
    Keep(),
    hostname="127.0.0.1",
    port=port,
    ssl_context=context if kind == "implicit" else None,
).start()
print("ready", flush=True)
threading.Event().wait()
