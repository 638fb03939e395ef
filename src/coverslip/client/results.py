"""Results as tables: the full table of a run from the vault, checked, and the summary on its record.

Rules kept here: a table is returned only if its bytes are those recorded and the hashes of its rows give the
recorded root; what it stands on (record, hash, method, units) goes with it in ``attrs``. Exact decimal text
becomes a float64 column unless exact text is asked for.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coverslip.client.errors import broken, misuse
from coverslip.client.extra import need
from coverslip.client.files import BLOCK_BYTES, same_file
from coverslip.client.records import Records, segment
from coverslip.client.transport import Transport
from coverslip.client.values import Json
from coverslip.ledger import canonical
from coverslip.ledger.files import ChunkTree
from coverslip.ledger.tree import leaf_hash, root_of

if TYPE_CHECKING:
    import pandas as pd

_UNITS = {"px": "px", "um": "um", "um2": "um2", "nm": "nm", "ms": "ms", "s": "s"}
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")


def full_table(transport: Transport, records: Records, number: str, *, exact: bool = False) -> pd.DataFrame:
    """Return every row of a run's or a result set's table, in the order of the table.

    Columns of whole numbers are int64, of other numbers float64 (text as recorded with ``exact``), others
    text. ``attrs`` has ``record``, ``version``, ``leaf_hash``, ``state``, ``run``, ``method``, ``algorithm``,
    ``parameters``, ``file``, ``sha256``, ``rows_root`` and ``units`` by column, where the name states one.

    Raises ``EvidenceError`` for bytes, rows or a count of rows that are not those recorded, ``MisuseError``
    for a record that has no results, or not yet.
    """
    pandas = need("pandas", "results as a table")
    record = result_record(records, number)
    fields = record["fields"]
    value = fields.get("table") or fields["csv"]
    names, rows = _rows(_checked(transport, record, value), str(value["media_type"]))
    _same_rows(record, rows)
    frame: pd.DataFrame = pandas.DataFrame({n: _column(pandas, [r[n] for r in rows], exact) for n in names})
    units = {name: _UNITS[last] for name in names if (last := name.rpartition("_")[2]) in _UNITS}
    frame.attrs.update(_origin(record) | {"file": value["name"], "sha256": value["sha256"], "units": units})
    return frame


def summary_table(records: Records, number: str) -> pd.DataFrame:
    """Return the values on the record of a result set, as they are reviewed and released.

    One row for each position and quantity: ``position``, ``quantity_name``, ``value`` (float64, rounded to
    ``digits``; missing where nothing could be evaluated), ``unit``, ``digits``, ``status``. ``attrs`` as in
    the full table. Raises ``MisuseError`` for a record that has no results, or not yet.
    """
    pandas = need("pandas", "results as a table")
    record = result_record(records, number)
    columns = ("position", "quantity_name", "value", "raw_value", "unit", "digits", "status")
    frame: pd.DataFrame = pandas.DataFrame(
        [{name: row.get(name) for name in columns} for row in record["fields"]["rows"]], columns=columns
    )
    for name in ("value", "raw_value"):
        frame[name] = pandas.to_numeric(frame[name]).astype("float64")
    units = {str(row["quantity_name"]): str(row["unit"]) for row in record["fields"]["rows"]}
    frame.attrs.update(_origin(record) | {"units": units})
    return frame


def result_record(records: Records, number: str) -> Json:
    """Return the result set that a number names: its own, or that of a run."""
    record = records.show(number)
    if record["type"] == "analysis_run":
        link = record["fields"].get("results")
        if link is None:
            raise misuse(str(record["number"]), "a run with results", f"a run that is {record['state']}")
        record = records.show(str(link["number"]))
    if record["type"] != "result_set":
        raise misuse("the record", "an analysis run or a result set", f"{number}, a {record['type_title']}")
    return record


def _origin(record: Mapping[str, Any]) -> Json:
    fields = record["fields"]
    links = {name: reference(fields[name]) for name in ("run", "method", "algorithm", "parameters")}
    return links | {
        "record": record["number"],
        "version": record["version"],
        "state": record["state"],
        "leaf_hash": record["leaf_hash"],
        "rows_root": fields["row_hashes_root"],
    }


def reference(link: Mapping[str, Any]) -> str:
    """Return a link as people say it: ``AM-0001 v1`` where the type has revisions."""
    return f"{link['number']} v{link['revision']}" if "revision" in link else str(link["number"])


def _checked(transport: Transport, record: Json, value: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file of a record, hashed as they arrive."""
    tree, data = ChunkTree(), bytearray()
    path = f"/records/{segment(str(record['number']))}/files/{segment(str(value['name']))}"
    with transport.stream("GET", path) as response:
        for block in response.iter_bytes(BLOCK_BYTES):
            tree.update(block)
            data += block
            if len(data) > value["size"]:
                break
    same_file(str(record["number"]), value, tree.finish().item(str(value["name"])))
    return bytes(data)


def _rows(data: bytes, media_type: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the names of the columns, and the rows as text, which is how they were hashed."""
    if media_type == "text/csv":
        reader = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""))
        return list(reader.fieldnames or ()), list(reader)
    parquet = need("pyarrow.parquet", "reading a result table")
    table = parquet.read_table(io.BytesIO(data))
    rows = [{name: str(item) for name, item in row.items()} for row in table.to_pylist()]
    return list(table.column_names), rows


def _same_rows(record: Json, rows: list[dict[str, str]]) -> None:
    fields, number = record["fields"], str(record["number"])
    count = fields.get("row_count", len(rows))
    if count != len(rows):
        raise broken(number, "number of rows", str(count), str(len(rows)))
    root = root_of([leaf_hash(canonical.encode(row)) for row in rows]).hex()
    if root != fields["row_hashes_root"]:
        raise broken(number, "root of the row hashes", str(fields["row_hashes_root"]), root)


def _column(pandas: Any, values: list[str], exact: bool) -> Any:
    if all(_WHOLE.fullmatch(value) for value in values):
        return pandas.Series([int(value) for value in values], dtype="int64")
    if not exact and all(_NUMBER.fullmatch(value) for value in values):
        return pandas.Series([float(value) for value in values], dtype="float64")
    return pandas.Series(values, dtype="str")
