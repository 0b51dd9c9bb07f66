"""
The configuration file as it is written: one frozen struct a section, one field a key, with what each takes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pbx.audio.tones import COUNTRIES, DEFAULT
from pbx.ops.plan_sections import Alerts, Emergency, InboundRoute, Limits, OutboundRoute, Site, TimeCondition, Trunk
from pbx.ops.section import (
    Address,
    Code,
    Days,
    Dialled,
    External,
    HostName,
    Hosts,
    MailAddress,
    NameServers,
    Networks,
    Path,
    Port,
    Seconds,
    Secret,
    Section,
    Text,
)


def _digest_algorithms(values: tuple[str, ...]) -> None:
    if not values:
        raise ValueError("the list is empty")
    if len(set(values)) != len(values):
        raise ValueError("one stands twice")


def _database(value: str) -> None:
    if value != "embedded" and not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("neither")


class Server(Section, frozen=True):
    """
    Where the exchange listens for phones, and how it is called and reached from outside.
    """

    sip_host: Hosts = "0.0.0.0"  # noqa: S104 - phones are elsewhere; the guard and digests protect it
    sip_port: Port = 5060
    sip_tls_port: Port | None = 5061
    external_ip: External = None
    stun_interval: Annotated[int, Meta(ge=30, le=86400, description="whole seconds, 30 to 86400")] = 300
    local_networks: Networks = (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
    rtp_port_range_start: Annotated[int, Meta(ge=1024, le=65534, description="a port, 1024 to 65534")] = 10000
    rtp_port_range_end: Annotated[int, Meta(ge=1025, le=65535, description="a port, 1025 to 65535")] = 20000
    server_name: HostName | None = None
    dns: NameServers = None


class Paths(Section, frozen=True):
    """
    Where files go.
    """

    data: Path = None


class Ssl(Section, frozen=True):
    """
    The certificate of https and of SIP over TLS.
    """

    cert_file: Path = None
    key_file: Path = None


class Api(Section, frozen=True):
    """
    The REST API and the panel.
    """

    host: Address = "0.0.0.0"  # noqa: S104 - the panel is meant to be reached; it asks who one is
    port: Port = 8080
    ssl: Ssl = Ssl()


class Database(Section, frozen=True):
    """
    Where records and extensions are stored.
    """

    url: Annotated[
        str,
        Meta(
            description="embedded, or postgresql://user@host/database (also ${VARIABLE} or file:/path)",
            extra={"check": _database, "secret": True},
        ),
    ] = "embedded"


class Logging(Section, frozen=True):
    """
    The log file.
    """

    file: Path = None
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"


class Smtp(Section, frozen=True):
    """
    The server that takes mail.
    """

    host: Text | None = None
    port: Port = 587
    username: str = ""
    password: Secret = ""
    use_tls: bool = True
    ca_file: Path = None


class Email(Section, frozen=True):
    """
    The mail about voicemail messages.
    """

    from_address: MailAddress | None = None
    from_name: Annotated[str, Meta(pattern=r"^[^\r\n]*\Z", description="text on one line")] = "Voicemail"
    attachment: Literal["wav", "flac", "mp3"] = "wav"
    keep_days: Annotated[int, Meta(ge=1, le=3650, description="whole days, 1 to 3650")] = 90


class Voicemail(Section, frozen=True):
    """
    What happens when nobody answers, and the mailboxes.
    """

    no_answer_timeout: Annotated[int, Meta(ge=5, le=170, description="whole seconds, 5 to 170")] = 30
    max_length: Annotated[int, Meta(ge=10, le=3600, description="whole seconds, 10 to 3600")] = 180
    min_length: Annotated[int, Meta(ge=0, le=30, description="whole seconds, 0 to 30")] = 2
    silence: Annotated[int, Meta(ge=2, le=60, description="whole seconds, 2 to 60")] = 8
    quota: Annotated[int, Meta(ge=1, le=100_000, description="a whole number, 1 to 100000")] = 100
    operator: Dialled | None = None
    retention_days: Days | None = None
    deleted_days: Days = 7
    smtp: Smtp = Smtp()
    email: Email = Email()


class StarCodes(Section, frozen=True):
    """
    What a phone dials to switch something or to reach a service (:mod:`pbx.directory.star_codes`).
    """

    voicemail: Code = "*97"
    voicemail_any: Code = "*98"
    voicemail_of: Code = "*"
    pickup: Code = "**"
    pickup_group: Code = "*8"
    directory: Code = "*411"
    forward_always_on: Code = "*72"
    forward_always_off: Code = "*73"
    forward_busy_on: Code = "*90"
    forward_busy_off: Code = "*91"
    forward_no_answer_on: Code = "*92"
    forward_no_answer_off: Code = "*93"
    forward_unregistered_on: Code = "*94"
    forward_unregistered_off: Code = "*95"
    dnd_on: Code = "*78"
    dnd_off: Code = "*79"
    follow_me_on: Code = "*21"
    follow_me_off: Code = "*22"
    simultaneous_on: Code = "*23"
    simultaneous_off: Code = "*24"
    no_answer_timeout: Code = "*25"
    block: Code = "*60"
    unblock: Code = "*80"
    night_switch: Code = "*28"


class Security(Section, frozen=True):
    """
    How phones prove who they are, and what happens to those that cannot.
    """

    digest_algorithms: Annotated[
        tuple[Literal["MD5", "SHA-256"], ...],
        Meta(description="a list of MD5 and SHA-256, the preferred first", extra={"check": _digest_algorithms}),
    ] = ("MD5",)
    allow_digest_without_qop: bool = False
    allow_srtp_without_tls: bool = False
    allow: Networks = ()
    failures_before_block: Annotated[int, Meta(ge=1, le=1000, description="a whole number, 1 to 1000")] = 10
    failure_window: Seconds = 600
    block_time: Seconds = 900


class Registration(Section, frozen=True):
    """
    For how long phones may register (RFC 3261 10.3).
    """

    min_expires: Seconds = 60
    max_expires: Seconds = 3600
    nat_expires: Seconds = 120


class Media(Section, frozen=True):
    """
    Audio.
    """

    silence_timeout: Seconds = 60
    latch: Literal["normal", "strict"] = "normal"
    tones: Annotated[
        str, Meta(pattern=rf"^({'|'.join(COUNTRIES)})\Z", description=f"a country: {', '.join(COUNTRIES)}")
    ] = DEFAULT
    language: Annotated[
        str, Meta(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8})?\Z", description="a language such as en or pt-br")
    ] = "en"


class Blf(Section, frozen=True):
    """
    The lamps that show who is on the phone.
    """

    unregistered: Literal["idle", "busy"] = "idle"
    max_subscriptions: Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number, 1 to 1000000")] = 20_000


class Manhole(Section, frozen=True):
    """
    The debug shell over SSH.
    """

    authorized_keys: Text
    port: Port = 2222


class Configuration(Section, frozen=True):
    """
    The whole file.
    """

    server: Server = Server()
    paths: Paths = Paths()
    api: Api = Api()
    database: Database = Database()
    logging: Logging = Logging()
    voicemail: Voicemail = Voicemail()
    star_codes: StarCodes = StarCodes()
    site: Site = Site()
    sip_trunks: tuple[Trunk, ...] = ()
    outbound_routes: tuple[OutboundRoute, ...] = ()
    inbound_routes: tuple[InboundRoute, ...] = ()
    time_conditions: tuple[TimeCondition, ...] = ()
    limits: Limits = Limits()
    emergency: Emergency = Emergency()
    alerts: Alerts = Alerts()
    security: Security = Security()
    registration: Registration = Registration()
    media: Media = Media()
    blf: Blf = Blf()
    manhole: Manhole | None = None
