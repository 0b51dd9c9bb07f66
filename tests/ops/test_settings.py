"""
Tests for :mod:`pbx.ops.settings`, :mod:`pbx.ops.sections` and :mod:`pbx.ops.strict`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.star_codes import USUAL
from pbx.ops import plan_sections, sections
from pbx.ops.place import INSTALLED, Place
from pbx.ops.settings import Settings, SettingsError, load

SAMPLE = Path(__file__).resolve().parent.parent.parent / "etc" / "config.yml"


class SettingsCase(SynchronousTestCase):
    """
    Configurations written to a file for a test.
    """

    def load(self, text: str, environ: dict[str, str] | None = None, **options: Any) -> Settings:
        """
        Load a configuration from its text.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.path = self.folder / "config.yml"
        self.path.write_text(text, encoding="utf-8")
        return load(self.path, environ or {}, **options)

    def mistakes(self, text: str, environ: dict[str, str] | None = None) -> list[str]:
        """
        The lines that say what is wrong with a text.
        """
        error = self.assertRaises(SettingsError, self.load, text, environ)
        return [line.strip() for line in str(error).splitlines()[1:]]


class SampleTests(SettingsCase):
    """
    The file that comes with the program.
    """

    def test_is_the_defaults(self) -> None:
        """
        The sample is accepted, and says the same as an empty file.
        """
        text = SAMPLE.read_text(encoding="utf-8")
        sample, empty = self.load(text), self.load("")
        for name in (
            "server", "api", "database", "logging", "voicemail", "star_codes", "sip_trunks", "plan", "alerts",
            "security", "media", "blf",
        ):
            self.assertEqual(getattr(sample, name), getattr(empty, name), name)
        self.assertEqual((sample.registration, sample.manhole), (empty.registration, empty.manhole))

    def test_star_codes(self) -> None:
        """
        The codes are those of the dialplan, whose every feature can be given another, or none.
        """
        self.assertEqual(self.load("").star_codes, USUAL)
        changed = self.load("star_codes: {dnd_on: '#1', dnd_off: null}").star_codes
        self.assertEqual((changed["#1"], set(USUAL) - set(changed)), ("dnd_on", {"*78", "*79"}))
        for code in ("78", "'*7a'", "''", "'*12345678'"):
            self.assertEqual(len(self.mistakes(f"star_codes: {{dnd_on: {code}}}")), 1, code)

    def test_names_every_key(self) -> None:
        """
        Every key that is known stands in the sample, each section's keys with a comment above or beside.
        """

        def missing(struct: type[msgspec.Struct], given: dict[str, Any], path: str) -> list[str]:
            found = []
            for field in msgspec.structs.fields(struct):
                if field.encode_name not in given:
                    found.append(path + field.encode_name)
                elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                    found += missing(field.type, given[field.encode_name], f"{path}{field.encode_name}.")
            return found

        text = SAMPLE.read_text(encoding="utf-8")
        self.assertEqual(missing(sections.Configuration, yaml.safe_load(text), ""), [])
        commented = set(re.findall(r"^ *#   (\w+):", text, re.MULTILINE))
        structs = (
            plan_sections.Trunk, plan_sections.OutboundRoute, plan_sections.InboundRoute, plan_sections.TimeCondition,
            plan_sections.Location, sections.Manhole,
        )
        self.assertEqual(commented, {field.encode_name for each in structs for field in msgspec.structs.fields(each)})


