"""The kernel of ci/netem-vm: which one, fetched from Debian, the parts of it that are used, the initramfs."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

META = "linux-image-amd64"  # not the cloud one: that has no 9p
WANTED = re.compile(r"linux-image-6\.1\.[0-9]+-[0-9]+-amd64")
STAMP = "kernel.json"  # in the cache, written last: what is there is whole
# Of the package's 400 MB. Names of folders take all that is below them.
PARTS = ["./boot/vmlinuz-*", *("./lib/modules/*/" + part for part in (
    "modules.order", "modules.builtin", "modules.builtin.modinfo", "kernel/net", "kernel/lib", "kernel/crypto",
    "kernel/arch/x86/crypto", "kernel/fs", "kernel/drivers/net/*.ko", "kernel/drivers/virtio",
    "kernel/drivers/char/virtio_console.ko", "kernel/drivers/char/hw_random"))]
# What must be loaded before there is a file system to load modules from; each comes after what it needs.
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")


class Unavailable(Exception):
    """A sentence: why there is no kernel."""


def stamp(cache):
    """What the cache holds, or None."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((cache / STAMP).read_text())
        if (cache / found["vmlinuz"]).is_file() and (cache / "lib/modules" / found["release"]).is_dir():
            return found
    return None


def lacking(cache):
    if stamp(cache) or shutil.which("apt-get") and shutil.which("dpkg-deb"):
        return None
    return f"there is no kernel in {cache}, and no apt-get and dpkg-deb to fetch Debian's"


def describe(cache):
    found = stamp(cache)
    if found:
        return f"Linux {found['release']} ({found['package']} {found['version']})"
    return f"the kernel of {META} is to be downloaded first, 70 MB"


def run(*words, **more):
    try:
        return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, **more).stdout.decode()
    except OSError as e:
        raise Unavailable(f"{words[0]}: {e.strerror}") from e
    except subprocess.CalledProcessError as e:
        said = e.stderr.decode(errors="replace").strip().splitlines()
        raise Unavailable(f"{words[0]} failed: {said[-1] if said else e.returncode}") from e


def wanted():
    """(package, version, sha256) of Debian's current kernel, by apt's lists."""
    name = WANTED.search(run("apt-cache", "depends", META))
    if not name:
        raise Unavailable(f"{META} depends on no {WANTED.pattern}: this is not Debian 12")
    shown = run("apt-cache", "show", "--no-all-versions", name[0])
    fields = dict(re.findall(r"^(Version|SHA256): (\S+)$", shown, re.MULTILINE))
    return name[0], fields["Version"], fields["SHA256"]


def update():
    run(*(() if os.geteuid() == 0 else ("sudo", "-n")), "apt-get", "-qq", "update")


def download(folder):
    """(package, version, sha256, file)"""
    package, version, sha256 = wanted()
    run("apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", f"{package}={version}", cwd=folder)
    (deb,) = pathlib.Path(folder).glob("*.deb")
    if hashlib.sha256(deb.read_bytes()).hexdigest() != sha256:
        raise Unavailable(f"{deb.name}: its SHA-256 is not the one of Debian's list")
    return package, version, sha256, deb


def unpack(deb, folder):
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
        subprocess.run(["tar", "-x", "--wildcards", *PARTS], stdin=tar.stdout, cwd=folder, check=True)
    (vmlinuz,) = folder.glob("boot/vmlinuz-*")
    release = vmlinuz.name.removeprefix("vmlinuz-")
    run("busybox", "depmod", "-b", str(folder), release)
    return vmlinuz.relative_to(folder).as_posix(), release


def fetch(cache):
    """What stamp() says, fetched when it is not there. Several at once wait for one."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = stamp(cache)
        if found and hashlib.sha256((cache / found["vmlinuz"]).read_bytes()).hexdigest() == found["vmlinuz_sha256"]:
            return found
        (cache / STAMP).unlink(missing_ok=True)
        for name in ("boot", "lib"):
            shutil.rmtree(cache / name, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            try:
                package, version, sha256, deb = download(folder)
            except Unavailable:
                update()  # lists that were never fetched, or name a version that is gone
                package, version, sha256, deb = download(folder)
            try:
                vmlinuz, release = unpack(deb, cache)
            except (subprocess.CalledProcessError, OSError, ValueError) as e:
                raise Unavailable(f"{package} could not be unpacked: {e}") from e
        found = {"package": package, "version": version, "sha256": sha256, "release": release, "vmlinuz": vmlinuz,
                 "vmlinuz_sha256": hashlib.sha256((cache / vmlinuz).read_bytes()).hexdigest()}
        (cache / STAMP).write_text(json.dumps(found, indent=1) + "\n")
        return found


def load_order(modules, names):
    """Paths below `modules` of these and what they need, in the order of loading."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {pathlib.PurePath(path).stem: path for path in needs}
    order = []

    def add(path):
        for other in needs[path]:
            add(other)
        if path not in order:
            order.append(path)

    for name in names:
        add(by_name[name])
    return order


class Cpio:
    """An archive in the format that the kernel unpacks: Documentation/driver-api/early-userspace/buffer-format.rst"""

    def __init__(self):
        self.bytes = bytearray()
        self.inode = 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.inode += 1
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        self.bytes += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        self.pad()
        self.bytes += data
        self.pad()

    def pad(self):
        self.bytes += bytes(-len(self.bytes) % 4)

    def file(self, name, data, mode=0o755):
        self.add(name, stat.S_IFREG | mode, data)

    def end(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.bytes)


def initramfs(cache, found, init, files):
    """busybox, the modules of the boot, /init, and `files` (name: octets) in /wsq/."""
    modules = cache / "lib/modules" / found["release"]
    archive = Cpio()
    for folder in ("bin", "dev", "proc", "sys", "host", "cow", "new", "wsq"):
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.file("bin/busybox", pathlib.Path(shutil.which("busybox")).read_bytes())
    archive.file("init", init)
    for n, path in enumerate(load_order(modules, BOOT_MODULES)):
        archive.file(f"wsq/{n:02}-{pathlib.PurePath(path).name}", (modules / path).read_bytes(), 0o644)
    for name, data in files.items():
        archive.file(f"wsq/{name}", data)
    return archive.end()
