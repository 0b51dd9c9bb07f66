"""
A house that calls for help, in virtual time.
"""

from __future__ import annotations

from pbx.calls.emergency import NO_LINE
from pbx.directory.emergency import Emergency, Location
from pbx.features.emergency import NoEmergencyLine
from pbx.sip.message import Request, Response
from tests.calls.carrier import MAIN, TrunkCase
from tests.calls.phone import Phone

FLOOR = Location(
    "Second floor",
    {"country": "DE", "A3": "Berlin", "RD": "Lange Stra\N{LATIN SMALL LETTER SHARP S}e", "HNO": "7", "FLR": "2"},
    callback="+4930123999", notify=("1003",),
)
EMERGENCY = Emergency(
    numbers=("112", "110"), test_number="933", locations=(FLOOR,), location="Second floor", callback=MAIN, desk="1004",
    notify=("1002", "1005"), mail=("guard@example.com",),
)


class EmergencyCase(TrunkCase):
    """
    A house whose phones stand on the second floor; 1002 and 1003 are told.
    """

    plan = {"emergency": EMERGENCY}
    options = {"features": {"places": {NO_LINE: NoEmergencyLine()}}}

    def dial(self, number: str = "112", caller: str = "1005", **options: object) -> Request:
        """
        Let somebody call for help, who may call nobody beyond the house; the INVITE of the phone.
        """
        self.anna: Phone = self.phone(caller)
        self.invite = self.anna.call(number, **options)
        return self.invite

    def talk(self, phone: Phone, invite: Request, carrier: Phone) -> Response:
        """
        Have the last call over a trunk answered; the answer that the phone got.
        """
        carrier.reply(carrier.requests("INVITE")[-1], 200, body=carrier.sdp())
        answer = phone.last("INVITE")
        self.assertEqual(answer.status, 200)
        phone.acknowledge(invite, answer)
        return answer

    def end(self, phone: Phone, invite: Request, answer: Response) -> None:
        """
        Hang up.
        """
        phone.send(phone.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)

    def alerts(self, kind: str = "emergency") -> list[str]:
        """
        What was alerted.
        """
        return [told.text for told in self.exchange.alerts.told if told.kind == kind and told.what == "alert"]
