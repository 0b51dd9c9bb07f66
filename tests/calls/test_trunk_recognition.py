"""
Tests for :mod:`pbx.calls.recognition`: whose request it is.
"""

from __future__ import annotations

from tests.calls.lines import NAME, LinesCase


class RecognitionTests(LinesCase):
    """
    The ways to know a trunk, in their order.
    """

    def test_by_mark(self) -> None:
        """
        The mark of our Contact in the Request-URI tells the trunk, wherever the request comes from.
        """
        self.provider()
        line = self.start(self.trunk(), self.trunk(name="Two", username="other"))
        two = self.line("Two")
        for each in (line, two):
            uri = f"sip:account@10.0.0.1:5060;line={each.mark}"
            self.assertEqual(self.recognised("198.51.100.7", uri=uri), each.trunk.name)
        self.assertEqual(self.recognised("192.0.2.1", uri=f"sip:1@10.0.0.1;line={two.mark}"), "Two")
        self.assertIsNone(self.recognised("198.51.100.7", uri="sip:1@10.0.0.1;line=guessed"))
        self.assertEqual(self.recognised("192.0.2.1", uri="sip:1@10.0.0.1;line=guessed"), NAME)

    def test_by_mark_of_calls(self) -> None:
        """
        The mark in the Contact of our calls tells the trunk within a call alone: where a provider hides nothing,
        whoever was called knows it, and could call in from anywhere under any number.
        """
        self.provider()
        line = self.start(self.trunk())
        self.assertNotEqual(line.mark, line.call_mark)
        uri = f"sip:account@10.0.0.1:5060;line={line.call_mark}"
        self.assertIsNone(self.recognised("198.51.100.7", uri=uri))
        within = "<sip:account@10.0.0.1>;tag=ours"
        self.assertEqual(self.recognised("198.51.100.7", uri=uri, to=within), NAME)
        self.assertEqual(self.recognised("192.0.2.1", uri=uri), NAME)

    def test_by_network(self) -> None:
        """
        A network in inbound_ips, any port; it goes before what another trunk's name leads to.
        """
        self.provider()
        self.start(
            self.trunk(username=""),
            self.trunk(name="Listed", host="192.0.2.99", username="", priority=5,
                       inbound_ips=("198.51.100.0/24", "192.0.2.1", "2001:db8::/32")),
        )
        self.assertEqual(self.recognised("198.51.100.200", 40_000), "Listed")
        self.assertEqual(self.recognised("192.0.2.1"), "Listed")
        self.assertIsNone(self.recognised("198.51.101.1"))
        self.assertTrue(self.lines.is_trunk("2001:db8::7"))

    def test_by_host(self) -> None:
        """
        Any address that the host's name leads to, from any port.
        """
        self.provider("192.0.2.2")
        self.names("192.0.2.1", "192.0.2.2")
        self.start(self.trunk(host="sip.provider.example", username=""))
        for address, port in (("192.0.2.1", 5060), ("192.0.2.2", 5080), ("192.0.2.2", 61_234)):
            self.assertEqual(self.recognised(address, port), NAME)
        self.assertIsNone(self.recognised("192.0.2.3"))

    def test_by_the_whole_domain(self) -> None:
        """
        With a fixed port too, calls may come from any machine of the domain's.
        """
        self.provider()
        self.names("192.0.2.1", "192.0.2.2", host="provider.example")
        self.zone.add("provider.example", *self.zone.records["node1.provider.example", 1])
        self.start(self.trunk(host="provider.example", port=5060, username=""))
        self.assertEqual(self.recognised("192.0.2.2", 5090), NAME)

    def test_addresses_follow(self) -> None:
        """
        Where the name leads is looked up again and again, without a call that asks for it.
        """
        self.names("192.0.2.1")
        self.start(self.trunk(host="sip.provider.example", username=""))
        self.assertIsNone(self.recognised("192.0.2.7"))
        self.names("192.0.2.7")
        self.wait(400)
        self.assertEqual(self.recognised("192.0.2.7"), NAME)
        # A name may lead to some of its addresses in turn.
        self.assertEqual(self.recognised("192.0.2.1"), NAME)
        self.wait(3700)
        self.assertIsNone(self.recognised("192.0.2.1"))

    def test_name_servers_away(self) -> None:
        """
        What was known stays known while no name server answers.
        """
        self.names("192.0.2.1")
        self.start(self.trunk(host="sip.provider.example", username=""))
        self.zone.down = TimeoutError("away")
        self.wait(7200)
        self.assertEqual((self.recognised("192.0.2.1"), self.health()), (NAME, "up"))

    def test_loopback(self) -> None:
        """
        On this machine a trunk is known by its port as well, and never exempt from the guard for its address alone.
        """
        self.start(self.trunk(host="127.0.0.1", port=5070, username=""))
        self.assertFalse(self.lines.is_trunk("127.0.0.1"))
        line = self.line()
        self.assertEqual([line.targets_of.has("127.0.0.1", port) for port in (5070, 5060)], [True, False])

    def test_disabled(self) -> None:
        """
        A trunk that is switched off is nobody.
        """
        self.start(self.trunk(username="", enabled=False, inbound_ips=("192.0.2.1",)))
        self.assertIsNone(self.recognised("192.0.2.1"))
        self.assertIsNone(self.recognised("192.0.2.1", uri=f"sip:1@10.0.0.1;line={self.line().mark}"))
        self.assertFalse(self.lines.is_trunk("192.0.2.1"))

    def test_register(self) -> None:
        """
        Whoever registers is a phone, wherever it is: a provider never does.
        """
        self.start(self.trunk(username=""))
        self.assertIsNone(self.recognised(method="REGISTER"))
        self.assertEqual(self.recognised(method="OPTIONS"), NAME)

    def test_guard(self) -> None:
        """
        A trunk's address is exempt from the guard.
        """
        self.guard.is_trunk = self.lines.is_trunk
        self.start(self.trunk(username=""))
        self.assertTrue(self.guard.exempt("192.0.2.1"))
        self.assertFalse(self.guard.exempt("192.0.2.2"))


