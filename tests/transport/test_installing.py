"""``install``, and what is said where the library is missing or of another version."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from tests.transport.kinds import LIBRARIES, Kind

from glide_scripts.testing import ValkeyServer


@pytest.mark.parametrize("library", LIBRARIES)
def test_install_replaces_the_librarys_classes_until_it_ends(library: str) -> None:
    own, here = import_module(library), import_module(f"glide_scripts.{library}")
    sync = import_module(f"glide_scripts.{library}.sync")
    name = library.capitalize()
    asynchronous = import_module(f"{library}.asyncio")
    originals = getattr(own, name), getattr(asynchronous, name)
    with here.install() as installed:
        assert getattr(own, name) is getattr(sync, name)
        assert getattr(asynchronous, name) is getattr(here, name)
        assert getattr(asynchronous, f"{name}Cluster") is getattr(here, f"{name}Cluster")
        assert isinstance(own.from_url(f"{library}://localhost"), getattr(sync, name))
        assert isinstance(asynchronous.from_url(f"{library}://localhost"), getattr(here, name))
        assert here.install() is installed
    assert (getattr(own, name), getattr(asynchronous, name)) == originals
    here.install()
    here.uninstall()
    here.uninstall()
    assert (getattr(own, name), getattr(asynchronous, name)) == originals


def test_module_takes_the_place_of_the_librarys(kind: Kind) -> None:
    # All versions have these, and valkey-py has redis-py's names, too.
    names = {
        name
        for name in import_module(f"{kind.library}.asyncio").__all__
        if "Notifications" not in name and name not in {"Subscription", "from_url"}
        if kind.library == "redis" or "Redis" not in name
    }
    assert len(names) > 20
    for name in names:
        own, here = getattr(kind.own, name), getattr(kind.here, name)
        assert here is own or issubclass(here, own), name
        assert name in kind.here.__all__


def test_module_has_the_librarys_submodules_with_this_packages_classes(kind: Kind) -> None:
    here = kind.here
    assert here.exceptions.ConnectionError is kind.exceptions.ConnectionError
    assert here.asyncio is import_module(f"glide_scripts.{kind.library}")
    assert getattr(here.client, kind.name) is getattr(here, kind.name)
    assert here.client.Pipeline is here.Pipeline
    assert here.client.PubSub is import_module(f"{kind.own.__name__}.client").PubSub
    assert here.sentinel.Sentinel is here.Sentinel
    assert getattr(here.cluster, f"{kind.name}Cluster") is getattr(here, f"{kind.name}Cluster")
    assert here.cluster.ClusterNode is import_module(f"{kind.own.__name__}.cluster").ClusterNode
    assert here.lock is import_module(f"{kind.own.__name__}.lock")
    assert here.backoff is import_module(f"{kind.library}.backoff")
    assert here.CredentialProvider is import_module(kind.library).CredentialProvider
    assert here.__version__ == import_module(kind.library).__version__
    with pytest.raises(AttributeError, match=f"module '{here.__name__}' has no attribute 'no_'"):
        _ = here.no_


@pytest.mark.parametrize("library", LIBRARIES)
def test_names_of_submodules_are_imported_in_a_new_process(library: str) -> None:
    name = f"{library.capitalize()}Cluster"
    code = f"""
from glide_scripts.{library}.exceptions import ConnectionError
from glide_scripts.{library}.cluster import ClusterNode, {name}
from glide_scripts.{library} import asyncio, exceptions
import glide_scripts.{library}.sync as sync
assert exceptions.ConnectionError is ConnectionError is sync.exceptions.ConnectionError
assert asyncio.{name} is {name}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_installed_client_of_a_library_serves(server: ValkeyServer) -> None:
    import redis.asyncio

    from glide_scripts.redis import install

    async def main() -> None:
        with install():
            client = redis.asyncio.Redis(host=server.host, port=server.port)
        assert await client.register_script("return 1")() == 1
        await client.aclose()

    asyncio.run(main())


def _import(folder: Path, *, version: str | None) -> str:
    """The last line of what is said at the import, with a redis-py of this version or none."""
    if version is not None:
        package = folder / "redis"
        package.mkdir()
        (package / "__init__.py").write_text(f"__version__ = {version!r}\n")
    code = f"""
import sys
if {version is None}:
    sys.modules["redis"] = None
else:
    sys.path.insert(0, {str(folder)!r})
import glide_scripts.redis
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    return ran.stderr.strip().splitlines()[-1]


def test_missing_library_is_said_in_one_line(tmp_path: Path) -> None:
    assert _import(tmp_path, version=None) == (
        'ModuleNotFoundError: redis-py is not installed: pip install "glide-scripts[redis]"'
    )


@pytest.mark.parametrize("version", ["4.6.0", "9.0.0"])
def test_unsupported_version_is_said_in_one_line(tmp_path: Path, version: str) -> None:
    assert _import(tmp_path, version=version) == (
        f"ImportError: redis-py {version} is not supported, only versions 5 to 8: "
        'pip install "glide-scripts[redis]"'
    )
