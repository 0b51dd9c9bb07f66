"""
Whom a session belongs to that has ended.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.dialog.user import NOBODY, ISessionUser
from pbx.sip.message import ProtocolError


class NobodyTests(SynchronousTestCase):
    """
    A user that hears nothing.
    """

    def test_provides(self) -> None:
        """
        It can stand where any user of a session does.
        """
        self.assertTrue(verifyObject(ISessionUser, NOBODY))

    def test_refuses(self) -> None:
        """
        Whoever asks it is told that there is no session.
        """
        for ask in (lambda: NOBODY.offer_received(b""), NOBODY.offer_wanted):
            self.assertEqual(self.assertRaises(ProtocolError, ask).status, 481)
