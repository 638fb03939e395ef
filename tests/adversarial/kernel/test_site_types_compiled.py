"""What runs of a site's own record type is what its file says, whatever lies beside it."""

from __future__ import annotations

import importlib.util
import os
import py_compile
from pathlib import Path

import pytest

from coverslip.bootstrap.site_types import site_types

SOURCE = '''"""A crate."""
from coverslip.kernel import words as w
TYPE = w.Type(
    name="crate", title="{title}", version=1, purpose="A crate.", number=w.Number("XCR"), gxp="gmp",
    title_field="title", fields={{"title": w.Field(w.Text(), "Title")}}, states=(w.State("open"),),
    create=w.Making(("QA",), "open"), transitions=(), retention=w.Retention("SYS"),
)
'''


@pytest.mark.parametrize("checked", [True, False])
def test_a_compiled_copy_beside_the_file_is_not_what_runs(tmp_path: Path, checked: bool) -> None:
    folder = tmp_path / "types"
    folder.mkdir(mode=0o700)
    path = folder / "crate.py"
    path.write_text(SOURCE.format(title="False"), encoding="utf-8")
    path.chmod(0o600)
    kind = "TIMESTAMP" if checked else "UNCHECKED_HASH"
    mode = py_compile.PycInvalidationMode[kind]
    compiled = Path(importlib.util.cache_from_source(str(path)))
    py_compile.compile(str(path), str(compiled), doraise=True, invalidation_mode=mode)
    stat = path.stat()
    path.write_text(SOURCE.format(title="Truth"), encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert [t.title for t in site_types(folder)] == ["Truth"]
