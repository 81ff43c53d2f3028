# SPDX-License-Identifier: Apache-2.0
"""Functions as tests: each gets a private directory, and fails by an exception. TAP."""
import pathlib
import tempfile
import traceback


def run(tests):
    """The exit code."""
    failed = 0
    print(f"1..{len(tests)}")
    for number, function in enumerate(tests, 1):
        try:
            with tempfile.TemporaryDirectory() as work:
                function(pathlib.Path(work))
            wrong = ""
        except Exception:  # one test must not end the others
            wrong = traceback.format_exc()
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {function.__name__}", flush=True)
        for line in wrong.splitlines():
            print("# " + line)
    return int(failed != 0)
