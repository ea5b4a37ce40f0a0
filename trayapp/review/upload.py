"""What is this?: a picture that somebody drops on the page is looked at and forgotten."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from trayapp.photo import BeartrayError, Verdict

LARGEST_BYTES = 64_000_000
AT_ONCE = 2
A_MINUTE = 60
NAME = "this file"


class Upload:
    """`classify` asks the engine about a file; the file lies in `scratch` only meanwhile."""

    def __init__(
        self,
        classify: Callable[[Path], Verdict],
        scratch: Path,
        largest: int = LARGEST_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._classify, self._scratch, self._largest, self._now = classify, scratch, largest, now
        self._busy = 0
        self._times: deque[float] = deque()
        shutil.rmtree(scratch, ignore_errors=True)  # what one that was killed had to leave

    async def endpoint(self, request: Request) -> Response:
        """POST with the picture's bytes as the body; answers as `beartray classify --json`."""
        if (problem := self._too_large(request) or self._too_many()) is not None:
            return problem
        self._busy += 1
        try:
            self._scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(dir=self._scratch, prefix="look-") as place:
                file = Path(place) / NAME
                if not await self._receive(request, file):
                    return self._refused()
                verdict = await run_in_threadpool(self._classify, file)
        except BeartrayError as error:
            return _problem(503, str(error))
        except ClientDisconnect:
            return _problem(400, "The picture did not arrive.")
        except OSError:
            return _problem(507, "There is no room to look at this picture; free some space.")
        finally:
            self._busy -= 1
        return JSONResponse(verdict.shown())

    async def _receive(self, request: Request, file: Path) -> bool:
        """Whether all of it came, and no more than is allowed."""
        size = 0
        with file.open("xb") as stream:
            async for piece in request.stream():
                size += len(piece)
                if size > self._largest:
                    return False
                stream.write(piece)
        return True

    def _too_large(self, request: Request) -> Response | None:
        length = request.headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) <= self._largest:
            return None
        return self._refused()

    def _refused(self) -> Response:
        limit = f"{self._largest // 1_000_000} MB"
        return _problem(413, f"This file is larger than {limit}; `beartray classify` takes it.")

    def _too_many(self) -> Response | None:
        now = self._now()
        while self._times and self._times[0] < now - 60:
            self._times.popleft()
        if self._busy >= AT_ONCE or len(self._times) >= A_MINUTE:
            return _problem(429, "Too many pictures at once; wait a moment.")
        self._times.append(now)
        return None


def _problem(status: int, words: str) -> Response:
    # What is left of the body is not read; the connection ends instead.
    return JSONResponse({"error": words}, status, headers={"connection": "close"})
