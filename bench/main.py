"""Runs the benchmarks named on the command line (all without a name), prints one table and one line of JSON.

A benchmark is a module here with run() -> {"rows": [row…], …}; a row says what was measured, for Berth and each
peer, and the goal: {"what", "unit", "berth", "peers": {name: value}, "goal": text, "met": bool or None}.
"""

import importlib
import json
import os
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tests.support import venvs  # noqa: E402

# In the order of issue 3 §10.5.
NAMES = ["spawn", "launcher", "health", "memory", "api", "allocator", "proxy"]
ON_REQUEST = ["faults", "scale", "overload", "fairness", "gpu", "gate", "survive"]  # only when named: what takes long or brings more peers


def number(value):
    if not isinstance(value, (int, float)):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def rows_of(name, result):
    """A module may give finished rows, or a flat mapping of numbers."""
    if "rows" in result:
        return result["rows"]
    return [{"what": f"{name}: {key}", "unit": "", "berth": value, "peers": {}, "goal": "", "met": None}
            for key, value in result.items() if isinstance(value, (int, float))]


def print_table(rows):
    lines = [("what", "Berth", "peers", "goal", "")]
    for row in rows:
        peers = ", ".join(f"{peer} {number(value)}" for peer, value in row["peers"].items())
        met = {True: "met", False: "MISSED", None: ""}[row["met"]]
        unit = f" {row['unit']}" if row["unit"] else ""
        lines.append((row["what"], number(row["berth"]) + unit, peers, row["goal"], met))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    names = sys.argv[1:]
    if names == ["--list"]:
        print("\n".join(NAMES + ON_REQUEST))
        return 0
    if unknown := [name for name in names if name not in NAMES + ON_REQUEST]:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES + ON_REQUEST)}", file=sys.stderr)
        return 2
    if "proxy" in (names or NAMES) and "CHP" not in os.environ:
        os.environ["CHP"] = str(venvs.configurable_http_proxy())
    report, rows, broken = {}, [], False
    for name in names or NAMES:
        began = time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            result = importlib.import_module(f"bench.{name}").run()
            rows += rows_of(name, result)
        except Exception as failure:  # noqa: BLE001 - one broken benchmark must not hide the others
            traceback.print_exc()
            result = {"error": f"{type(failure).__name__}: {failure}"}
            broken = True
        report[name] = {**result, "took_seconds": round(time.monotonic() - began, 1)}
        print(f"{name}: {report[name]['took_seconds']} s", file=sys.stderr, flush=True)
    print_table(rows)
    print(json.dumps(report, default=str))
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
