"""
Tests for :mod:`pbx.ops.below`.
"""

from __future__ import annotations

import resource
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.below import (
    FILES_KEPT,
    FILES_PER_CALL,
    Capacity,
    call_settings,
    capacity,
    certificate_addresses,
    external_settings,
    guard_settings,
    media_settings,
    name_servers,
    transport_settings,
)
from pbx.ops.settings import Settings, SettingsError, load

TEXT = """
server: {sip_host: ["192.0.2.1", "::1"], sip_port: 5070, sip_tls_port: null, rtp_port_range_start: 12000,
         rtp_port_range_end: 12099}
security: {allow: ["198.51.100.0/24"], failures_before_block: 3, failure_window: 60, block_time: 70}
media: {latch: strict, tones: uk}
"""


class BelowTests(SynchronousTestCase):
    """
    The configuration as the floors below see it.
    """

    def settings(self, text: str = TEXT) -> Settings:
        """
        A configuration with no default where it matters.
        """
        path = Path(self.mktemp())
        path.write_text(text)
        return load(path, {}, Path(self.mktemp()))

    def test_transport(self) -> None:
        """
        Addresses and ports; no TLS port when it is turned off.
        """
        settings = transport_settings(self.settings(), 300)
        self.assertEqual(settings.sip_hosts, ("192.0.2.1", "::1"))
        self.assertEqual((settings.sip_port, settings.tls_port, settings.external_ip), (5070, None, None))
        self.assertEqual((settings.max_connections, settings.max_connections_per_address), (300, 150))

    def test_name_servers(self) -> None:
        """
        Name servers are addresses, with a port or without; none means those of the machine.
        """
        self.assertEqual(name_servers(self.settings()), ())
        text = 'server: {dns: ["192.0.2.53", "127.0.0.1:5353", "[::1]:5353"]}'
        found = (("192.0.2.53", 53), ("127.0.0.1", 5353), ("::1", 5353))
        self.assertEqual(name_servers(self.settings(text)), found)
        for wrong in ("[]", "[example.org]", "['192.0.2.53:0']", "['192.0.2.53:99999']"):
            with self.assertRaises(SettingsError, msg=wrong) as caught:
                self.settings(f"server: {{dns: {wrong}}}")
            self.assertIn("allowed is a list of addresses", str(caught.exception))

    def test_external(self) -> None:
        """
        Our address outside is fixed, or asked of servers: from the address that phones reach, where there is one.
        """
        def external(text: str) -> tuple[object, ...]:
            found = external_settings(self.settings(f"server: {{{text}}}"))
            return found.fixed, found.servers, found.source

        self.assertEqual(external(""), (None, (), ""))
        self.assertEqual(external("external_ip: 203.0.113.1"), ("203.0.113.1", (), ""))
        self.assertEqual(external("external_ip: stun:a.example, sip_host: 192.0.2.1"),
                         (None, (("a.example", 3478),), "192.0.2.1"))
        named = 'external_ip: ["stun:a.example", "stun:192.0.2.9:3479"]'
        several = external(f'{named}, sip_host: ["192.0.2.1", "192.0.2.2"]')
        self.assertEqual(several, (None, (("a.example", 3478), ("192.0.2.9", 3479)), ""))
        settings = transport_settings(self.settings("server: {external_ip: stun:a.example}"), 1)
        self.assertIsNone(settings.external_ip)
        self.assertEqual(external_settings(self.settings("server: {stun_interval: 60}")).interval, 60)
        for wrong in ("pbx.example", "stun:", "stun:a:0", "stun:a:70000", "[203.0.113.1]", "[]", "stun:a/b",
                      str([f"stun:s{n}" for n in range(9)])):
            with self.assertRaises(SettingsError, msg=wrong) as caught:
                external(f"external_ip: {wrong}" if wrong[0] == "[" else f"external_ip: '{wrong}'")
            self.assertIn("stun:HOST", str(caught.exception))

    def test_certificate(self) -> None:
        """
        The certificate stands for every address that is listened on, and for the one that others see.
        """
        local = ("127.0.0.1", "192.168.1.10", "::1", "2001:db8::10")
        self.assertEqual(certificate_addresses(self.settings(), local), ["192.0.2.1", "::1", *local[:2]])
        text = 'server: {sip_host: ["0.0.0.0", "::"], external_ip: "203.0.113.1"}\napi: {host: "127.0.0.1"}'
        self.assertEqual(certificate_addresses(self.settings(text), local), [*local, "203.0.113.1"])

    def test_media(self) -> None:
        """
        The ports for audio and the latch.
        """
        settings = media_settings(self.settings())
        self.assertEqual((settings.port_range_start, settings.port_range_end), (12000, 12099))
        self.assertEqual((settings.latch, settings.tones), ("strict", "uk"))

    def test_language(self) -> None:
        """
        The language that callers hear; English unless something else is said.
        """
        self.assertEqual(call_settings(self.settings(), 5).language, "en")
        self.assertEqual(call_settings(self.settings("media: {language: pt-br}"), 5).language, "pt-br")
        with self.assertRaisesRegex(SettingsError, "media.language.*a language such as en"):
            self.settings("media: {language: German}")

    def test_tones_of_nowhere(self) -> None:
        """
        A country whose tones are not known is an error that names those that are.
        """
        with self.assertRaisesRegex(SettingsError, "media.tones.*a country: at, au, be"):
            self.settings("media: {tones: atlantis}")

    def test_guard(self) -> None:
        """
        Whom the guard lets in, and what it counts.
        """
        settings = guard_settings(self.settings())
        self.assertEqual([str(network) for network in settings.allow], ["198.51.100.0/24"])
        self.assertEqual((settings.failures, settings.window, settings.block_time), (3, 60, 70))

    def test_limit(self) -> None:
        """
        A call takes two pairs of ports and four files, and the limit on files is raised as far as it goes.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(capacity(self.settings()).calls, 25)
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (hard, hard))

    def test_one_budget(self) -> None:
        """
        However few files there are, calls, SIP connections and API connections together never take more.
        """
        wide = "server: {rtp_port_range_start: 10000, rtp_port_range_end: 60000}"
        for files in (1024, 4096, 65_536, 1_048_576):
            self.patch(resource, "getrlimit", lambda _, files=files: (files, files))
            for text in (TEXT, wide):
                with self.subTest(files=files, text=text):
                    room = capacity(self.settings(text))
                    taken = room.calls * FILES_PER_CALL + room.connections + room.pages + FILES_KEPT
                    self.assertLessEqual(taken, files)
                    self.assertGreater(min(room.calls, room.pages), 24)
                    self.assertGreater(room.connections, files // 4 if files < 40_000 else 9_999)
        self.assertEqual(capacity(self.settings(wide)), Capacity(12_500, 10_000, 500))
