"""
Whoever provides an interface on the floors of calls does so in full.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from pbx.calls.call import Call
from pbx.calls.destination import IVisit
from pbx.calls.inbound import ICallerOwner, InboundLeg
from pbx.calls.journey import ITraveller, Journey
from pbx.calls.leg import ILegOwner, Leg
from pbx.calls.outbound import ICalleeOwner, OutboundLeg
from pbx.calls.record import IRecords
from pbx.calls.routing import Attempt, IAttemptUser
from pbx.calls.switchboard import Switchboard
from pbx.calls.visit import Visit
from pbx.dialog.exchange import Bye, Exchange
from pbx.dialog.incoming import IIncomingUser
from pbx.dialog.outgoing import IOutgoingUser, OutgoingInvite
from pbx.dialog.user import ISessionUser
from pbx.dialog.useragent import IUserAgentOwner, Unheeded, UserAgentCore
from pbx.registrar.location import IBindingStore
from pbx.transaction.user import IClientUser, ITransactionUser
from tests.calls.exchange import Kept

PROVIDED = (
    (ICallerOwner, Call), (ICalleeOwner, Call), (ITraveller, Call), (IAttemptUser, Journey), (ILegOwner, Call),
    (ICalleeOwner, Attempt), (IVisit, Visit),
    (ISessionUser, Leg), (IIncomingUser, InboundLeg), (IOutgoingUser, OutboundLeg), (IUserAgentOwner, Switchboard),
    (IClientUser, OutgoingInvite), (IClientUser, Exchange), (IClientUser, Bye), (IClientUser, Unheeded),
    (ITransactionUser, UserAgentCore), (IRecords, Kept), (IBindingStore, Kept),
)


class InterfaceTests(SynchronousTestCase):
    """
    Every method, with its arguments.
    """

    def test_all(self) -> None:
        """
        Each class has what it says it provides.
        """
        for interface, provider in PROVIDED:
            with self.subTest(interface=interface.__name__, provider=provider.__name__):
                verifyClass(interface, provider)
