"""
A telephone: one baresip 1.0 without sound hardware, told what to do over its JSON socket (module ``ctrl_tcp``).

What it says into a call is a file, what it hears is recorded by the module ``sndfile``. Debian's package
``baresip-core`` has all the modules that are used here.
"""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from numpy.typing import NDArray
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.basic import NetstringReceiver
from twisted.python.failure import Failure

from tests.wire import sound
from tests.wire.ports import free_ports
from tests.wire.process import Child, eventually, reactor

MODULES = "/usr/lib/baresip/modules"

CONFIG = """\
poll_method epoll
sip_listen {host}:{sip_port}
net_interface {host}
sip_cafile {cafile}
sip_certificate {certificate}
call_local_timeout 60
call_max_calls 20
audio_player aubridge,heard
audio_source aufile,{voice}
audio_alert aubridge,bell
ausrc_srate 8000
auplay_srate 8000
rtp_ports {rtp_first}-{rtp_last}
rtcp_mux {rtcp_mux}
rtp_timeout 0
jitter_buffer_delay 2-10
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {recordings}
"""


@frozen
class Account:
    """
    Who a phone is and how it reaches its exchange.

    Attributes:
        user: the extension, also the name it authenticates with.
        server: ``host`` or ``host:port`` of the exchange; the phone itself when it calls peers directly.
        password: for the digest, ``None`` when nobody asks.
        transport: ``udp``, ``tcp`` or ``tls``.
        register: the interval of registration in seconds, 0 for none.
        answer: ``auto`` or ``manual``.
        media_encryption: ``srtp``, ``srtp-mand`` or ``srtp-mandf``; ``None`` sends audio in the clear.
        codecs: offered, in this order.
    """

    user: str
    server: str
    password: str | None = None
    transport: str = "udp"
    register: int = 60
    answer: str = "auto"
    media_encryption: str | None = None
    codecs: str = "PCMU/8000/1,PCMA/8000/1"

    def __str__(self) -> str:
        """
        The line of baresip's file ``accounts``.
        """
        line = f"<sip:{self.user}@{self.server};transport={self.transport}>;regint={self.register}"
        line += f";answermode={self.answer};audio_codecs={self.codecs}"
        if self.password is not None:
            line += f";auth_pass={self.password}"
        if self.media_encryption:
            line += f";mediaenc={self.media_encryption}"
        return line


@frozen
class Event:
    """
    One thing that happened to a phone.

    Attributes:
        type: baresip's word: ``REGISTER_OK``, ``CALL_INCOMING``, ``CALL_ESTABLISHED``, ``CALL_CLOSED`` ...
        param: what it adds to it: the reason of a close, the peer's address of an incoming call.
        fields: everything it said.
    """

    type: str
    param: str
    fields: dict[str, Any]


