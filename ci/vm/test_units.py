#!/usr/bin/python3 -B
"""The unit tests that skip what this machine's kernel cannot do: inside nothing of them may be skipped. As root, and as
somebody who has only what a user namespace gives; then what needs real root may be.

usage: ci/netem-vm ci/vm/test_units.py build/wsquall [WORD...]
"""

import concurrent.futures
import pathlib
import re
import subprocess

import rig

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(rig.PROGRAM or "").parent
RIGS = ("test_space.h", "test_link_rig.h")  # of tests in network namespaces
MODULES = ("sch_netem", "sch_ingress", "cls_u32", "act_mirred", "ifb", "veth", "bridge", "nf_tables", "nft_reject_inet")
HANG_S = 400
AT_ONCE = 4  # they mostly wait
# Each with a network and a /run of its own: they look for what they have left.
ALONE = ["unshare", "--net", "--mount", "sh", "-c",
         'mount -t tmpfs -o mode=755 run /run && ip link set lo up && exec "$@"', "sh"]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def unit(name, user):
    done = subprocess.run([*ALONE, *(NOBODY if user else []), str(BUILD / name)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG_S, cwd="/tmp")
    said = done.stdout.decode(errors="replace")
    passed = re.search(r"PASSED  \] (\d+) test", said)
    skipped = re.findall(r"SKIPPED +\] (\w+)", said)
    # As nobody a program may skip all that it has.
    some = passed and (int(passed[1]) > 0 or (user and skipped))
    assert done.returncode == 0 and some, f"exit status {done.returncode}: {said[-3000:]}"
    why = " ".join(sorted({line for line in said.splitlines() if line.startswith("SKIP")}))
    assert user or not skipped, f"skipped: {why or skipped}"
    return f"{passed[1]} tests" + (f", skipped: {why}" if skipped else "")


def load_modules():
    """Before several ask for the same at once: busybox takes a module that another is just loading for loaded."""
    subprocess.run(["modprobe", "-a", *MODULES], stdin=subprocess.DEVNULL, check=True)


def main():
    load_modules()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for source in sorted([*ROOT.glob("harness/net/test_*.c"), *ROOT.glob("faults/test_*.c")]):
            text = source.read_text()
            if any(f'/{header}"' in text for header in RIGS) and "main(" in text:
                program = source.relative_to(ROOT).with_suffix("").as_posix()
                program = program.replace("faults/test_", "faults/test_fault_")
                for name, user in ((f"root: {program}", False), (f"user: {program}", True)):
                    if rig.wanted(name):
                        rig.test(pool.submit(unit, program, user).result, name=name)
        rig.main()


if __name__ == "__main__":
    main()
