"""Programs that PyInstaller and its like bundle: these tools follow the imports that they see."""

from __future__ import annotations

import subprocess
import sys
from modulefinder import ModuleFinder
from pathlib import Path

import glide_scripts

PROGRAM = """
import sys
import glide_scripts.sync
import glide_scripts.redis.sync
import glide_scripts.valkey.sync

for module in glide_scripts, glide_scripts.sync:
    for name in module.__all__:
        getattr(module, name)
for library in glide_scripts.redis, glide_scripts.valkey:
    library.ClusterPipeline, library.sync.ClusterPipeline
    library.install()
print(*sys.modules, sep="\\n")
"""


def test_what_the_package_imports_is_seen_in_its_code(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    loaded = subprocess.run(
        [sys.executable, program], check=True, capture_output=True, text=True, timeout=90
    ).stdout.split()
    # In a folder of its own: the finder cannot read every package that others need.
    (tmp_path / "glide_scripts").symlink_to(Path(glide_scripts.__file__).parent)
    finder = ModuleFinder([str(tmp_path)])
    finder.run_script(str(program))
    missing = {name for name in loaded if name.startswith("glide_scripts.")} - set(finder.modules)
    assert missing == set()
