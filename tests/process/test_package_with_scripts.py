"""A package with scripts as resources: built, installed in a clean environment, and called."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glide_scripts.testing import ValkeyServer

SHOP = Path(__file__).with_name("shop")
LEFT_OUT = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(folder: Path) -> Path:
    """The wheel of the shop."""
    shutil.copytree(SHOP, folder / "shop")
    program = "import flit_core.buildapi as b, sys; print(b.build_wheel(sys.argv[1]))"
    name = run(sys.executable, "-c", program, folder, cwd=folder / "shop").split()[-1]
    return folder / name


def wheel_again(name: str, folder: Path) -> Path:
    """The wheel that an installed package came from, made of what was installed."""
    distribution = importlib.metadata.distribution(name)
    metadata = distribution.read_text("WHEEL")
    assert metadata is not None
    tag = re.findall(r"^Tag: (.*)$", metadata, re.MULTILINE)[0]
    module, site = name.replace("-", "_"), Path(str(distribution.locate_file("")))
    about = f"{module}-{distribution.version}.dist-info"
    files = [
        path.relative_to(site)
        for folder in (module, about)
        for path in sorted((site / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.name not in LEFT_OUT
    ]
    wheel = folder / f"{module}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in files:
            archive.write(site / file, file.as_posix())
        record = [*(file.as_posix() for file in files), f"{about}/RECORD"]
        archive.writestr(f"{about}/RECORD", "".join(f"{path},,\n" for path in record))
    return wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The shop's, and that of the package under test."""
    folder = tmp_path_factory.mktemp("wheels")
    return built(folder), wheel_again("glide-scripts", folder)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, wheels: tuple[Path, Path]) -> Path:
    """The Python of an environment in which nothing is but the package under test."""
    environment = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", wheels[1])
    return python


def bought(place: str) -> list[str]:
    return ["3", "1", "1 left", f"--> {place}/take.lua, in take"]


def test_it_is_imported_from_a_zip(
    clean: Path, wheels: tuple[Path, Path], tmp_path: Path, server: ValkeyServer
) -> None:
    # A wheel is a zip.
    output = run(clean, "-m", "shop", server.url, cwd=tmp_path, PYTHONPATH=str(wheels[0]))
    *lines, place = output.splitlines()
    assert lines == bought("shop/scripts")
    assert place == f"{wheels[0]}/shop/__init__.py"


def test_it_is_installed_from_its_wheel(
    clean: Path, wheels: tuple[Path, Path], tmp_path: Path, server: ValkeyServer
) -> None:
    run(clean, "-m", "pip", "install", "--quiet", "--no-index", wheels[0])
    *lines, place = run(clean, "-m", "shop", server.url, cwd=tmp_path).splitlines()
    assert lines == bought("shop/scripts")
    assert Path(place).is_relative_to(clean.parents[1])
