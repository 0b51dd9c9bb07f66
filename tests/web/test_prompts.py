"""
Tests for :mod:`pbx.web.prompts` and :mod:`pbx.web.music`, over files.
"""

from __future__ import annotations

import errno
import io
from typing import Any

import soundfile

from pbx.features import prompts as prompts_module
from pbx.features.speech import SpeechFailedError
from pbx.web.music import Music
from pbx.web.prompts import PromptsResource
from tests.features.test_prompts import SECOND, TWO_SECONDS, ShippedCase
from tests.web.client import Answer, Client, FakeAudit

WAV = {"Content-Type": "audio/wav"}


class FilesCase(ShippedCase):
    """
    The two resources.
    """

    def setUp(self) -> None:
        super().setUp()
        self.audit = FakeAudit()
        resources = PromptsResource(self.prompts, self.audit), Music(self.music, self.audit)
        self.client = Client([route for resource in resources for route in resource.routes()])

    def ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> Answer:
        """
        An answer.
        """
        return self.client.ask(method, path, body, headers)


class PromptsTests(FilesCase):
    """
    ``/api/prompts``.
    """

    def test_list(self) -> None:
        """
        The prompts of a language are listed, English when none is named, with what they say.
        """
        answer = self.ask("GET", "/api/prompts").json
        self.assertEqual((answer["languages"], answer["language"], answer["can_speak"]), (["en"], "en", True))
        first = answer["prompts"][0]
        self.assertEqual(
            {key: first[key] for key in ("language", "name", "text", "own", "shipped", "seconds")},
            {"language": "en", "name": "bye", "text": "Goodbye.", "own": False, "shipped": True, "seconds": 0.5},
        )
        answer = self.ask("GET", "/api/prompts?language=../..").json
        self.assertEqual((answer["prompts"], answer["can_speak"]), ([], False))

    def test_recording(self) -> None:
        """
        A recording is sent, heard, replaced and deleted; the audit knows by whom.
        """
        answer = self.ask("PUT", "/api/prompts/en/hello", SECOND, WAV)
        self.assertEqual((answer.status, answer.json["seconds"], answer.json["own"]), (201, 1.0, True))
        self.assertEqual(answer.headers["location"], "/api/prompts/en/hello")
        # The way of curl --data-binary, which says that it is a form.
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assertEqual(self.ask("PUT", "/api/prompts/en/hello", TWO_SECONDS, form).status, 200)
        answer = self.ask("GET", "/api/prompts/en/hello")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "audio/flac"))
        self.assertApproximates(soundfile.info(io.BytesIO(answer.content)).duration, 2, 0.1)
        self.assertEqual(self.ask("DELETE", "/api/prompts/en/hello").status, 204)
        self.assertApproximates(
            soundfile.info(io.BytesIO(self.ask("GET", "/api/prompts/en/hello").content)).duration, 0.5, 0.01
        )
        self.assertEqual([row[:3] for row in self.audit.rows], [
            ("local:root", "add", "prompt en/hello"),
            ("local:root", "change", "prompt en/hello"),
            ("local:root", "remove", "prompt en/hello"),
        ])  # fmt: skip

    def test_text(self) -> None:
        """
        A text is spoken.
        """
        answer = self.ask("PUT", "/api/prompts/en/closed", {"text": "We are closed."})
        self.assertEqual((answer.status, answer.json["text"], answer.json["seconds"]), (201, "We are closed.", 3.0))
        for text in ("", "x" * 1001, "two\nlines", 5):
            answer = self.ask("PUT", "/api/prompts/en/closed", {"text": text})
            self.assertEqual((answer.status, answer.json["field"]), (422, "text"))

    def test_no_voice(self) -> None:
        """
        Where no voice is, what is missing is told; when it fails, that it did.
        """
        answer = self.ask("PUT", "/api/prompts/de/zu", {"text": "Geschlossen"})
        self.assertEqual((answer.status, answer.json["detail"]), (501, "no de"))

        async def fails(*arguments: Any) -> None:
            raise SpeechFailedError("It crashed.")

        self.patch(self.prompts._speech, "speak", fails)
        answer = self.ask("PUT", "/api/prompts/en/zu", {"text": "Closed"})
        self.assertEqual((answer.status, answer.json["detail"]), (502, "It crashed. The log says more."))

    def test_refused(self) -> None:
        """
        What is no sound is refused with the reason; so is a name that cannot be, and one prompt too many.
        """
        answer = self.ask("PUT", "/api/prompts/en/hello", b"junk", WAV)
        self.assertEqual((answer.status, answer.json["field"]), (422, "body"))
        self.assertIn("no sound file", answer.json["errors"][0]["detail"])
        for path in ("en/UPPER", "english/hello", "en/.hidden", "en/..%2Fhello"):
            self.assertEqual(self.ask("PUT", f"/api/prompts/{path}", SECOND, WAV).status, 404, path)
        self.patch(prompts_module, "MOST", 0)
        self.assertEqual(self.ask("PUT", "/api/prompts/en/hello", SECOND, WAV).status, 409)
        self.assertFalse(self.data.exists())
        self.assertEqual(self.audit.rows, [])

    def test_disk_full(self) -> None:
        """
        A full disk is told as such.
        """

        def full(*arguments: Any, **named: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(prompts_module, "convert", full)
        answer = self.ask("PUT", "/api/prompts/en/hello", SECOND, WAV)
        self.assertEqual((answer.status, answer.json["detail"]), (507, "It cannot be kept: No space left on device."))

    def test_shipped(self) -> None:
        """
        What came with the program can be heard and not deleted; what is not there is 404.
        """
        self.assertEqual(self.ask("GET", "/api/prompts/en/bye").status, 200)
        self.assertEqual(self.ask("DELETE", "/api/prompts/en/bye").status, 409)
        for method in ("GET", "DELETE"):
            self.assertEqual(self.ask(method, "/api/prompts/en/other").status, 404)


class MusicTests(FilesCase):
    """
    ``/api/music``.
    """

    def test_music(self) -> None:
        """
        Pieces are sent, listed, heard and deleted.
        """
        answer = self.ask("GET", "/api/music").json["classes"]
        self.assertEqual([(each["name"], len(each["files"])) for each in answer], [("default", 1)])
        self.assertFalse(answer[0]["files"][0]["own"])
        answer = self.ask("PUT", "/api/music/sales/waltz", TWO_SECONDS, {"Content-Type": "audio/ogg"})
        self.assertEqual((answer.status, answer.json["name"], answer.json["seconds"]), (201, "waltz", 2.0))
        self.assertEqual(self.ask("PUT", "/api/music/sales/waltz", SECOND, WAV).json["seconds"], 1.0)
        answer = self.ask("GET", "/api/music/sales/waltz")
        self.assertApproximates(soundfile.info(io.BytesIO(answer.content)).duration, 1, 0.01)
        self.assertEqual(self.ask("GET", "/api/music").json["classes"][1]["files"][0]["name"], "waltz")
        self.assertEqual(self.ask("DELETE", "/api/music/sales/waltz").status, 204)
        self.assertEqual(self.ask("GET", "/api/music/sales/waltz").status, 404)
        self.assertEqual([row[1:3] for row in self.audit.rows], [
            ("add", "music sales/waltz"), ("change", "music sales/waltz"), ("remove", "music sales/waltz"),
        ])  # fmt: skip

    def test_refused(self) -> None:
        """
        What is no sound, no name, or not the operator's is refused.
        """
        self.assertEqual(self.ask("PUT", "/api/music/sales/waltz", b"junk", WAV).status, 422)
        self.assertEqual(self.ask("PUT", "/api/music/sales/waltz", {"text": "la"}).status, 422)
        self.assertEqual(self.ask("PUT", "/api/music/Sales/waltz", SECOND, WAV).status, 404)
        self.assertEqual(self.ask("DELETE", "/api/music/default/default").status, 409)
        self.assertEqual(self.ask("DELETE", "/api/music/default/other").status, 404)

    def test_by_hand(self) -> None:
        """
        A file that was put there by hand is heard and deleted by its name, as what it is.
        """
        folder = self.data / "music" / "jazz"
        folder.mkdir(parents=True)
        (folder / 'Ta"ke 5.ogg').write_bytes(TWO_SECONDS)
        answer = self.ask("GET", "/api/music/jazz/Ta%22ke%205")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "audio/ogg"))
        self.assertEqual(answer.headers["content-disposition"], 'inline; filename="Ta_ke 5.ogg"')
        self.assertEqual(self.ask("DELETE", "/api/music/jazz/Ta%22ke%205").status, 204)