class Control(NetstringReceiver):
    """
    The JSON socket of one baresip.
    """

    MAX_LENGTH = 1 << 20

    def __init__(self, happened: Callable[[Event], None]) -> None:
        self._happened = happened
        self._answers: dict[str, Deferred[str]] = {}
        self._tokens = itertools.count(1)
        self.gone: Deferred[None] = Deferred()

    def stringReceived(self, string: bytes) -> None:
        """
        Hand an event on, or the answer to the command that asked for it.
        """
        # What a peer wrote is put into the JSON as it came, also when that is no UTF-8.
        fields = json.loads(string.decode("utf-8", "replace"), strict=False)
        if fields.get("event"):
            self._happened(Event(str(fields.get("type")), str(fields.get("param", "")), fields))
            return
        waiting = self._answers.pop(str(fields.get("token")), None)
        if waiting is not None and fields.get("ok"):
            waiting.callback(str(fields.get("data", "")))
        elif waiting is not None:
            waiting.errback(RuntimeError(f"baresip refused: {fields.get('data')}"))

    def command(self, name: str, params: str = "") -> Deferred[str]:
        """
        What baresip answers to a command of its menu.
        """
        token = str(next(self._tokens))
        waiting = self._answers[token] = Deferred()
        self.sendString(json.dumps({"command": name, "params": params, "token": token}).encode())
        return waiting.addTimeout(5, reactor)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fail the commands that were not answered.
        """
        waiting, self._answers = self._answers, {}
        for one in waiting.values():
            one.errback(reason)
        self.gone.callback(None)


class Phone:
    """
    One baresip from start to stop.

    Attributes:
        account: who it is.
        said: the samples of its voice; they last for ``seconds`` of one call.
        events: everything that has happened, oldest first.
        directory: its configuration and its recordings; removed when it stops.
    """

    def __init__(
        self,
        account: Account,
        *,
        voice: int,
        host: str = "127.0.0.1",
        seconds: float = 60.0,
        rtcp_mux: bool = False,
        cafile: Path | None = None,
        inside: Sequence[str] = (),
        connect: Callable[[int], socket.socket] | None = None,
    ) -> None:
        """
        Args:
            account: who it is.
            voice: the seed of :func:`tests.wire.sound.voice`.
            host: the address it listens on.
            seconds: how long its voice lasts.
            rtcp_mux: whether RTCP may share the port of RTP.
            cafile: certificates that may sign the exchange's.
            inside: a command that runs another one elsewhere (``ip netns exec NAME``).
            connect: gives a socket connected to that port of the loopback interface where the phone runs.
        """
        # baresip has room for 128 characters in the path of a recording.
        directory = self.directory = Path(tempfile.mkdtemp(prefix="pbx-phone-"))
        self.account = account
        self.said: NDArray[Any] = sound.voice(voice, seconds)
        self.events: list[Event] = []
        self._waiting: list[tuple[str, Deferred[Event]]] = []
        self._connect = connect or (lambda port: socket.create_connection(("127.0.0.1", port)))
        self._inside = list(inside)
        # baresip listens for TLS one port above the one it was told.
        self.sip_port = free_ports(3, host if not inside else "127.0.0.1")
        self._control_port = self.sip_port + 2
        rtp = free_ports(20, host if not inside else "127.0.0.1")
        sound.write(directory / "voice.wav", self.said)
        config = CONFIG.format(
            host=host,
            sip_port=self.sip_port,
            cafile=cafile or "",
            certificate="",
            voice=directory / "voice.wav",
            rtp_first=rtp,
            rtp_last=rtp + 19,
            rtcp_mux="yes" if rtcp_mux else "no",
            modules=MODULES,
            control_port=self._control_port,
            recordings=directory,
        )
        kept = [line for line in config.splitlines() if len(line.split()) > 1]
        (directory / "config").write_text("\n".join(kept) + "\n")
        # The account comes when its events can be heard: see start.
        (directory / "accounts").write_text("")
        (directory / "contacts").write_text("")

    @property
    def name(self) -> str:
        """
        Its extension.
        """
        return self.account.user

    async def start(self) -> None:
        """
        Run it, until it takes commands.
        """
        self.child = Child([*self._inside, "/usr/bin/baresip", "-f", str(self.directory)])
        await self.child.line("baresip is ready")
        connected = self._connect(self._control_port)
        connected.setblocking(False)
        self.control = Control(self._happened)
        factory = Factory.forProtocol(lambda: self.control)
        protocol: Protocol | None = reactor.adoptStreamConnection(connected.fileno(), socket.AF_INET, factory)
        connected.close()
        if protocol is None:
            raise RuntimeError("the connection to baresip was refused")
        await self.control.command("uanew", str(self.account))

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        for type_, waiting in self._waiting[:]:
            if type_ == event.type:
                self._waiting.remove((type_, waiting))
                waiting.callback(event)

    def event(self, type_: str, within: float = 10, count: int = 1) -> Deferred[Event]:
        """
        The ``count``-th event of this type since the phone was started, past or to come.
        """
        past = [event for event in self.events if event.type == type_]
        if len(past) >= count:
            done: Deferred[Event] = Deferred()
            done.callback(past[count - 1])
            return done

        async def wait() -> Event:
            while True:
                waiting: Deferred[Event] = Deferred()
                entry = (type_, waiting)
                self._waiting.append(entry)
                try:
                    event = await waiting
                finally:
                    if entry in self._waiting:
                        self._waiting.remove(entry)
                if sum(one.type == type_ for one in self.events) >= count:
                    return event

        def late(_: Any, __: float) -> Event:
            seen = ", ".join(f"{event.type} {event.param}" for event in self.events)
            raise TimeoutError(
                f"{self.account.user}: {type_} ({count}) not within {within} s. Seen: {seen}\n{self.child.tail()}"
            )

        return Deferred.fromCoroutine(wait()).addTimeout(within, reactor, onTimeoutCancel=late)

    async def registered(self, within: float = 10) -> Event:
        """
        Wait until the exchange has taken its registration.
        """
        return await self.event("REGISTER_OK", within)

    async def dial(self, number: str) -> None:
        """
        Call an extension, or an address beginning with ``sip:``.
        """
        await self.control.command("dial", number)

    async def accept(self) -> None:
        """
        Answer the call that rings.
        """
        await self.control.command("accept")

    async def hang_up(self) -> None:
        """
        End the call, or refuse the one that rings.
        """
        await self.control.command("hangup")

    async def register_again(self, within: float = 10) -> None:
        """
        Wait until it has registered once more, of its own accord.
        """
        await self.event("REGISTER_OK", within, sum(event.type == "REGISTER_OK" for event in self.events) + 1)

    async def command(self, name: str, params: str = "") -> str:
        """
        The answer to any command of baresip's menu (``hold``, ``resume`` ...).
        """
        return await self.control.command(name, params)

    def sounds(self) -> dict[str, NDArray[Any]]:
        """
        What it has heard so far, by the names of the recordings, one a call.
        """
        return {path.name: sound.read(path) for path in self.recordings()}

    def recordings(self) -> list[Path]:
        """
        What it has heard, one file a call, oldest first.
        """
        return sorted(self.directory.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime_ns)

    def heard(self, said: NDArray[Any], after: float = 0.0) -> sound.Match:
        """
        How well what it heard in its last call agrees with what someone said.

        Args:
            said: the samples of the other's voice.
            after: seconds of the recording to pass over.
        """
        files = self.recordings()
        if not files:
            return sound.Match(0.0, 0.0, 0.0)
        return sound.find(sound.read(files[-1])[int(after * sound.RATE) :], said)

    def heard_seconds(self) -> float:
        """
        How much it has recorded of its last call.
        """
        return len(sound.read(self.recordings()[-1])) / sound.RATE

    async def hears(
        self, said: NDArray[Any], least: float = 0.9, within: float = 10, after: float = 0.0
    ) -> sound.Match:
        """
        The agreement of what it hears with what someone says, once it is good enough.
        """

        async def ask() -> sound.Match | None:
            match = self.heard(said, after)
            return match if match.score >= least and match.seconds >= 2 else None

        try:
            return await eventually(ask, within, "hears", 0.25)
        except TimeoutError:
            heard = self.heard(said, after)
            raise TimeoutError(f"{self.account.user} hears {heard} in {within} s\n{self.child.tail()}")

    async def stop(self) -> int:
        """
        End it (it takes leave of the exchange first), and give its exit status.
        """
        status = await self.child.stop() if hasattr(self, "child") else 0
        shutil.rmtree(self.directory, ignore_errors=True)
        control = getattr(self, "control", None)
        if control is not None:
            await control.gone
        return status
