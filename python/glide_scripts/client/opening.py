"""How clients are made and opened: from a configuration or a URL to a core, and what ends them."""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, cast, overload

from .. import checks
from .._core import Client as CompiledCore
from .._core import TlsSetup
from ..config.secrets import Hidden
from ..config.setting_names import URL_NAMES, renamed, with_setting_names
from ..config.settings import BaseClientConfiguration
from ..errors import ConfigurationError
from ..forks import notify_of_forks, stop_notifying
from ..importing import import_now
from ..observing.client import Client
from ..observing.observer import Observer
from .after_fork import UnopenedCore, open_core
from .core import Core
from .late_imports import import_explanation, import_url, imported
from .running import running
from .watches import TaskWatches, ThreadWatches, Watches
from .what_runs import is_asyncio, is_trio

# What only some calls need is imported by them: together it would double the package's import.
if TYPE_CHECKING:
    from .addresses import BaseAddressSource
    from .passwords import BasePasswordSource
    from .runtime import Runtime


class Opening(Client):
    """A client as it is made, whatever waits for the replies."""

    _in_cluster = False
    _await = "await "
    """What its calls begin with, for errors."""
    _configuration: ClassVar[type[Any]]
    _warns_if_unclosed = True
    _shown_as: str | None = None
    """What a program has in its place and has to close, for the warning that it did not."""
    _was_left_open = False
    """Whether its run of trio ended before it was closed."""

    @overload
    def __init__(self, config: BaseClientConfiguration, /) -> None: ...

    @overload
    def __init__(self, config: CompiledCore, /) -> None: ...

    # Any arguments, because those of redis-py get an error that says what to use here.
    def __init__(self, *config: CompiledCore | BaseClientConfiguration, **settings: object) -> None:
        """Make a client that connects at its first call, instead of at once as with ``create``.

        This may run before there is an event loop, such as at module level.

        Args:
            config: A configuration with ``lazy_connect=True``.

        Raises:
            TypeError: ``config`` is not a configuration, or has no ``lazy_connect=True``.
            ConfigurationError: ``config`` is for another kind of client, its certificates cannot be
                used, or it has a callback and no event loop runs.
            RuntimeError: An event loop runs, and reading the certificates would block it.
        """
        given = config[0] if len(config) == 1 and not settings else None
        self._password_source: BasePasswordSource | None = None
        self._sources: list[BasePasswordSource | BaseAddressSource] = []
        # GLIDE's attribute. After `update_connection_password` it has the new password.
        self.config: BaseClientConfiguration = cast("Any", None)
        self._unopened: dict[str, Any] | None = None
        """The settings of a core that was not made yet."""
        self._watches: Watches = self._no_watches()
        self._core: Core
        if isinstance(given, CompiledCore):
            self._core = given
        else:
            # A URL or settings of redis-py may have a password, and tracebacks local variables.
            del config, settings
            try:
                self.config = self._checked_lazy(given)
            finally:
                del given
            self._connects_later(self._prepared(self.config))

    def _no_watches(self) -> Watches:
        return ThreadWatches() if self._is_blocking else TaskWatches()

    def _checked_lazy(self, config: object) -> BaseClientConfiguration:
        if not isinstance(config, BaseClientConfiguration) or not config.lazy_connect:
            del config
            kind = type(self).__name__
            made = f"{self._await}{kind}"
            raise TypeError(
                f"make a client with {made}.create(config) or {made}.from_url(url), or with "
                f"{kind}(config) and lazy_connect=True in config"
            )
        return config

    def _prepared(
        self, config: BaseClientConfiguration, *, may_block: bool = False
    ) -> dict[str, Any]:
        """Return the core's settings for a client that connects with its first call.

        Args:
            config: The configuration.
            may_block: Whether certificates are read on an event loop, too.
        """
        settings = self._settings_of(config)
        is_in_loop = self._is_in_loop()
        for part in _parts(settings):
            if part["tls"] is not None:
                if is_in_loop and not may_block:
                    raise RuntimeError(
                        "an event loop runs here, and reading certificates would block it; make "
                        f"the client with await {type(self).__name__}.create(config)"
                    )
                part["tls"] = _tls_setup(part["tls"], {})
        if is_in_loop:
            args = (import_explanation,)
            threading.Thread(target=import_now, args=args, name="glide_scripts").start()
        else:
            self._check_callbacks(settings)
            import_now(import_explanation)
        self._password_source, self._sources = self._sources_of(settings)
        return settings

    def _is_in_loop(self) -> bool:
        return not self._is_blocking and (is_asyncio() or is_trio())

    def _connects_later(self, settings: dict[str, Any]) -> None:
        """Have the core made by the first call: by then, the process may have forked."""
        self._unopened, self._core = settings, UnopenedCore(self)
        notify_of_forks(self)
        if self._is_in_loop():
            # Callbacks are called on the loop that runs here.
            open_core(self._core)

    def _forked(self) -> None:
        # What the parent has prepared may be locked, and what it watches is on its connections.
        self._unopened, self._core = None, UnopenedCore(self)
        self._watches = self._no_watches()

    def _made_core(self) -> CompiledCore:
        # Nobody awaits this, so a child process reads certificates here.
        self._unopened = self._unopened or self._prepared(self.config, may_block=True)
        return CompiledCore.open_unconnected(
            self._unopened, partial(_join_trio_run, weakref.ref(self))
        )

    def _with_observer(self, core: CompiledCore) -> Core:
        settings, self._unopened = self._unopened, None
        if settings is None or settings["observer"] is None:
            return core
        return self._observed(core, settings)

    def _check_callbacks(self, settings: dict[str, Any]) -> None:
        if self._is_blocking:
            return
        for part in _parts(settings):
            for name in ("password_callback", "address_map"):
                if callable(part.get(name)):
                    raise ConfigurationError(
                        f"{name} is called on the event loop on which the client is made, and none "
                        f"runs here; make the client in a coroutine, with await "
                        f"{type(self).__name__}.create(config)"
                    )

    @classmethod
    def _settings_of(cls, config: object) -> dict[str, Any]:
        if not isinstance(config, cls._configuration):
            why = str(checks.wrong_type("config", config, f"a {cls._configuration.__name__}"))
            # It may be a URL with a password, and tracebacks may show local variables.
            del config
            raise ConfigurationError(why)
        settings: dict[str, Any] = cast("Any", config)._settings()
        return {**settings, "blocking": cls._is_blocking}

    @classmethod
    async def _create(cls, config: Any, *, any_runtime: bool = False) -> Self:
        """Connect. A client of ``any_runtime`` belongs to the one where its first call is made."""
        try:
            settings = cls._settings_of(config) | {"any_runtime": any_runtime}
            opening = cls._open(settings, config)
        finally:
            del config
        return await opening

    @classmethod
    async def _from_url(cls, url: str, observer: Observer | None) -> Self:
        await cls._import(import_url)
        from ..config.url import configuration_of, parse_url  # noqa: PLC0415 - saves time at import

        try:
            settings = parse_url(url, cluster=cls._in_cluster)
        finally:
            # Tracebacks may show local variables.
            del url
        config = configuration_of(settings | {"observer": observer}, cluster=cls._in_cluster)
        return await cls._open(with_setting_names(config._settings(), URL_NAMES), config)

    @classmethod
    async def _open(cls, settings: Mapping[str, Any], config: Any = None) -> Self:
        # Now and not at the first error, which would hold the loop for as long as this takes.
        await cls._import(import_explanation)
        settings = {"any_runtime": False, **settings, "blocking": cls._is_blocking}
        for part in _parts(settings):
            if part["tls"] is not None:
                set_up = partial(_tls_setup, part["tls"], dict(settings["setting_names"]))
                part["tls"] = set_up() if cls._is_blocking else await running().in_thread(set_up)
        sources = cls._sources_of(settings)
        if settings["lazy"] and cls._is_blocking and config is not None:
            return cls._unconnected(settings, config, sources)
        core, opened = CompiledCore.open(settings)
        client = cls(core)
        client.config = config
        client._password_source, client._sources = sources
        try:
            await opened
        except BaseException:
            core.abandon()
            raise
        if settings["observer"] is not None:
            client._core = client._observed(core, settings)
        if settings["lazy"] and config is not None:
            notify_of_forks(client)
        if not (cls._is_blocking or settings["any_runtime"]):
            running().closes(client)
        return client

    @classmethod
    def _unconnected(cls, settings: dict[str, Any], config: Any, sources: Any) -> Self:
        client = cls.__new__(cls)
        client.config, client._unopened = config, None
        client._password_source, client._sources = sources
        client._watches = client._no_watches()
        client._connects_later(settings)
        return client

    @classmethod
    def _sources_of(
        cls, settings: dict[str, Any]
    ) -> tuple[BasePasswordSource | None, list[BasePasswordSource | BaseAddressSource]]:
        """Put what the core asks in the place of the settings' callbacks, and return it."""
        of_parts: list[BasePasswordSource | None] = []
        for part in _parts(settings):
            source = None
            if part["password_callback"] is not None:
                from . import passwords  # noqa: PLC0415 - saves time at import

                source = passwords.source(part["password_callback"], cls._is_blocking)
            part["password_callback"] = source
            of_parts.append(source)
        sources: list[BasePasswordSource | BaseAddressSource]
        sources = [source for source in of_parts if source is not None]
        if callable(settings["address_map"]):
            from . import addresses  # noqa: PLC0415 - saves time at import

            mapping = addresses.source(settings["address_map"], cls._is_blocking)
            settings["address_map"] = mapping
            sources.append(mapping)
        return of_parts[0], sources

    def _observed(self, core: CompiledCore, settings: Mapping[str, Any]) -> Core:
        """Return a core that calls the settings' observer for each call."""
        from .observed import ObservedCore  # noqa: PLC0415 - saves time at import

        self._is_observed = True
        return ObservedCore(core, self, settings["observer"], settings)

    @classmethod
    async def _import(cls, do_import: Callable[[], object]) -> None:
        """Import a module, which would hold an event loop for too long."""
        if cls._is_blocking:
            import_now(do_import)
        else:
            await imported(do_import)

    def _run_ended(self) -> None:
        """Close the client, as its run of trio has ended."""
        stop_notifying(self)
        self._was_left_open = not self._core.is_closed
        self._core.abandon()

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            from .advice import no_attribute  # noqa: PLC0415 - only where one is missing

            raise no_attribute(self, name)

        def __getitem__(self, _key):
            name = type(self).__name__
            raise TypeError(f"a {name} has no items; call get(key), set(key, value), delete([key])")

        def __setitem__(self, key, _value):
            self[key]

        def __delitem__(self, key):
            self[key]

    # When the interpreter ends, this module's names may be gone before the client.
    def __del__(self, _unopened: Any = UnopenedCore, _warn: Any = warnings.warn) -> None:
        # Where __init__ failed there is none, and __getattr__ would import advice.
        core = self.__dict__.get("_core")
        if core is None or isinstance(core, _unopened) or not self._warns_if_unclosed:
            return
        if self._was_left_open or not core.is_closed:
            _warn(
                f"{self._shown_as or repr(self)} was never closed; "
                f"use {'async ' if self._await else ''}with, "
                f"or {self._await and 'await its '}{'aclose' if self._shown_as else 'close'}()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

    def __reduce__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(
            f"{name} holds connections and is neither pickled nor copied; pass its configuration "
            f"or URL, and make another one with {self._await}{name}.create(config) or from_url(url)"
        )

    def __repr__(self) -> str:
        # Tracebacks may show local variables, also those of an __init__ that failed.
        core = self.__dict__.get("_core")
        state = "not made" if core is None else "closed" if core.is_closed else "open"
        return f"<{type(self).__name__} {state}>"


def _join_trio_run(client: weakref.ref[Opening], run: Runtime) -> None:
    """Have a client closed at the end of the run of trio that it belongs to from now on."""
    joining = client()
    if joining is not None:
        run.closes(joining)


def _parts(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the settings of the servers, and of the Sentinels if there are any."""
    if settings["sentinel"] is None:
        return [settings]
    settings["sentinel"] = dict(settings["sentinel"])
    return [settings, settings["sentinel"]]


def _tls_setup(settings: Hidden, names: Mapping[str, str]) -> TlsSetup:
    try:
        return TlsSetup(**settings.value)
    except ConfigurationError as error:
        raise ConfigurationError(renamed(str(error), names)) from None
