"""
The table of failures: who may call and register.
"""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import patch

import attrs

from pbx.sip.digest import Credentials
from pbx.sip.message import Request, Response
from tests.calls.case import ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import Phone
from tests.calls.table import Row, TableCase


def dialled(phone: Phone, number: str = "1002") -> Request:
    """
    An INVITE without credentials.
    """
    return phone.request("INVITE", f"sip:{number}@{ADDRESS}", body=phone.sdp())


def with_credentials(phone: Phone, request: Request, **given: Any) -> Response:
    """
    Send a request, then again with credentials; the last answer.
    """
    phone.send(request)
    phone.network.advance(0.01)
    challenge = phone.last(request.method)
    if request.method == "INVITE":
        phone.acknowledge_refusal(request, challenge)
    again = phone.credentials(request, challenge, **given)
    phone.send(again)
    phone.network.advance(0.01)
    answered = phone.last(request.method)
    if request.method == "INVITE" and answered.status >= 300:
        phone.acknowledge_refusal(again, answered)
    return answered


def without_credentials(case: ExchangeCase) -> int | None:
    """
    An INVITE without credentials is asked for them; that is no failure of anyone's.
    """
    phone = case.phone("1001", register=False)
    invite = dialled(phone)
    phone.send(invite)
    case.network.advance(0.01)
    answer = phone.last()
    case.assertNotIn("stale=true", (answer.headers.get("WWW-Authenticate") or "").lower())
    phone.acknowledge_refusal(invite, answer)
    return answer.status


def wrong_password(case: ExchangeCase) -> int | None:
    """
    An INVITE with a wrong password is challenged again, told to the log once, and makes no record.
    """
    phone = case.phone("1001", register=False, secret="not the password")
    return with_credentials(phone, dialled(phone)).status


def wrong_password_in_register(case: ExchangeCase) -> int | None:
    """
    A REGISTER with a wrong password likewise, and nothing is bound.
    """
    phone = case.phone("1001", register=False, secret="not the password")
    status = phone.register().status
    case.assertEqual(len(case.exchange.location), 0)
    return status


def unknown_user(case: ExchangeCase) -> int | None:
    """
    A user that does not exist gets the answer that a wrong password gets, for the same work.
    """
    known = case.phone("1001", register=False, secret="not the password", at="10.0.3.1")
    unknown = case.phone("5550", register=False, at="10.0.3.2")
    answers, digests = [], []
    reckon = Credentials.verifies
    for phone in (known, unknown):
        with patch.object(Credentials, "verifies", autospec=True, side_effect=reckon) as reckoned:
            answers.append(with_credentials(phone, dialled(phone)))
            digests.append([len(call.args[1]) for call in reckoned.call_args_list])
    case.assertEqual(digests, [[32], [32]])
    case.assertEqual(*(without_chance(answer, phone) for answer, phone in zip(answers, (known, unknown), strict=True)))
    # The known one's line is not this row's.
    case.lines.remove(next(line for line in case.lines if "1001" in line[1]))
    return answers[1].status


def without_chance(response: Response, phone: Phone) -> bytes:
    """
    The bytes of a response, less what the phone said itself and what is made at random.
    """
    text = response.to_bytes().replace(phone.number.encode(), b"USER").replace(phone.address.encode(), b"ADDRESS")
    for pattern in (rb'nonce="\w+"', rb"tag=\w+", rb"branch=\w+", rb"call-\d+"):
        text = re.sub(pattern, b"CHANCE", text)
    return text


def disabled_user(case: ExchangeCase) -> int | None:
    """
    An extension that was disabled is no one either, with the right password too.
    """
    extension = case.exchange.directory.extension("1001")
    assert extension is not None
    case.exchange.directory.put(attrs.evolve(extension, enabled=False))
    phone = case.phone("1001", register=False)
    return with_credentials(phone, dialled(phone)).status


