"""Certificates as users make them with ``openssl``."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate."""

    cert: Path
    key: Path


def openssl(*words: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def self_signed(
    folder: Path, name: str = "own", subject: str = "/CN=localhost", *more: str
) -> Certificate:
    """As ``openssl req -x509`` makes it: an authority's, without alternative names."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    openssl("req", "-x509", *_EC, "-keyout", made.key, "-out", made.cert, "-subj", subject, *more)
    return made


def self_signed_of_version_1(
    folder: Path, name: str = "own", subject: str = "/CN=localhost", *, kind: str = "ec"
) -> Certificate:
    """As ``openssl x509 -signkey`` makes it, in many instructions."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    request = folder / f"{name}.csr"
    key = _EC if kind == "ec" else ("-newkey", kind, "-nodes")
    openssl("req", *key, "-keyout", made.key, "-out", request, "-subj", subject)
    openssl("x509", "-req", "-in", request, "-signkey", made.key, "-days", "1", "-out", made.cert)
    return made


def signed(
    folder: Path, authority: Certificate, name: str, subject: str, extensions: str = ""
) -> Certificate:
    """Signed by an authority; without extensions it is of X.509 version 1."""
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    request = folder / f"{name}.csr"
    openssl("req", *_EC, "-keyout", made.key, "-out", request, "-subj", subject)
    by = ("-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial")
    file = folder / f"{name}.ext"
    file.write_text(extensions)
    with_extensions = ("-extfile", file) if extensions else ()
    openssl("x509", "-req", "-in", request, *by, "-days", "1", "-out", made.cert, *with_extensions)
    return made
