from collections.abc import Iterator
from os import PathLike
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy.typing as npt

class SoundFileError(Exception): ...
class SoundFileRuntimeError(SoundFileError, RuntimeError): ...
class LibsndfileError(SoundFileRuntimeError): ...

class SoundFile:
    comment: str
    name: str | PathLike[str] | int | BinaryIO
    samplerate: int
    channels: int
    frames: int
    format: str
    subtype: str
    def __init__(
        self,
        file: str | PathLike[str] | int | BinaryIO,
        mode: str = ...,
        samplerate: int | None = ...,
        channels: int | None = ...,
        subtype: str | None = ...,
        endian: str | None = ...,
        format: str | None = ...,
        closefd: bool = ...,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    def close(self) -> None: ...
    def read(self, frames: int = ..., dtype: str = ..., always_2d: bool = ...) -> npt.NDArray[Any]: ...
    def blocks(
        self, blocksize: int = ..., frames: int = ..., dtype: str = ..., always_2d: bool = ...
    ) -> Iterator[npt.NDArray[Any]]: ...
    def write(self, data: npt.NDArray[Any]) -> None: ...

class _Info:
    samplerate: int
    channels: int
    frames: int
    duration: float
    format: str
    subtype: str

def info(file: str | PathLike[str] | int | BinaryIO) -> _Info: ...
def read(
    file: str | PathLike[str] | int | BinaryIO,
    frames: int = ...,
    start: int = ...,
    stop: int | None = ...,
    dtype: str = ...,
    always_2d: bool = ...,
) -> tuple[npt.NDArray[Any], int]: ...
def write(
    file: str | PathLike[str] | int | BinaryIO,
    data: npt.NDArray[Any],
    samplerate: int,
    subtype: str | None = ...,
    endian: str | None = ...,
    format: str | None = ...,
    *,
    compression_level: float | None = ...,
) -> None: ...
def available_formats() -> dict[str, str]: ...
