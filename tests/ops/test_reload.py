"""
Tests for :mod:`pbx.ops.reload`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pbx.ops.reload import LONGEST, MOST, RESTART, Change, compare, report
from pbx.ops.settings import Settings, effective, lines_of, load
from tests.ops.test_settings import SettingsCase

TRUNK = "sip_trunks:\n- {name: One, host: a.example, password: hush}\n"


class ReloadCase(SettingsCase):
    """
    Two readings of a configuration.
    """

    def changes(self, before: str, after: str) -> list[str]:
        """
        What is different, in words.
        """
        return [str(change) for change in self.compared(before, after)]

    def compared(self, before: str, after: str) -> list[Change]:
        """
        What is different.
        """
        return compare(self.load(before).written, self.load(after).written)

    def pair(self, before: str, after: str) -> tuple[Settings, Settings]:
        """
        Both readings of one file.
        """
        first = self.load(before)
        self.path.write_text(after, encoding="utf-8")
        return first, load(self.path, {})


class CompareTests(ReloadCase):
    """
    What is different.
    """

    def test_nothing(self) -> None:
        """
        The same said otherwise is no change: a default, another order of keys, an empty section.
        """
        one = "voicemail: {no_answer_timeout: 30, smtp: {}}\nmedia: {tones: de, latch: strict}\n"
        other = "media:\n  latch: strict\n  tones: de\n"
        self.assertEqual(self.changes(one, other), [])

    def test_keys(self) -> None:
        """
        Each key is told with its path, in the order of the file, old and new.
        """
        after = "voicemail:\n  no_answer_timeout: 20\n  smtp: {host: mail.example}\nblf: {unregistered: busy}\n"
        self.assertEqual(self.changes("", after), [
            "voicemail.no_answer_timeout: 30 -> 20", 'voicemail.smtp.host: null -> "mail.example"',
            'blf.unregistered: "idle" -> "busy"',
        ])
        self.assertEqual(
            self.changes("limits: {spend_per_day: 50}", "limits: {spend_per_day: 2.5}"),
            ['limits.spend_per_day: "50" -> "2.5"'],
        )

    def test_secrets(self) -> None:
        """
        Of a secret is only told that it is another one, wherever it stands.
        """
        after = TRUNK.replace("hush", "hiss")
        self.assertEqual(self.changes(TRUNK, after), ["sip_trunks[One].password: changed"])
        url = "database: {url: 'postgresql://u:hush@h/d'}"
        self.assertEqual(self.changes("", url), ["database.url: changed"])
        self.assertEqual(
            self.changes("", TRUNK),
            ['sip_trunks[One]: added {"name": "One", "host": "a.example", "password": "<secret>"}'],
        )
        everything = repr([change.as_row() for pair in ((TRUNK, after), ("", url), ("", TRUNK), (TRUNK, ""))
                           for change in self.compared(*pair)])
        self.assertNotIn("hush", everything)
        self.assertNotIn("hiss", everything)

    def test_named(self) -> None:
        """
        What has a name is found by it, wherever it stands; another order is a change of its own.
        """
        before = "outbound_routes:\n- {name: A, patterns: ['1.']}\n- {name: B}\n- {name: C}\n"
        after = "outbound_routes:\n- {name: C}\n- {name: D}\n- {name: A, patterns: ['2.'], strip: 1}\n"
        self.assertEqual(self.changes(before, after), [
            'outbound_routes[B]: removed {"name": "B"}', 'outbound_routes[D]: added {"name": "D"}',
            'outbound_routes[A].patterns: ["1."] -> ["2."]', "outbound_routes[A].strip: 0 -> 1",
            'outbound_routes: ["A", "C"] -> ["C", "A"]',
        ])
        whats = [change.what for change in self.compared(before, after)]
        self.assertEqual(whats, ["removed", "added", "changed", "changed", "moved"])

    def test_within_named(self) -> None:
        """
        What has no name of its own is told as a whole.
        """
        before = "time_conditions:\n- name: Office\n  hours: [{days: [mon], start: '08:00'}]\n"
        after = before.replace("08:00", "09:00")
        (change,) = self.compared(before, after)
        self.assertEqual(change.key, "time_conditions[Office].hours")
        self.assertEqual(change.before, [{"days": ["mon"], "start": "08:00"}])

    def test_long(self) -> None:
        """
        A value that is long is cut in a text, and whole in data.
        """
        patterns = [f"0{n}." for n in range(100)]
        routes = f"outbound_routes: [{{name: A, patterns: {patterns}}}]"
        (change,) = self.compared("outbound_routes: [{name: A}]", routes)
        self.assertLess(len(str(change)), LONGEST + 50)
        self.assertEqual(change.as_row()["after"], patterns)


class RestartTests(ReloadCase):
    """
    What waits for a restart.
    """

    def test_reasons(self) -> None:
        """
        Each key that is looked at only at the start is told with the reason, and so is each key in such a section.
        """
        after = "server: {sip_port: 5070, external_ip: 203.0.113.5}\nmanhole: {authorized_keys: keys}\n"
        told = {change.key: change.reason for change in self.compared("", after)}
        self.assertEqual(set(told), {"server.sip_port", "server.external_ip", "manhole"})
        self.assertEqual(told["server.external_ip"], "")
        self.assertIn("socket", told["server.sip_port"])
        self.assertTrue(told["manhole"])
        (moved,) = self.compared("manhole: {authorized_keys: a}", "manhole: {authorized_keys: b}")
        self.assertEqual((moved.key, bool(moved.reason)), ("manhole.authorized_keys", True))

    def test_names(self) -> None:
        """
        Each of those keys is one of the configuration.
        """
        written: Any = self.load("").written
        for key in RESTART:
            value = written
            for name in key.split("."):
                self.assertIn(name, value.__struct_fields__, key)
                value = getattr(value, name)

    def test_waits_until_then(self) -> None:
        """
        What waits is told at each reload until the start; what took effect only once; and what was taken back no more.
        """
        def read(text: str) -> Any:
            return self.load(text).written

        started = read("")
        both = read("server: {sip_port: 5070}\nmedia: {tones: de}\n")
        first = report(started, started, both)
        self.assertEqual(([c.key for c in first.changed], [c.key for c in first.waiting]),
                         (["media.tones"], ["server.sip_port"]))
        again = report(started, both, both)
        self.assertEqual((again.changed, again.waiting), ((), first.waiting))
        back = report(started, both, read("media: {tones: de}\n"))
        self.assertEqual((back.changed, back.waiting), ((), ()))
        self.assertEqual(first.as_row()["waiting"][0]["reason"], RESTART["server.sip_port"])

    def test_many(self) -> None:
        """
        Of very many changes a thousand are listed, and the others counted.
        """
        routes = "".join(f"- {{name: R{n}}}\n" for n in range(MOST + 7))
        one, other = self.load("").written, self.load(f"server: {{sip_port: 5070}}\noutbound_routes:\n{routes}").written
        told = report(one, one, other)
        self.assertEqual((len(told.changed), told.more, len(told.waiting)), (MOST, 7, 1))
        self.assertEqual(told.as_row()["more"], 7)

    def test_effective(self) -> None:
        """
        What waits is as it was at the start, and so is whatever follows from it; all else is as it is now.
        """
        started, read = self.pair(
            "paths: {data: one}\n",
            "paths: {data: two}\nserver: {sip_host: 10.9.9.9, local_networks: [10.0.0.0/8]}\napi: {port: 9999}\n"
            "database: {url: 'postgresql://h/d'}\nmanhole: {authorized_keys: keys}\nmedia: {latch: strict}\n",
        )
        self.assertEqual(read.data.name, "two")
        running = effective(read, started)
        self.assertEqual((running.data, running.cert_file, running.log_file),
                         (started.data, started.cert_file, started.log_file))
        self.assertEqual((running.sip_hosts, running.api.port), (started.sip_hosts, 8080))
        self.assertEqual((running.database.url, running.manhole), ("embedded", None))
        self.assertEqual((running.media.latch, running.server.local_networks), ("strict", ("10.0.0.0/8",)))
        self.assertIs(running.written, read.written)

    def test_data_on_the_command_line(self) -> None:
        """
        A data directory that was named on the command line stays, whatever the file says.
        """
        started = self.load("paths: {data: one}\n", data=Path("elsewhere"))
        running = effective(started, started)
        self.assertEqual((running.data, running.cert_file), (Path("elsewhere").absolute(), started.cert_file))


class LinesTests(ReloadCase):
    """
    Where keys stand.
    """

    def test_lines(self) -> None:
        """
        Each key has its line; a file that cannot be read has none.
        """
        self.load("server:\n  sip_port: 5060\n")
        self.assertEqual(lines_of(self.path)["server.sip_port"], 2)
        self.assertEqual(lines_of(Path("/nowhere")), {})
