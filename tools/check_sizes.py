#!/usr/bin/env python3
"""tools/check_sizes.py: fail when a file is longer than its kind may be (style §14); say which come near.

tools/size_allowlist names exceptions, one a line: PATH LIMIT REASON."""
import pathlib
import sys

# kind: (asked about, stops)
LIMITS = {"header": (120, 300), "source": (400, 600), "test": (500, 600), "page": (300, 600), "script": (300, 500)}
FOLDERS = {"src": ("*.cpp", "*.hpp"), "web/src": ("*.ts", "*.tsx", "*.css"), "web/styles": ("*.css",),
           "tests": ("*.py", "*.cpp", "*.hpp"), "bench": ("*.py", "*.cpp"), "tools": ("*",)}


def kind_of(path):
    if path.stem.endswith("_test") or path.name.startswith("test_") or path.name.endswith("_contract_test.hpp"):
        return "test"
    return {".hpp": "header", ".cpp": "source", ".ts": "page", ".tsx": "page", ".css": "page"}.get(path.suffix, "script")


def allowed():
    exceptions = {}
    for row in pathlib.Path("tools/size_allowlist").read_text().splitlines():
        if not row.strip() or row.startswith("#"):
            continue
        path, limit, *reason = row.split(maxsplit=2)
        if not reason:
            sys.exit(f"tools/size_allowlist: {path} has no reason")
        exceptions[path] = int(limit)
    return exceptions


def main():
    exceptions, errors, near = allowed(), [], []
    seen = {path for folder, patterns in FOLDERS.items() for pattern in patterns
            for path in pathlib.Path(folder).rglob(pattern)
            if path.is_file() and "node_modules" not in path.parts and "__pycache__" not in path.parts}
    for path in sorted(seen):
        lines = len(path.read_text(errors="replace").splitlines())
        asked, stops = LIMITS[kind_of(path)]
        stops = exceptions.get(str(path), stops)
        if lines > stops:
            errors.append(f"{path}: {lines} lines, {stops} allowed; split it, or name it in tools/size_allowlist with a reason")
        elif lines > asked and str(path) not in exceptions:
            near.append(f"{path} ({lines})")
    errors += [f"tools/size_allowlist: {path} does not exist" for path in exceptions if not pathlib.Path(path).exists()]
    if near:
        print("longer than aimed at: " + ", ".join(near))
    print("\n".join(errors) if errors else f"sizes: {len(seen)} files within their limits")
    sys.exit(bool(errors))


main()