class PathTests(SettingsCase):
    """
    Where files end up.
    """

    def test_installed(self) -> None:
        """
        An installed exchange uses the machine's folders.
        """
        settings = self.load("", where=INSTALLED)
        self.assertEqual(settings.data, Path("/var/lib/pbx"))
        self.assertEqual(settings.log_file, Path("/var/log/pbx/pbx.log"))
        self.assertEqual(settings.cert_file, Path("/var/lib/pbx/ssl/pbx.crt"))
        self.assertTrue(settings.own_certificate)

    def test_checkout(self) -> None:
        """
        From a checkout the log lies in the data directory, also when the command line names another.
        """
        where = Place(Path("/src/etc/config.yml"), Path("/src/var"), None)
        self.assertEqual(self.load("", where=where).log_file, Path("/src/var/log/pbx.log"))
        settings = self.load("paths: {data: /elsewhere}", where=where, data=Path("/data"))
        self.assertEqual((settings.data, settings.log_file), (Path("/data"), Path("/data/log/pbx.log")))

    def test_relative(self) -> None:
        """
        A relative path starts at the folder of the file.
        """
        settings = self.load("paths: {data: here}\napi: {ssl: {cert_file: a.crt, key_file: a.key}}")
        self.assertEqual(settings.data, self.folder / "here")
        self.assertEqual((settings.cert_file, settings.key_file), (self.folder / "a.crt", self.folder / "a.key"))
        self.assertFalse(settings.own_certificate)

    def test_hosts(self) -> None:
        """
        One address or a list of addresses is a list of addresses.
        """
        self.assertEqual(self.load("server: {sip_host: '::1'}").sip_hosts, ("::1",))
        self.assertEqual(self.load("server: {sip_host: [127.0.0.1, '::1']}").sip_hosts, ("127.0.0.1", "::1"))


