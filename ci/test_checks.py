#!/usr/bin/python3 -I
"""Shows that ci/check-style and ci/check-layers fail on what they are there for, each rule on a tree of a few lines.

The last line is `N passed, N failed`.
"""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
C = "/* Why. */\n"
H = "#pragma once\n/* What. */\n"

# (program, title, {file: text}, a part of the finding; None: clean)
TESTS = (
    ("check-style", "a clean tree", {"harness/a.c": C + "int a;\n", "harness/a.h": H, "ci/x": "#!/bin/bash\ntrue\n"}, None),
    ("check-style", "an empty tree", {}, "0 files"),
    ("check-style", "trailing blank", {"a.c": C + "int a; \n"}, "a.c:2: blanks at the end"),
    ("check-style", "trailing blank in a program", {"ci/x": "#!/bin/sh\ntrue \n"}, "ci/x:2: blanks at the end"),
    ("check-style", "carriage return", {"a.c": C + "int a;\r\n"}, "blanks at the end"),
    ("check-style", "no newline at the end", {"a.md": "text"}, "no newline"),
    ("check-style", "not UTF-8", {"a.md": b"\xff\n"}, "is not UTF-8"),
    ("check-style", "121 characters", {"a.c": C + "/*" + "x" * 117 + "*/\n"}, "a.c:2: 121 characters"),
    ("check-style", "120 characters", {"a.c": C + "/*" + "x" * 116 + "*/\n"}, None),
    ("check-style", "a wide line in an older file", {"harness/cmd_x.c": C + "/*" + "x" * 150 + "*/\n"}, None),
    ("check-style", "too wide even there", {"harness/cmd_x.c": C + "/*" + "x" * 200 + "*/\n"}, "more than 200"),
    ("check-style", "a wide row of a table", {"a.def": 'X("' + "x" * 150 + '")\n'}, None),
    ("check-style", "421 lines", {"a.c": C + "int a;\n" * 420}, "421 lines"),
    ("check-style", "420 lines", {"a.c": C + "int a;\n" * 419}, None),
    ("check-style", "blanks as indentation", {"a.c": C + "int a(void)\n{\n    return 0;\n}\n"}, "a.c:4: indented"),
    ("check-style", "blanks in a comment", {"a.c": C + "/*\n    a table\n */\n"}, None),
    ("check-style", "banned function", {"a.c": C + "void f(char *p) { strcpy(p, p); }\n"}, "strcpy() is banned"),
    ("check-style", "a longer name is fine", {"a.c": C + "void f(char *p) { snprintf(p, 1, p); }\n"}, None),
    ("check-style", "left-over note", {"a.c": C + "/* TODO: later */\n"}, "'TODO' does not belong"),
    ("check-style", "path of a machine", {"a.md": "see /home/me/x\n"}, "'/home/m' does not belong"),
    ("check-style", "no opening comment", {"a.c": "int a;\n"}, "opens with a comment"),
    ("check-style", "header without guard", {"a.h": "/* What. */\n"}, "opens with #pragma once"),
    ("check-style", "header without manual", {"a.h": "#pragma once\nint a;\n"}, "opens with #pragma once"),
    ("check-style", "server header without guard", {"server-under-test/a.h": "/* What. */\n"}, "with its guard"),
    ("check-style", "server header without manual", {"server-under-test/a.h": "#pragma once\n"}, "no comment at all"),
    ("check-style", "typedef of a struct", {"a.c": C + "typedef struct a { int b; } a;\n"}, "no typedef"),
    ("check-style", "climbing include", {"a.c": C + '#include "../b.h"\n'}, "none climbs"),
    ("check-style", "build folders are left out", {"build-x/a.c": "int a; \n", "a.c": C}, None),
    ("check-style", "golden files are left out", {"reports/golden/a.c": "int a; \n", "a.c": C}, None),
    ("check-style", "an excuse covers its rule", {"reports/tap.c": C + "/* TODO */\n"}, None),
    ("check-style", "and no other rule", {"reports/tap.c": C + "/* TODO */ \n"}, "blanks at the end"),
    ("check-style", "an idle excuse is noted", {"reports/tap.c": C}, "needs no excuse from 'words'", 0),
    ("check-layers", "an empty tree", {}, "0 files"),
    ("check-layers", "down is fine", {"harness/run/a.c": '#include "harness/net/tcp.h"\n'}, None),
    ("check-layers", "beside is fine", {"harness/net/a.c": '#include "harness/net/tcp.h"\n'}, None),
    ("check-layers", "up", {"harness/net/a.c": '#include "harness/run/conn.h"\n'}, "harness/net/ may not include"),
    ("check-layers", "sideways", {"harness/net/a.c": '#include "harness/ws/frame.h"\n'}, "harness/net/ may not include"),
    ("check-layers", "base uses nothing", {"harness/base/a.h": '#include "harness/net/tcp.h"\n'}, "may not include"),
    ("check-layers", "to the top", {"harness/run/a.c": '#include "harness/campaign.h"\n'}, "may not include harness/campaign.h"),
    ("check-layers", "the top sees all", {"harness/a.c": '#include "suites/suites.h"\n#include "harness/run/conn.h"\n'}, None),
    ("check-layers", "suites: the rows", {"suites/a.c": '#include "harness/run/case_rows.h"\n'}, None),
    ("check-layers", "suites: not the interpreter", {"suites/a.c": '#include "harness/run/interp.h"\n'}, "suites/ may not"),
    ("check-layers", "suites: a name that only begins so", {"suites/a.c": '#include "harness/run/casework.h"\n'}, "suites/ may"),
    ("check-layers", "reports: the result", {"reports/a.c": '#include "harness/run/result.h"\n'}, None),
    ("check-layers", "reports: not the runner", {"reports/a.c": '#include "harness/run/runner.h"\n'}, "reports/ may not"),
    ("check-layers", "check: the history", {"harness/check/a.c": '#include "harness/history/event.h"\n'}, None),
    ("check-layers", "check: not the runner", {"harness/check/a.c": '#include "harness/run/runner.h"\n'}, "may not include"),
    ("check-layers", "server: not the harness", {"server-under-test/a.c": '#include "harness/ws/frame.h"\n'}, "may not"),
    ("check-layers", "harness: not the server", {"harness/a.c": '#include "server-under-test/log.h"\n'}, "may not include"),
    ("check-layers", "a folder that is no layer", {"extra/a.c": '#include "harness/base/buf.h"\n'}, "is no layer"),
    ("check-layers", "a file name alone", {"harness/base/a.c": '#include "buf.h"\n'}, "may not include buf.h"),
    ("check-layers", "a library of another layer", {"harness/ws/a.c": "#include <uv.h>\n"}, "may not include <uv.h>"),
    ("check-layers", "a library of the layer", {"harness/net/a.c": "#include <uv.h>\n#include <openssl/ssl.h>\n"}, None),
    ("check-layers", "a library as an oracle", {"suites/test_a.c": "#include <openssl/sha.h>\n"}, None),
    ("check-layers", "spaces in the directive", {"harness/net/a.c": '#  include  "harness/run/conn.h"\n'}, "may not include"),
)


def run(program, tree):
    with tempfile.TemporaryDirectory(prefix="wsquall-checks-") as folder:
        for name, text in tree.items():
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return subprocess.run([HERE / program, folder], capture_output=True, text=True)


def main():
    failed = 0
    for program, title, tree, wanted, *status in TESTS:
        r = run(program, tree)
        ok = r.returncode == (status[0] if status else 1 if wanted else 0) and (wanted or "0 findings") in r.stdout
        failed += not ok
        if not ok:
            print(f"FAILED: {program}: {title}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
