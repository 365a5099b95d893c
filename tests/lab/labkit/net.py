# SPDX-License-Identifier: Apache-2.0
"""
Builds what tests of networks need: a guest with the usual tools of networks (net/init says how it is used), and Open vSwitch
for dom0.
"""

import gzip
import io
import os
import re
import shutil
import subprocess
import sys

from . import errors, guests, image, paths
from .cpio import Cpio
from .errors import LabError

SOURCE = os.path.join(paths.LAB, "net")
OUT = os.path.join(paths.OUT, "net")
DOMS_IMAGE = os.path.join(paths.ROOT, "switch-channel/doms/doms-image")
# Programs of Debian's: where they are in the packages.
GUEST_PROGRAMS = ["usr/bin/iperf3", "bin/ping", "sbin/ethtool", "usr/bin/tcpdump", "sbin/ip"]
OVS_PROGRAMS = ["usr/sbin/ovsdb-server", "usr/lib/openvswitch-switch/ovs-vswitchd", "usr/bin/ovs-vsctl",
                "usr/bin/ovs-ofctl", "usr/bin/ovs-appctl", "usr/bin/ovsdb-tool"]
OVS_FILES = ["usr/share/openvswitch/vswitch.ovsschema"]
# What libcrc32c asks for by name, then what is wanted.
OVS_MODULES = ["crc32c_generic", "openvswitch", "vport-vxlan", "vport-geneve"]
GUEST_MODULES = ["xen-netfront"]


def add_programs(cpio, programs, there=()):
    """Programs and the libraries that they load, but for those in `there`."""
    for name in sorted(set(programs + image.closure(programs)) - set(there)):
        image.add_from_debian(cpio, name)


def add_modules(cpio, files):
    """{module: its file and all that it needs}; the guest's /modules has a line for each."""
    lines = []
    for path in sorted({path for needed in files.values() for path in needed}):
        cpio.file("lib/modules/" + os.path.basename(path), path)
    for name, needed in files.items():
        lines.append(" ".join([name] + ["/lib/modules/" + os.path.basename(p) for p in needed]))
    cpio.data("modules", ("\n".join(lines) + "\n").encode())


def make_module():
    """nether-vif for the guests' kernel; where it is."""
    version = image.kernel_version(cloud=True)
    headers = "/usr/src/linux-headers-" + version
    if not os.path.isdir(headers):
        raise LabError(errors.IMAGE, "no %s for the guests' kernel: 'make deps' has the newest; if that is newer, so is the kernel: "
                       "remove build/lab/debian.stamp" % headers)
    scratch = os.path.join(OUT, "module")
    built = os.path.join(scratch, "switch-channel/linux/nether-vif.ko")

    def build():
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(os.path.join(paths.ROOT, "switch-channel"), os.path.join(scratch, "switch-channel"))
        for command in (["make", "-s", "-C", headers, "M=" + os.path.dirname(built), "modules"],
                        ["strip", "--strip-debug", built]):
            done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
            if done.returncode:
                raise LabError(errors.IMAGE, "%s failed: %s" % (command[0], (done.stdout + done.stderr)[-3000:]))

    image.cached("nether-vif", image.stamp(os.path.join(paths.ROOT, "switch-channel"), headers + "/Module.symvers"), [built],
                 build, lambda text: print("lab: " + text, file=sys.stderr))
    return built


def with_needed(version, module):
    """A module's file, behind those of all that it needs."""
    with open(module, "rb") as f:
        needed = re.search(rb"\0depends=([^\0]*)\0", f.read())
    names = [n for n in needed.group(1).decode().split(",") if n] if needed else []
    return image.module_files(version, names) + [module]