class MistakeTests(SettingsCase):
    """
    Files that are refused.
    """

    def test_all_at_once(self) -> None:
        """
        Every mistake is listed with its line, its key, what was found, and what is allowed.
        """
        text = (
            "server:\n"
            "  sip_prot: 5060\n"
            "  sip_port: '5060'\n"
            "  external_ip: example.org\n"
            "api:\n"
            "  port: 99999\n"
            "voicemail: 30\n"
            "sip_trunks:\n"
            "  - name: A\n"
            "    enabled: maybe\n"
            "colour: red\n"
        )
        self.assertEqual(
            sorted(self.mistakes(text)),
            [
                "line 10, sip_trunks[0].enabled: found 'maybe'; allowed is true or false",
                "line 11, colour: unknown key; known here: alerts, api, blf, database, emergency, "
                "inbound_routes, limits, logging, manhole, media, outbound_routes, paths, registration, security, "
                "server, sip_trunks, site, star_codes, time_conditions, voicemail",
                "line 2, server.sip_prot: unknown key; did you mean sip_port?",
                "line 3, server.sip_port: found '5060'; allowed is a port, 1 to 65535",
                "line 4, server.external_ip: found 'example.org'; 'example.org' does not appear to be an IPv4 or "
                "IPv6 address; allowed is an IPv4 or IPv6 address, stun:HOST or stun:HOST:PORT, a list of up to 8 of "
                "the latter, or null",
                "line 6, api.port: found 99999; allowed is a port, 1 to 65535",
                "line 7, voicemail: found 30; allowed is a section with keys",
                "line 9, sip_trunks[0].host: missing; needed is a host name or an address",
            ],
        )

    def test_choices(self) -> None:
        """
        A key with a few words lists them.
        """
        self.assertEqual(
            self.mistakes("logging: {level: verbose}\nsecurity: {digest_algorithms: [SHA1]}"),
            [
                "line 1, logging.level: found 'verbose'; allowed is one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
                "line 2, security.digest_algorithms: found ['SHA1']; allowed is a list of MD5 and SHA-256, the "
                "preferred first",
            ],
        )

    def test_quotes(self) -> None:
        """
        What YAML takes for something else than the text that it should be is said to need quotes, in lists as well.
        """
        text = (
            "site: {country: NO, area_code: 30}\n"
            "sip_trunks: [{name: A, host: a, srtp: off, dids: [+493012345], password: 4711}]\n"
            "time_conditions: [{name: O, holidays: [{date: 2026-12-24}], switch: 1, hours: [{start: 17:30}]}]\n"
            "emergency: {numbers: [112, '110']}\n"
            "logging: {level: [{a: 1}]}\n"
            "server: {sip_port: true}\n"
        )
        found = [re.sub(r"^line \d+, (.*); allowed is .*", r"\1", line) for line in self.mistakes(text)]
        self.assertEqual(sorted(found), [
            "emergency.numbers: found [112, '110']; it needs quotes",
            "logging.level: found a list",
            "server.sip_port: found true",
            "sip_trunks[0].dids: found [493012345]; it needs quotes",
            "sip_trunks[0].password: found a secret that is not shown; it needs quotes",
            "sip_trunks[0].srtp: found false; it needs quotes",
            "site.area_code: found 30; it needs quotes",
            "site.country: found false; it needs quotes",
            "time_conditions[0].holidays[0].date: found 2026-12-24; it needs quotes",
            "time_conditions[0].hours[0].start: found 1050; it needs quotes",
            "time_conditions[0].switch: found 1; it needs quotes",
        ])

    def test_contradictions(self) -> None:
        """
        Keys that contradict each other are mistakes too.
        """
        text = (
            "server: {rtp_port_range_start: 20000, rtp_port_range_end: 10000, sip_tls_port: 8080}\n"
            "api: {ssl: {cert_file: a.crt}}\n"
            "registration: {min_expires: 600, max_expires: 60}\n"
            "star_codes: {dnd_on: '*72', dnd_off: null, block: null}\n"
            "sip_trunks: [{name: A, host: a}, {name: A, host: b}]\n"
        )
        keys = [re.sub(r"^line \d+, ([^:]*):.*", r"\1", line) for line in self.mistakes(text)]
        self.assertEqual(
            keys,
            [
                "server.rtp_port_range_end", "api.ssl", "registration.min_expires", "api.port", "star_codes.dnd_on",
                "sip_trunks[1].name",
            ],
        )

    def test_contradictions_beside_mistakes(self) -> None:
        """
        What contradicts itself is told together with keys that are wrong; what depends on one of those is not.
        """
        text = (
            "server: {sip_port: many, sip_tls_port: 8080, rtp_port_range_start: x}\n"
            "registration: {min_expires: 600, max_expires: 60, colour: red}\n"
            "star_codes: {dnd_on: 72, block: '*78', unblock: '*78', dnd_off: null}\n"
            "site: {country: UK, area_code: '030'}\n"
            "sip_trunks:\n"
            "- {name: A, host: 'a b', srtp: required, transport: udp}\n"
            "- {name: A, host: b, username: u, password: '${GONE}'}\n"
            "- {name: [], host: b, username: u, priority: first}\n"
            "- {name: A, host: c, srtp: required, transport: pigeon}\n"
            "- {name: A}\n"
            "inbound_routes:\n"
            "- {name: A, destination: {kind: external, target: '+4930'}, classes: [dear], closed: {kind: menu}}\n"
            "- {name: B, destination: {kind: moon}, time: 1, closed: {kind: queue}}\n"
            "- A\n"
            "time_conditions: [{name: o, switch: '1'}, {name: p, switch: x}, {name: o, switch: '1', zone: Moon}]\n"
            "emergency: {location: Yard, numbers: 112, locations: [{name: Hall, civic: {town: Berlin}, subnets: x}]}\n"
        )
        keys = [re.sub(r"^(?:line \d+, )?([^:]*):.*", r"\1", line) for line in self.mistakes(text)]
        wrong = [
            "server.sip_port", "server.rtp_port_range_start", "registration.colour", "star_codes.dnd_on",
            "site.country", "sip_trunks[0].host", "sip_trunks[1].password", "sip_trunks[2].name",
            "sip_trunks[2].priority", "sip_trunks[3].transport", "sip_trunks[4].host", "inbound_routes[0].classes",
            "inbound_routes[1].destination.kind", "inbound_routes[1].time", "inbound_routes[2]",
            "time_conditions[1].switch", "time_conditions[2].zone", "emergency.numbers",
            "emergency.locations[0].subnets",
        ]
        contrary = [
            "registration.min_expires", "api.port", "star_codes.unblock",
            "sip_trunks[1].name", "sip_trunks[3].name", "sip_trunks[4].name", "time_conditions[2].name",
            "sip_trunks[0].srtp", "sip_trunks[2].password", "time_conditions[2].switch",
            "inbound_routes[0].closed", "inbound_routes[0].closed.target", "inbound_routes[1].closed.target",
            "emergency.locations[0].civic.town", "emergency.location",
        ]
        self.assertEqual(sorted(keys), sorted(wrong + contrary))

    def test_references_to_what_is_broken(self) -> None:
        """
        Whether something is there can't be told where the name of one is wrong, or the list of them.
        """
        for places in ("[{name: [], civic: {}}]", "none"):
            keys = self.mistakes(f"emergency: {{location: Yard, locations: {places}}}")
            self.assertEqual(len(keys), 1, keys)
            self.assertIn("emergency.locations", keys[0])
        for section in (
            "server", "api", "registration", "star_codes", "site", "security", "sip_trunks", "outbound_routes",
            "inbound_routes", "time_conditions", "emergency", "limits", "manhole",
        ):
            (told,) = self.mistakes(f"{section}: 1")
            self.assertIn(f"line 1, {section}: found 1", told)

    def test_destinations(self) -> None:
        """
        A way in must lead somewhere: to a number, and beyond the house only to what its callers may be led to.
        """
        route = "inbound_routes: [{{name: A, destination: {}}}]"
        for right in (
            "{kind: hangup}", "{kind: extension, target: '1'}", "{kind: external, target: '+49301'}, classes: [local]",
        ):
            self.load(route.format(right))
        for wrong, mistake in (
            ("{kind: ring_group}", "destination.target: missing; needed is which ring group"),
            ("{kind: external, target: Anna}, classes: [local]", "destination.target: needed is a number as an"),
            ("{kind: external, target: '+49301'}", "classes: missing; needed is what callers may be led to"),
            ("{kind: hangup}, closed: {kind: menu}, time: o", "closed.target: missing; needed is which menu"),
        ):
            (told,) = self.mistakes(route.format(wrong))
            self.assertIn(f"line 1, inbound_routes[0].{mistake}", told)

    def test_site(self) -> None:
        """
        A country is one whose numbers are known, and an area code stands without what is dialled before it at home.
        """
        for right in ("DE, area_code: '30'", "IT, area_code: '02'", "RU, area_code: '812'", "US, area_code: '212'"):
            self.load(f"site: {{country: {right}}}")
        for wrong, mistake in (
            ("UK", "country: found 'UK'; there is no such country; allowed is two letters such as US, DE or GB"),
            ("DE, area_code: '030'", "area_code: found '030'; allowed is an area code without the 0 in front"),
            ("US, area_code: '1212'", "area_code: found '1212'; allowed is an area code without the 1 in front"),
        ):
            (told,) = self.mistakes(f"site: {{country: {wrong}}}")
            self.assertIn(f"line 1, site.{mistake}", told)

    def test_hosts(self) -> None:
        """
        Whoever writes a port behind a provider's host is told where it belongs.
        """
        (told,) = self.mistakes("sip_trunks: [{name: A, host: 'sip.example.com:5080'}]")
        self.assertEqual(
            told,
            "line 1, sip_trunks[0].host: found 'sip.example.com:5080'; the port has a key of its own, and"
            " sip: is left out; allowed is a host name or an address",
        )

    def test_account_without_a_password(self) -> None:
        """
        A trunk that registers has a password; one that is known by its address, or is not used, may have none.
        """
        trunk = "sip_trunks: [{{name: A, host: a, username: u{}}}]\n"
        (told,) = self.mistakes(trunk.format(""))
        self.assertEqual(
            told, "line 1, sip_trunks[0].password: missing; needed is the account's, or register: false"
        )
        for more in (", password: p", ", register: false", ", enabled: false"):
            self.load(trunk.format(more))

    def test_keys_in_clear(self) -> None:
        """
        Encrypted audio that a trunk must have can't come without TLS, unless its keys may be read on the way.
        """
        trunk = "sip_trunks: [{{name: A, host: a, srtp: {}, transport: {}}}]\n"
        (told,) = self.mistakes(trunk.format("required", "udp"))
        self.assertEqual(
            told, "line 1, sip_trunks[0].srtp: found 'required' over udp, where anyone on the way can read the keys;"
            " needed is transport: tls",
        )
        for srtp, transport in (("required", "tls"), ("required", "null"), ("offered", "tcp")):
            self.load(trunk.format(srtp, transport))
        self.load(trunk.format("required", "tcp") + "security: {allow_srtp_without_tls: true}\n")

    def test_addresses(self) -> None:
        """
        The place of a phone is made of what RFC 5139 knows: help must not have to guess.
        """
        place = "emergency: {{locations: [{{name: Yard, civic: {{{civic}}}}}]}}"
        self.assertEqual(self.load(place.format(civic="country: DE, A3: Berlin, ROOM: '2'")).plan.emergency.locations[0]
                         .civic["ROOM"], "2")
        for civic in ("town: Berlin", "country: Germany", "country: de"):
            (mistake,) = self.mistakes(place.format(civic=civic))
            self.assertIn(f"emergency.locations[0].civic.{civic.partition(':')[0]}", mistake)

    def test_twice(self) -> None:
        """
        A key that stands twice is a mistake, where YAML would take the last.
        """
        mistakes = self.mistakes("server:\n  sip_port: 5060\n  sip_port: 5070\n")
        self.assertEqual(mistakes, ["line 2, server.sip_port: stands here twice, again in line 3"])

    def test_not_yaml(self) -> None:
        """
        What is no YAML, no mapping, or not there at all is told from one another.
        """
        self.assertIn("is not YAML", self.mistakes("server: [")[0])
        self.assertIn("found undefined alias 'where'", self.mistakes("server: *where")[0])
        self.assertIn("allowed is a section with keys", self.mistakes("- a\n")[0])
        self.assertIn("cannot be read", str(self.assertRaises(SettingsError, load, Path("/nowhere/c.yml"), {})))