class SeveralTests(LinesCase):
    """
    Several trunks at one provider.
    """

    def setUp(self) -> None:
        super().setUp()
        self.start(
            self.trunk(name="First", username="acc1", register=False, priority=2, dids=("+4930111.",)),
            self.trunk(name="Second", username="acc2", register=False, from_domain="two.example"),
            self.trunk(name="Third", username="acc3", register=False, contact_user="desk", dids=("+4930333.",)),
            self.trunk(name="Fourth", username="acc4", register=False, from_domain="four.example",
                       inbound_ips=("203.0.113.0/24",)),
            country="DE",
        )

    def test_by_account(self) -> None:
        """
        The account, or the user of our Contact, in Request-URI, To or P-Called-Party-ID.
        """
        self.assertEqual(self.recognised(uri="sip:acc1@10.0.0.1"), "First")
        self.assertEqual(self.recognised(uri="sip:desk@10.0.0.1:5060"), "Third")
        self.assertEqual(self.recognised(to="<sip:acc1@192.0.2.1>"), "First")
        self.assertEqual(self.recognised(headers=[("P-Called-Party-ID", "<sip:acc4@x>")]), "Fourth")
        self.assertEqual(self.recognised(headers=[("P-Called-Party-ID", "<sip:")]), "Fourth")

    def test_by_domain(self) -> None:
        """
        The domain in From, To or Request-URI.
        """
        self.assertEqual(self.recognised(sender="<sip:+491@TWO.example>"), "Second")
        self.assertEqual(self.recognised(to="<sip:1@four.example>"), "Fourth")
        self.assertEqual(self.recognised(uri="sip:1@two.example", sender="<sip:+491@x.example>"), "Second")

    def test_by_number(self) -> None:
        """
        The number called, however it is written.
        """
        for number in ("+49303334", "0049303334", "49303334", "0303334"):
            self.assertEqual(self.recognised(uri=f"sip:{number}@10.0.0.1"), "Third", number)
        self.assertEqual(self.recognised(to="<sip:+49301119@192.0.2.1>"), "First")

    def test_narrowed_step_by_step(self) -> None:
        """
        What one thing leaves open, the next decides, among those that are left.
        """
        self.use(
            self.trunk(name="A", username="acc1", register=False, dids=("+49301.",)),
            self.trunk(name="B", username="acc1", register=False, dids=("+49302.",)),
            self.trunk(name="C", username="acc2", register=False, dids=("+49302.",), priority=1),
            country="DE",
        )
        self.wait(0.1)
        self.assertEqual(self.recognised(uri="sip:acc1@10.0.0.1", to="<sip:+493025@x>"), "B")

    def test_else_the_first(self) -> None:
        """
        Where nothing tells, it is the one of the lowest priority number, then by name.
        """
        self.assertEqual(self.recognised(sender="<sip:1@x.example>", uri="sip:1@x", to="<sip:1@x>"), "Fourth")

    def test_only_among_those_that_fit(self) -> None:
        """
        The account of a trunk at another address is no proof.
        """
        self.assertEqual(self.recognised("203.0.113.9", uri="sip:acc1@10.0.0.1"), "Fourth")
        self.assertIsNone(self.recognised("203.0.114.9", uri="sip:acc1@10.0.0.1"))

    def test_carrier_that_calls_from_elsewhere(self) -> None:
        """
        From another port and address of its SRV set, with the account in the Request-URI and the DID in To.
        """
        self.names("192.0.2.10", "192.0.2.11")
        self.use(
            self.trunk(name="One", host="sip.provider.example", username="acc1", register=False),
            self.trunk(name="Two", host="sip.provider.example", username="acc2", register=False),
        )
        self.wait(0.1)
        found = self.recognised("192.0.2.11", 5099, uri="sip:acc2@10.0.0.1:5060", to="<sip:+4930222@10.0.0.1>")
        self.assertEqual(found, "Two")
