"""
The table of failures: extensions with several phones, and phones that fork.
"""

from __future__ import annotations

from pbx.sip.reasons import parse_reasons
from tests.calls.case import ExchangeCase
from tests.calls.table import Row, TableCase, refused


def one_of_two_unreachable(case: ExchangeCase) -> int | None:
    """
    Of two phones one does not answer at all; the other rings on and is picked up.
    """
    anna, bert, away = case.phone("1001"), case.phone("1002"), case.phone("1002")
    away.hang_silent()
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    bert.reply(rung, 180)
    case.network.advance(6)
    case.assertEqual(len(case.logged("sip.no_response")), 1)
    bert.reply(rung, 200, body=bert.sdp())
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    return answer.status


def two_phones_answer_at_once(case: ExchangeCase) -> int | None:
    """
    Two phones of one extension are picked up in the same moment: one has the call, the other gets ACK and BYE.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    for phone in (bert, rita):
        phone.reply(phone.requests("INVITE")[0], 180)
    for phone in (bert, rita):
        phone.answer(phone.requests("INVITE")[0], 200, body=phone.sdp(), tag=phone.address)
    case.network.advance(0.02)
    case.assertEqual([len(phone.requests("ACK")) for phone in (bert, rita)], [1, 1])
    case.assertEqual([len(phone.requests("BYE")) for phone in (bert, rita)], [0, 1])
    answer = anna.last("INVITE")
    case.assertEqual(anna.responses("INVITE").count(200), 1)
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    case.network.advance(0.01)
    case.assertEqual([len(phone.requests("BYE")) for phone in (bert, rita)], [1, 1])
    case.assertEqual([leg["status"] for leg in case.record["legs"]], [None, None, 487])
    return answer.status


def losers_are_cancelled(case: ExchangeCase) -> int | None:
    """
    One of three phones is picked up: the others are cancelled with the reason that keeps it off their missed calls.
    """
    anna, *phones = case.phone("1001"), *(case.phone("1002") for _ in range(3))
    invite = anna.call("1002")
    for phone in phones:
        phone.reply(phone.requests("INVITE")[0], 180)
    case.assertEqual(anna.responses("INVITE").count(180), 1)
    phones[1].reply(phones[1].requests("INVITE")[0], 200, body=phones[1].sdp())
    case.assertEqual([len(phone.requests("CANCEL")) for phone in phones], [1, 0, 1])
    for phone in (phones[0], phones[2]):
        (reason,) = parse_reasons(phone.requests("CANCEL")[0].headers.get_all("Reason"))
        case.assertEqual((reason.protocol, reason.cause, reason.text), ("SIP", 200, "Call completed elsewhere"))
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    return answer.status


def downstream_fork_answers_twice(case: ExchangeCase) -> int | None:
    """
    Behind one binding sits a proxy that forks: two 18x and two 200 with different To tags. The second gets ACK and BYE.
    """
    anna, proxy = case.pair()
    invite = anna.call("1002")
    (rung,) = proxy.requests("INVITE")
    for tag in ("one", "two"):
        proxy.reply(rung, 180, tag=tag, headers=(("Contact", f"<sip:{tag}@10.0.2.2>"),))
    case.assertEqual(anna.responses("INVITE").count(180), 1)
    for tag in ("one", "two"):
        proxy.answer(rung, 200, tag=tag, body=proxy.sdp())
    case.network.advance(0.02)
    case.assertEqual([ack.to_tag for ack in proxy.requests("ACK")], ["one", "two"])
    case.assertEqual([bye.to_tag for bye in proxy.requests("BYE")], ["two"])
    case.assertEqual(proxy.requests("CANCEL"), [])
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    case.network.advance(0.01)
    case.assertEqual([bye.to_tag for bye in proxy.requests("BYE")], ["two", "one"])
    return answer.status


def decline_ends_all_phones(case: ExchangeCase) -> int | None:
    """
    603 of one phone speaks for the person: the others stop ringing.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    for phone in (bert, rita):
        phone.reply(phone.requests("INVITE")[0], 180)
    bert.reply(bert.requests("INVITE")[0], 603)
    case.assertEqual(len(rita.requests("CANCEL")), 1)
    return refused(case, anna, invite, 21)


def busy_everywhere_ends_all_phones(case: ExchangeCase) -> int | None:
    """
    So does 600.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    for phone in (bert, rita):
        phone.reply(phone.requests("INVITE")[0], 180)
    rita.reply(rita.requests("INVITE")[0], 600)
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite, 17)


def busy_phone_does_not_end_the_others(case: ExchangeCase) -> int | None:
    """
    486 of one phone ends only that phone; when the other does not answer, the caller is told that it is busy.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 486)
    rita.reply(rita.requests("INVITE")[0], 180)
    case.network.advance(10)
    case.assertEqual(rita.requests("CANCEL"), [])
    rita.reply(rita.requests("INVITE")[0], 480)
    return refused(case, anna, invite, 17)


def redirecting_phone(case: ExchangeCase) -> int | None:
    """
    A phone that redirects: the caller is not sent elsewhere on a stranger's word.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 302, headers=(("Contact", "<sip:00900123@evil.example>"),))
    return refused(case, anna, invite, 31)


class PhonesTable(TableCase):
    """
    Extensions with several phones, and phones that fork.
    """

    rows = (
        Row(one_of_two_unreachable, 200, "sip.no_response", "answered", "Normal call clearing"),
        Row(two_phones_answer_at_once, 200, "", "answered", "Normal call clearing"),
        Row(losers_are_cancelled, 200, "", "answered", "Normal call clearing"),
        Row(downstream_fork_answers_twice, 200, "", "answered", "Normal call clearing"),
        Row(decline_ends_all_phones, 603, "", "busy", "Decline"),
        Row(busy_everywhere_ends_all_phones, 600, "", "busy", "Busy Everywhere"),
        Row(busy_phone_does_not_end_the_others, 486, "", "busy", "Busy Here"),
        Row(redirecting_phone, 480, "", "failed", "Phone answered 302"),
    )


class BestAnswerTests(ExchangeCase):
    """
    When no phone takes the call, the caller gets the answer that tells most.
    """

    def test_order(self) -> None:
        """
        600 and 603 before 486, that before 480, 408, and whatever else came first.
        """
        for first, second, best in (
            (480, 486, 486), (486, 480, 486), (408, 480, 480), (404, 480, 480), (500, 408, 408), (404, 500, 404),
            (500, 404, 500), (302, 404, 480), (486, 603, 603), (401, 401, 480),
        ):
            with self.subTest(first=first, second=second):
                anna, *phones = self.phone("1001"), *(self.phone("1002") for _ in range(2))
                invite = anna.call("1002")
                for phone, status in zip(phones, (first, second), strict=True):
                    phone.reply(phone.requests("INVITE")[0], status)
                self.assertEqual(refused(self, anna, invite), best)
                self.assertEqual(self.exchange.records[-1]["status"], best)
                for phone in (anna, *phones):
                    phone.register(expires=0)
                    phone.hang_silent()
                self.network.advance(3)
