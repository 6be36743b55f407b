"""The virtual machine of ci/netem-vm: qemu, two channels out of it (what the command writes; how it goes), its end.

No file of this machine is written, but for a note in the cache: what qemu reads and logs lies in memory (memfd_create).
"""

import contextlib
import ctypes
import os
import pathlib
import re
import selectors
import shlex
import signal
import subprocess
import sys
import time

from vm import kernel

MEMORY_MIB = 1024
CPUS = 2
BOOT_S = {"kvm": 15, "tcg": 150}  # until the command starts: on an idle machine 1 s and 5 s
OVER = 124
PR_SET_PDEATHSIG = 1
CONSOLE_LINES, CONSOLE_LINES_MAX = 30, 150  # of the end; more where the kernel's trouble begins before
TROUBLE = re.compile(r"sysrq: |BUG: |Oops: |Kernel panic")
KVM_NOTE = "kvm-does-not-boot"  # in the cache: the boot id of the machine on which it was so
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


class Broken(Exception):
    """A sentence: what went wrong with the virtual machine, and what its console said last."""


class NoBoot(Broken):
    """It did not come to the command."""


class Stopped(Exception):
    """A signal asks us to end."""


def accelerators(cache):
    """Which to try, in this order."""
    wish = os.environ.get("WSQ_VM_ACCEL")
    if wish:
        return [wish]
    note = cache / KVM_NOTE
    hopeless = note.is_file() and note.read_text() == BOOT_ID.read_text()
    return ["tcg"] if hopeless or not os.access("/dev/kvm", os.R_OK | os.W_OK) else ["kvm", "tcg"]


def end_with_us():
    """In the child: the terminal's Ctrl-C is ours, not its; and it has no life without us."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def in_memory(name, data=b""):
    """(descriptor to read, one to append)"""
    both = os.memfd_create(name)
    os.write(both, data)
    return both, os.open(f"/proc/self/fd/{both}", os.O_WRONLY | os.O_APPEND)


class Machine:
    """One boot."""

    def __init__(self, accelerator, vmlinuz, initramfs):
        self.ready, self.status = False, None
        with contextlib.ExitStack() as theirs:
            self.out, out = os.pipe()
            self.said, said = os.pipe()
            self.console, console = in_memory("console")
            initrd, initrd_too = in_memory("initramfs", initramfs)
            for fd in (out, said, console, initrd, initrd_too):
                theirs.callback(os.close, fd)
            words = [
                "qemu-system-x86_64", "-accel", accelerator + (",thread=multi" if accelerator == "tcg" else ""),
                "-cpu", "host" if accelerator == "kvm" else "max", "-smp", str(CPUS), "-m", str(MEMORY_MIB),
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", str(vmlinuz), "-initrd", f"/proc/self/fd/{initrd}",
                "-append", "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on",
                "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=root,mount_tag=root", "-device", "virtio-serial-pci",
            ]
            for number, (name, fd) in enumerate((("console", console), ("out", out), ("said", said))):
                words += ["-add-fd", f"fd={fd},set={number}",
                          "-chardev", f"file,id={name},path=/dev/fdset/{number},append=on"]
                words += ["-device", f"virtserialport,chardev={name},name={name},nr={number}"] if number else []
            self.process = subprocess.Popen([*words, "-serial", "chardev:console"], stdin=subprocess.DEVNULL,
                                            stdout=console, stderr=console, pass_fds=(console, out, said, initrd),
                                            preexec_fn=end_with_us)

    def end(self):
        """Kills what is left of it, by its pid."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fd in (self.out, self.said, self.console):
            os.close(fd)

    def last_words(self):
        os.lseek(self.console, 0, os.SEEK_SET)
        text = b"".join(iter(lambda: os.read(self.console, 65536), b"")).decode(errors="replace")
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        trouble = next((i for i, line in enumerate(lines) if TROUBLE.search(line)), len(lines))
        first = min(trouble, max(len(lines) - CONSOLE_LINES, 0))
        return "".join(f"\n  | {line}" for line in lines[first : first + CONSOLE_LINES_MAX])

    def hear(self, line):
        word, _, rest = line.partition(" ")
        if word == "ready":
            self.ready = True
        elif word == "exit" and rest.isdecimal():
            self.status = int(rest)

    def follow(self, boot_until, until):
        """Until it is off, or the time over; what is not ready by boot_until gets no more."""
        heard = b""
        with selectors.DefaultSelector() as ears:
            ears.register(self.out, selectors.EVENT_READ)
            ears.register(self.said, selectors.EVENT_READ)
            while ears.get_map():
                left = (until if self.ready else min(boot_until, until)) - time.monotonic()
                if left <= 0:
                    return
                for key, _ in ears.select(left):
                    data = os.read(key.fd, 65536)
                    if not data:
                        ears.unregister(key.fd)
                    elif key.fd == self.out:
                        sys.stdout.buffer.write(data)
                        sys.stdout.buffer.flush()
                    else:
                        *lines, heard = (heard + data).split(b"\n")
                        for line in lines:
                            self.hear(line.decode(errors="replace"))


def boot(accelerator, cache, found, job, show, seconds):
    """The command's exit status."""
    since = time.monotonic()
    init = (pathlib.Path(__file__).parent / "init").read_bytes()
    files = {"job": os.fsencode(job), "modules": os.fsencode(cache / "lib/modules"),
             "show": os.fsencode("".join(shlex.quote(path) + "\n" for path in show))}
    m = Machine(accelerator, cache / found["vmlinuz"], kernel.initramfs(cache, found, init, files))
    try:
        m.follow(since + BOOT_S[accelerator], since + seconds)
        if m.status is not None:
            return m.status
        took = f"{time.monotonic() - since:.0f} s"
        if time.monotonic() >= since + seconds:
            print(f"ci/netem-vm: stopped: {'not done' if m.ready else 'no boot'} after {seconds} s", file=sys.stderr)
            return OVER
        if not m.ready:
            raise NoBoot(f"no boot with {accelerator} in {took}; the console ends with:{m.last_words()}")
        raise Broken(f"off after {took}, before the command ended; the console ends with:{m.last_words()}")
    finally:
        m.end()


def stop(*_):
    raise Stopped


def run(cache, found, job, show, seconds):
    """The command's exit status; Broken when the virtual machine did not do its part."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    *first, last = accelerators(cache)
    try:
        for accelerator in first:
            try:
                return boot(accelerator, cache, found, job, show, seconds)
            except NoBoot:
                (cache / KVM_NOTE).write_text(BOOT_ID.read_text())
        return boot(last, cache, found, job, show, seconds)
    except Stopped:
        return 128 + signal.SIGTERM