def stale_nonce(case: ExchangeCase) -> int | None:
    """
    A nonce that has aged is answered with a new one and ``stale=true``: the phone need not ask its user.
    """
    phone = case.phone("1001", register=False)
    invite = dialled(phone)
    phone.send(invite)
    case.network.advance(0.01)
    challenge = phone.last()
    phone.acknowledge_refusal(invite, challenge)
    case.network.advance(3600)
    again = phone.credentials(invite, challenge)
    phone.send(again)
    case.network.advance(0.01)
    answer = phone.last()
    case.assertIn("stale=true", answer.headers.get("WWW-Authenticate") or "")
    phone.acknowledge_refusal(again, answer)
    return answer.status


def replayed_nonce(case: ExchangeCase) -> int | None:
    """
    A nonce that was used with this count is answered likewise: who overheard it can do nothing with it.
    """
    phone = case.phone("1001", register=False)
    register = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
    phone.send(register)
    case.network.advance(0.01)
    challenge = phone.last()
    phone.send(phone.credentials(register, challenge))
    case.network.advance(0.01)
    case.assertEqual(phone.last().status, 200)
    replay = phone.credentials(register, challenge)
    replay.headers.set("CSeq", f"{register.cseq.number + 2} REGISTER")
    phone.send(replay)
    case.network.advance(0.01)
    case.assertIn("stale=true", phone.last().headers.get("WWW-Authenticate") or "")
    return phone.last().status


def counted_nonce(case: ExchangeCase) -> int | None:
    """
    The same nonce with the next count is taken: phones keep one for many requests.
    """
    phone = case.phone("1001", register=False)
    register = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
    phone.send(register)
    case.network.advance(0.01)
    challenge = phone.last()
    for count in (1, 2):
        again = phone.credentials(register, challenge, nc=count)
        again.headers.set("CSeq", f"{register.cseq.number + count} REGISTER")
        phone.send(again)
        case.network.advance(0.01)
    case.assertEqual(phone.responses("REGISTER"), [401, 200, 200])
    return phone.last().status


def foreign_nonce(case: ExchangeCase) -> int | None:
    """
    A nonce that another address was given is stale here, and the answer to it is not looked at.
    """
    first, second = case.phone("1001", register=False), case.phone("1001", register=False, secret="not the password")
    register = first.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
    first.send(register)
    case.network.advance(0.01)
    second.send(second.credentials(second.request("REGISTER", f"sip:{ADDRESS}"), first.last()))
    case.network.advance(0.01)
    case.assertIn("stale=true", second.last().headers.get("WWW-Authenticate") or "")
    return second.last().status


def without_qop(case: ExchangeCase) -> int | None:
    """
    An answer in the old form without qop, which can be replayed, is not taken unless it is allowed.
    """
    phone = case.phone("1001", register=False)
    register = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
    phone.send(register)
    case.network.advance(0.01)
    challenge = phone.last()
    old = challenge.headers.get("WWW-Authenticate") or ""
    challenge.headers.set("WWW-Authenticate", re.sub(r',?\s*qop="?auth"?', "", old))
    again = phone.credentials(register, challenge)
    case.assertNotIn("qop", again.headers.get("Authorization") or "")
    phone.send(again)
    case.network.advance(0.01)
    return phone.last().status


def another_extensions_address(case: ExchangeCase) -> int | None:
    """
    Who proves to be 1001 can't register as 1002.
    """
    phone = case.phone("1001", register=False)
    request = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1002@{ADDRESS}>")
    return with_credentials(phone, request).status


def message_to_a_phone(case: ExchangeCase) -> int | None:
    """
    A MESSAGE is challenged like all else; that it is not served is only told to who may ask.
    """
    phone = case.phone("1001")
    request = phone.request("MESSAGE", f"sip:1002@{ADDRESS}")
    return with_credentials(phone, request).status


def subscription(case: ExchangeCase) -> int | None:
    """
    A SUBSCRIBE is challenged; that there is no such event is only told to who may ask.
    """
    return challenged_first(case, "SUBSCRIBE")


