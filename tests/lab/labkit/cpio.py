# SPDX-License-Identifier: Apache-2.0
"""Writes cpio archives in the kernel's "newc" format (Documentation/driver-api/early-userspace)."""

import os
import stat


class Cpio:
    """Entries are owned by root and dated 0, so equal inputs give equal archives."""

    def __init__(self, out):
        self.out = out
        self.ino = 0
        self.dirs = set()

    def _entry(self, name, mode, size=0, rdev=(0, 0), nlink=1):
        self.ino += 1
        raw = name.encode() + b"\0"
        fields = (self.ino, mode, 0, 0, nlink, 0, size, 0, 0, rdev[0], rdev[1], len(raw), 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + raw
        self.out.write(head + b"\0" * (-len(head) % 4))

    def _data(self, data):
        self.out.write(data + b"\0" * (-len(data) % 4))

    def dir(self, name, mode=0o755):
        name = name.strip("/")
        if not name or name in self.dirs:
            return
        self.dir(os.path.dirname(name))
        self.dirs.add(name)
        self._entry(name, stat.S_IFDIR | mode, nlink=2)

    def data(self, name, data, mode=0o644):
        name = name.strip("/")
        self.dir(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, len(data))
        self._data(data)

    def file(self, name, path):
        """A regular file with the contents and permission bits of path."""
        with open(path, "rb") as f:
            self.data(name, f.read(), stat.S_IMODE(os.stat(path).st_mode))

    def link(self, name, target):
        name = name.strip("/")
        self.dir(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, len(target.encode()))
        self._data(target.encode())

    def char(self, name, major, minor, mode=0o600):
        name = name.strip("/")
        self.dir(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def tree(self, top, prefix=""):
        """All directories, files and symbolic links below top, in sorted order."""
        for name in sorted(os.listdir(top)):
            path, dest = os.path.join(top, name), os.path.join(prefix, name)
            if os.path.islink(path):
                self.link(dest, os.readlink(path))
            elif os.path.isdir(path):
                self.dir(dest)
                self.tree(path, dest)
            elif os.path.isfile(path):
                self.file(dest, path)

    def close(self):
        self._entry("TRAILER!!!", 0)
