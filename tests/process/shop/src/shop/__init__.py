"""A small package that ships its scripts, as users' packages do."""

from glide_scripts import Key, Script, ScriptError, ScriptLibrary, typed_script

scripts = ScriptLibrary.from_resource(__name__, "scripts")


@scripts.error("OUT_OF_STOCK")
class OutOfStock(ScriptError):
    """There are fewer than were asked for."""


@typed_script(Script.from_resource(__name__, "scripts/put.lua"))
def put(sku: Key, count: int) -> int:
    """Puts that many into stock, and returns how many there are."""
    raise NotImplementedError