def publication(case: ExchangeCase) -> int | None:
    """
    A PUBLISH likewise.
    """
    return challenged_first(case, "PUBLISH")


def reference(case: ExchangeCase) -> int | None:
    """
    A REFER outside a call is challenged, and not served.
    """
    return challenged_first(case, "REFER")


def challenged_first(case: ExchangeCase, method: str) -> int:
    """
    The status of a request with credentials, which without them was challenged; a 405 names what is allowed.
    """
    phone = case.phone("1001")
    answer = with_credentials(phone, phone.request(method, f"sip:1002@{ADDRESS}", headers=(("Event", "presence"),)))
    case.assertEqual(phone.responses(method), [401, answer.status])
    case.assertEqual(answer.headers.get("Allow") is not None, answer.status == 405)
    return int(answer.status)


def unheard_of_method(case: ExchangeCase) -> int | None:
    """
    A method that nobody has heard of is 501.
    """
    phone = case.phone("1001", register=False)
    phone.send(phone.request("FETCH", f"sip:1002@{ADDRESS}"))
    case.network.advance(0.01)
    return phone.last().status


def required_extension(case: ExchangeCase) -> int | None:
    """
    A request that requires what we do not have is 420 and names it (RFC 3261 8.2.2.3).
    """
    phone = case.phone("1001", register=False)
    phone.send(phone.request("OPTIONS", f"sip:1002@{ADDRESS}", headers=(("Require", "timer, precondition"),)))
    case.network.advance(0.01)
    case.assertEqual(phone.last().headers.get("Unsupported"), "precondition")
    return phone.last().status


def options_of_anyone(case: ExchangeCase) -> int | None:
    """
    OPTIONS is answered 200 without credentials, the same whether the user exists, is registered, or neither.
    """
    case.phone("1002")
    stranger = case.phone("1001", register=False, at="10.9.9.9")
    answers = []
    for number in ("1002", "1003", "5550"):
        stranger.send(stranger.request("OPTIONS", f"sip:{number}@{ADDRESS}"))
        case.network.advance(0.01)
        answer = stranger.last("OPTIONS")
        answers.append(re.sub(rb"branch=\w+|tag=\w+|call-\d+|sip:\d+@", b"", answer.to_bytes()))
    case.assertEqual(len(set(answers)), 1)
    case.assertIn(b"Allow: INVITE", answers[0])
    return stranger.last().status


def keep_alive_notify(case: ExchangeCase) -> int | None:
    """
    The NOTIFY by which a Cisco SPA keeps its mapping open is answered 200.
    """
    phone = case.phone("1001", register=False)
    phone.send(phone.request("NOTIFY", f"sip:{ADDRESS}", headers=(("Event", "keep-alive"),)))
    case.network.advance(0.01)
    return phone.last().status


FAILED = r"^authentication failed for user '{}' from {} \({}\)$"


class AuthenticationTable(TableCase):
    """
    Who may call and register.
    """

    rows = (
        Row(without_credentials, 401),
        Row(wrong_password, 401, FAILED.format("1001", "10.0.1.1:5060", "INVITE")),
        Row(wrong_password_in_register, 401, FAILED.format("1001", "10.0.1.1:5060", "REGISTER")),
        Row(unknown_user, 401, FAILED.format("5550", "10.0.3.2:5060", "INVITE")),
        Row(disabled_user, 401, FAILED.format("1001", "10.0.1.1:5060", "INVITE")),
        Row(stale_nonce, 401),
        Row(replayed_nonce, 401),
        Row(counted_nonce, 200),
        Row(foreign_nonce, 401),
        Row(without_qop, 401),
        Row(another_extensions_address, 403),
        Row(message_to_a_phone, 405),
        Row(subscription, 489),
        Row(publication, 489),
        Row(reference, 405),
        Row(unheard_of_method, 501),
        Row(required_extension, 420),
        Row(options_of_anyone, 200),
        Row(keep_alive_notify, 200),
    )
