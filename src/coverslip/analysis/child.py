"""The isolated side of a run: ``python -I -m coverslip.analysis.child JOB_FOLDER``.

Reads ``job.json`` and the planes it names, writes ``result.json``, ``results.csv``,
``results.parquet`` and one label image a field into the folder, and nothing else.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile

from coverslip.analysis import registry
from coverslip.analysis.algorithms.nucleus_count import Field, Limits, Parameters, count_nuclei

COLUMNS = ("image", "label", "area_px", "centroid_y_px", "centroid_x_px", "mean_intensity")
_PLACES = 6


def _parameters(values: dict[str, str]) -> Parameters:
    kinds = {p.name: p.kind for p in registry.NUCLEUS_COUNT.parameters}
    given = {n: int(v) if kinds[n] == "int" else float(v) for n, v in values.items() if n != "channel"}
    return Parameters(**given)  # type: ignore[arg-type]


def _rows(name: str, pixels: Any, field: Field) -> list[dict[str, Any]]:
    """Return one row for each nucleus; floats as decimal text with six places."""
    labels = field.labels
    index = np.arange(1, field.count + 1)
    areas = np.bincount(labels.ravel(), minlength=field.count + 1)[1:]
    plane = pixels if pixels.ndim == 2 else pixels[..., 0]
    y, x = np.indices(labels.shape)
    sums = [
        np.bincount(labels.ravel(), weights=w.ravel().astype(np.float64), minlength=field.count + 1)[1:]
        for w in (y, x, plane)
    ]
    return [
        {
            "image": name,
            "label": int(i),
            "area_px": int(areas[i - 1]),
            **{
                column: f"{s[i - 1] / areas[i - 1]:.{_PLACES}f}"
                for column, s in zip(COLUMNS[3:], sums, strict=True)
            },
        }
        for i in index
    ]


def _system() -> dict[str, Any]:
    cpu = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    return {
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "libc": " ".join(platform.libc_ver()),
        "processor": cpu or platform.machine(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "hash_seed": os.environ.get("PYTHONHASHSEED", ""),
        "locale": os.environ.get("LC_ALL", ""),
        "zone": os.environ.get("TZ", ""),
    }


def run(folder: Path) -> None:
    """Run the job in ``folder``."""
    job = json.loads((folder / "job.json").read_text("utf-8"))
    algorithm = registry.find(job["entry_point"])
    values = algorithm.check(job["parameters"])
    given = _parameters(values)
    rows: list[dict[str, Any]] = []
    fields = []
    for item in job["inputs"]:
        pixels = np.load(folder / item["plane"], allow_pickle=False)
        print(f"{item['image']}: {pixels.shape} {pixels.dtype}", flush=True)
        field = count_nuclei(pixels, given, Limits())
        found = _rows(item["image"], pixels, field) if field.usable else []
        rows += found
        areas = [r["area_px"] for r in found]
        labels = f"labels-{item['image']}.tif"
        tifffile.imwrite(folder / labels, field.labels.astype(np.uint32), compression="zlib", metadata=None)
        fields.append(
            {
                "image": item["image"],
                "usable": field.usable,
                "count": field.count if field.usable else None,
                "median_area_px": float(np.median(areas)) if areas else None,
                "labels": labels,
                "gates": [
                    {
                        "name": g.name,
                        "value": g.value,
                        "limit": g.limit,
                        "passed": g.passed,
                        "sentence": g.sentence,
                    }
                    for g in field.gates
                ],
            }
        )
        print(f"{item['image']}: {field.count if field.usable else 'flagged'}", flush=True)
    _tables(folder, rows)
    result = {
        "fields": fields,
        "rows": len(rows),
        "code_hash": registry.code_hash(),
        "env_digest": registry.env_digest(algorithm.imports),
        "environment": registry.environment(algorithm.imports),
        "system": _system(),
        "parameters": values,
    }
    (folder / "result.json").write_text(json.dumps(result, sort_keys=True), "utf-8")


def _tables(folder: Path, rows: list[dict[str, Any]]) -> None:
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    kinds = [pa.string(), pa.int64(), pa.int64(), pa.string(), pa.string(), pa.string()]
    table = pa.table({c: pa.array([r[c] for r in rows], k) for c, k in zip(COLUMNS, kinds, strict=True)})
    pq.write_table(table, folder / "results.parquet", compression="zstd", store_schema=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