class SecretTests(SettingsCase):
    """
    Passwords in the configuration.
    """

    TRUNK = "sip_trunks: [{{name: A, host: a, password: '{}'}}]"

    def test_elsewhere(self) -> None:
        """
        A secret comes from the environment or from a file.
        """
        settings = self.load(self.TRUNK.format("${TRUNK}"), {"TRUNK": "s3cret"})
        self.assertEqual(settings.sip_trunks[0].password, "s3cret")
        secret = Path(self.mktemp()).absolute()
        secret.write_text("from a file\n", encoding="utf-8")
        self.assertEqual(self.load(self.TRUNK.format(f"file:{secret}")).sip_trunks[0].password, "from a file")

    def test_not_there(self) -> None:
        """
        A variable or a file that is not there is a mistake of that key.
        """
        [mistake] = self.mistakes(self.TRUNK.format("${TRUNK}"))
        self.assertTrue(mistake.startswith("line 1, sip_trunks[0].password: found a secret"), mistake)
        self.assertIn("the environment has no TRUNK", mistake)
        [mistake] = self.mistakes("database: {url: 'file:/nowhere/dsn'}")
        self.assertIn("/nowhere/dsn", mistake)

    def test_never_shown(self) -> None:
        """
        Neither the settings' representation nor a mistake shows a secret.
        """
        text = "database: {url: 'postgresql://u:hidden1@h/d'}\n" + self.TRUNK.format("hidden2")
        settings = self.load(text)
        self.assertNotIn("hidden", repr(settings) + repr(settings.sip_trunks) + repr(settings.database))
        self.assertNotIn("hidden", str(self.mistakes("database: {url: 'mysql://u:hidden@h/d'}")))
        self.assertNotIn("hidden", str(self.mistakes("sip_trunks: [{name: A, host: b, password: [hidden]}]")))