def build_guest(path, more=None, modules=()):
    """The initramfs of a guest with a network. more: {name in there: file}. modules: files of more modules than Debian's."""
    out = io.BytesIO()
    cpio = Cpio(out)
    for name in ("dev", "proc", "sys", "tmp", "run", "usr/sbin"):
        cpio.dir(name)
    cpio.char("dev/console", 5, 1)
    cpio.file("init", os.path.join(SOURCE, "init"))
    for name in ("load", "channel", "pinging"):
        cpio.file("bin/" + name, os.path.join(SOURCE, name))
    cpio.file("bin/busybox", os.path.join(image.DEBIAN, "bin/busybox"))
    for name, source in (more or {}).items():
        cpio.file(name, source)
    add_programs(cpio, GUEST_PROGRAMS)
    image.add_busybox(cpio, set(GUEST_PROGRAMS))
    version = image.kernel_version(cloud=True)
    files = {name: image.module_files(version, [name]) for name in GUEST_MODULES}
    files.update((os.path.basename(p)[:-len(".ko")], with_needed(version, p)) for p in modules)
    add_modules(cpio, files)
    cpio.close()
    with open(path, "wb") as f:
        f.write(gzip.compress(out.getvalue(), 9, mtime=0))


def add_ovs(top):
    """Open vSwitch for dom0, into the directory `top`, which is an overlay: programs, schema, and the kernel's modules."""
    found = OVS_PROGRAMS + OVS_FILES + sorted(set(image.closure(OVS_PROGRAMS)) - set(image.closure(image.PROGRAMS)))
    found += [os.path.relpath(p, image.DEBIAN) for p in image.module_files(image.kernel_version(), OVS_MODULES)]
    for name in found:
        put(os.path.join(top, name), os.path.realpath(os.path.join(image.DEBIAN, name)))
    os.symlink("../lib/openvswitch-switch/ovs-vswitchd", os.path.join(top, "usr/sbin/ovs-vswitchd"))
    put(os.path.join(top, "usr/local/lib/lab/ovs-up"), os.path.join(SOURCE, "ovs-up"))
    put(os.path.join(top, "usr/local/lib/lab/vif-ovs"), os.path.join(SOURCE, "vif-ovs"))
    for name in ("ask.sh", "channels.sh"):
        put(os.path.join(top, "usr/local/lib/lab", name), os.path.join(SOURCE, name))


def put(dest, source):
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    with open(source, "rb") as f, open(dest, "wb") as out:
        out.write(f.read())
    os.chmod(dest, os.stat(source).st_mode & 0o777)


def build_doms(out, modules=()):
    """A switch domain without a configuration, by its own tool: out/vmlinuz and out/initrd."""
    command = [sys.executable, DOMS_IMAGE, "--root", image.DEBIAN, out]
    for path in modules:
        command += ["--module", path]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LabError(errors.IMAGE, "doms-image failed: " + done.stderr.strip())
    return done.stdout.strip()


def build_overlay(top, modules, more=None):
    """
    What dom0 needs for guests with channels: web, db and eve, and a switch domain without its configuration, with `modules`. more:
    for the guests, as in build_guest().
    """
    folder = os.path.join(top, "net")
    os.makedirs(folder)
    guests.ensure(lambda _: None)
    for name in ("ask.sh", "channels.sh", "since-up"):
        put(os.path.join(top, "usr/local/lib/lab", name), os.path.join(SOURCE, name))
    for name in ("switch.sh", "crash.sh"):
        put(os.path.join(folder, name), os.path.join(SOURCE, name))
    put(os.path.join(folder, "vmlinuz"), os.path.join(paths.GUESTS, "vmlinuz"))
    build_guest(os.path.join(folder, "initrd"), more, modules)
    with open(os.path.join(SOURCE, "tenant.cfg")) as f:
        template = f.read()
    for name in ("web", "db", "eve"):
        write(os.path.join(folder, name + ".cfg"), template.replace("NAME", name))
    print("doms:", build_doms(os.path.join(folder, "doms"), modules))
    os.unlink(os.path.join(folder, "doms/vmlinuz"))  # the guests' is the same
    doms = os.path.join(paths.ROOT, "switch-channel/doms")
    put(os.path.join(top, "usr/sbin/nether-doms"), os.path.join(doms, "nether-doms"))
    with open(os.path.join(doms, "doms.cfg")) as f:
        config = f.read().replace("/var/lib/nethervisor/doms/vmlinuz", "/net/vmlinuz").replace(
            "/var/lib/nethervisor/doms/initrd", "/net/doms/initrd-configured")
    write(os.path.join(top, "etc/nethervisor/doms.cfg"), config + 'tsc_mode = "native"\n')
    write(os.path.join(top, "etc/nethervisor/doms.conf"), "DIGEST=any UP_SECONDS=300\n")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
