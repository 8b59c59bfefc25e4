"""tools/run_tidy.py BUILD SECONDS < FILES: clang-tidy-19 on these files, two at a time, for at most so long.

A finding is an error. Files that the time did not reach are named, and are no error."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

build, seconds = sys.argv[1], float(sys.argv[2])
end = time.monotonic() + seconds
known = {entry["file"] for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text())}
files = [f for f in (line.strip() for line in sys.stdin) if f and str(pathlib.Path(f).resolve()) in known]
files.sort(key=lambda f: pathlib.Path(f).stat().st_mtime, reverse=True)


def check(file):
    left = end - time.monotonic()
    if left <= 0:
        return file, None, ""
    try:
        done = subprocess.run(["clang-tidy-19", "-p", build, "--quiet", file], capture_output=True, text=True,
                              timeout=left, check=False)
    except subprocess.TimeoutExpired:
        return file, None, ""
    return file, done.returncode == 0, done.stdout + done.stderr


with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
    results = list(pool.map(check, files))
bad = [(file, said) for file, good, said in results if good is False]
unreached = [file for file, good, _ in results if good is None]
for file, said in bad:
    print(f"--- {file}\n{said}")
print(f"clang-tidy: {len(results) - len(bad) - len(unreached)} of {len(files)} files clean, {len(bad)} with findings, "
      f"{len(unreached)} not reached in {seconds:.0f} s")
if unreached:
    print("not reached: " + " ".join(unreached))
sys.exit(bool(bad))
