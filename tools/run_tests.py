"""What ./test does once its own needs are met: build, run every suite, add up, and say it in one last line.

Slow preparations (notebook image, virtual environments) run beside the build. Reports lie in build/reports.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.support import venvs  # noqa: E402

REPORTS = ROOT / "build" / "reports"
SUITES = ["checks", "unit", "property", "conformance", "integration", "matrix", "chaos", "e2e"]
PYTEST_SUITES = ["conformance", "integration", "matrix", "chaos", "e2e"]
CHECKS = {"layers": ["tools/check_layers.py"], "sizes": ["tools/check_sizes.py"], "coroutines": ["tools/lint_coroutines.py"]}
JOBS = os.environ.get("BERTH_JOBS", "2")
PROPERTY = "*Property*"


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, suite, passed, failed, skipped, took):
        self.passed += passed
        self.failed += [f"{suite}: {name}" for name in failed]
        self.skipped += [f"{suite}: {name}" for name in skipped]
        say(f"{suite}: {passed} passed, {len(failed)} failed, {len(skipped)} skipped in {took:.0f} s")


def say(text):
    print(text, flush=True)


def build(preset, targets, tally):
    began = time.monotonic()
    script = f'. tools/packages.sh; build_preset {preset} "$@"'
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script, "build", *targets], cwd=ROOT, check=False)
    say(f"build {preset}: {'done' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s")
    if done.returncode != 0:
        tally.failed.append(f"build: preset {preset} does not build")
    return done.returncode == 0


def test_targets():
    """cmake/room.cmake makes one program <room>_test of a room's *_test.cpp."""
    rooms = sorted({p.relative_to(ROOT / "src").parts[0] for p in (ROOT / "src").rglob("*_test.cpp")})
    return [f"{room}_test" for room in rooms]


def run_checks(tally):
    began = time.monotonic()
    failed = []
    for name, command in CHECKS.items():
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            failed.append(name)
            say(done.stdout + done.stderr)
    tally.add("checks", len(CHECKS) - len(failed), failed, [], time.monotonic() - began)


def run_gtest(binary, name, gtest_filter):
    report = REPORTS / f"{name}.json"
    report.unlink(missing_ok=True)
    environment = {**os.environ, "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
                   "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    if gtest_filter == PROPERTY:  # all million states of the model checker: BERTH_MODEL_STATES=126000 ./test property
        environment.setdefault("BERTH_MODEL_STATES", "20000")
    try:
        done = subprocess.run([str(binary), f"--gtest_output=json:{report}", f"--gtest_filter={gtest_filter}",
                               "--gtest_brief=1"], cwd=binary.parent, capture_output=True, text=True, errors="replace",
                              timeout=900, env=environment, check=False)
        output, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        output, code = str(late), -1
    passed, failed, skipped = 0, [], []
    if report.exists():
        for suite in json.loads(report.read_text())["testsuites"]:
            for case in suite["testsuite"]:
                title = f"{suite['name']}.{case['name']}"
                if case.get("failures"):
                    failed.append(title)
                elif case.get("result") == "SKIPPED":
                    skipped.append(title)
                elif case.get("status") == "RUN":
                    passed += 1
    if code != 0 and not failed:
        failed.append(f"{name} ended with {code}")
    if failed:
        say(f"--- {name}\n{output[-6000:]}")
    return passed, failed, skipped


def run_unit(tally, preset, targets, suite, gtest_filter):
    began = time.monotonic()
    passed, failed, skipped = 0, [], []
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        runs = [pool.submit(run_gtest, ROOT / "build" / preset / "src" / target, f"{suite}-{target}", gtest_filter)
                for target in targets]
        for run in runs:
            good, bad, left = run.result()
            passed, failed, skipped = passed + good, failed + bad, skipped + left
    tally.add(suite, passed, failed, skipped, time.monotonic() - began)


def run_pytest(tally, suite, options):
    began = time.monotonic()
    report = REPORTS / f"{suite}.xml"
    report.unlink(missing_ok=True)
    # Browsers and docker share two cores badly; the other suites gain from a second worker.
    parallel = [] if suite in ("chaos", "e2e") else ["-n", str(max(1, min(2, int(JOBS))))]
    done = subprocess.run([sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", "--rootdir", str(ROOT),
                           f"--junitxml={report}", "-q", *parallel, f"tests/{suite}", *options], cwd=ROOT, check=False)
    passed, failed, skipped = 0, [], []
    if report.exists():
        for case in xml.parse(report).getroot().iter("testcase"):
            title = f"{case.get('classname', '').split('.')[-1]}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(title)
            elif (left := case.find("skipped")) is not None:
                skipped.append(f"{title}: {left.get('message') or left.text or 'no reason given'}")
            else:
                passed += 1
    if done.returncode not in (0, 5) and not failed:
        failed.append(f"pytest ended with {done.returncode}")
    tally.add(suite, passed, failed, skipped, time.monotonic() - began)


def prepare_images():
    began = time.monotonic()
    done = subprocess.run("tests/engine.sh && images/notebook/build.sh", shell=True, cwd=ROOT, capture_output=True,
                          text=True, check=False)
    took = time.monotonic() - began
    return f"engine and notebook image: {'ready' if done.returncode == 0 else 'NOT READY'} after {took:.0f} s\n" + \
        (done.stdout + done.stderr if done.returncode else "")


def prepare_venvs(versions):
    began = time.monotonic()
    for version in versions:
        venvs.jupyterhub(version)
    return f"environments of JupyterHub {', '.join(versions)}: ready after {time.monotonic() - began:.0f} s"


def main():
    arguments = sys.argv[1:]
    wanted = [a for a in arguments if a in SUITES]
    options = [a for a in arguments if a not in SUITES]
    wanted = wanted or SUITES
    REPORTS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    tally = Tally()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        preparing = []
        if {"integration", "e2e"} & set(wanted):
            preparing.append(pool.submit(prepare_images))
        if {"integration", "matrix", "e2e"} & set(wanted):
            versions = list(venvs.JUPYTERHUB_VERSIONS) if "matrix" in wanted else ["6.1.1"]
            preparing.append(pool.submit(prepare_venvs, versions))
        if "checks" in wanted:
            run_checks(tally)
        targets = test_targets()
        runnable = not set(PYTEST_SUITES) & set(wanted) or build("release", ["berth", "standin_nvml", "standin_disk"], tally)
        if "property" in wanted and build("release", ["gpu_test"], tally):
            run_unit(tally, "release", ["gpu_test"], "property", PROPERTY)
        if "unit" in wanted and build("asan", targets, tally):
            run_unit(tally, "asan", targets, "unit", f"-{PROPERTY}")
        for one in preparing:
            try:
                say(one.result())
            except (subprocess.CalledProcessError, OSError) as error:
                say(f"preparation failed: {error}")
    for suite in PYTEST_SUITES:
        if suite in wanted and runnable:
            run_pytest(tally, suite, options)

    say(f"\nall together: {time.monotonic() - began:.0f} s")
    for name in tally.skipped:
        say(f"SKIPPED {name}")
    for name in tally.failed:
        say(f"FAILED  {name}")
    nothing_may_be_left_out = os.environ.get("BERTH_REQUIRE_ALL", "") not in ("", "0") or os.environ.get("CI") == "true"
    say(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")
    sys.exit(bool(tally.failed or (tally.skipped and nothing_may_be_left_out)))


if __name__ == "__main__":
    main()
