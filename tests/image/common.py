# SPDX-License-Identifier: Apache-2.0
"""What the tests of nether-image have in common. Each runs in a directory of its own, and removes it if it passes."""

import os
import random
import shutil
import subprocess
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
TOOL = TOP + "/build/image/nether-image"  # with sanitizers
FAST = TOP + "/build/nether-image"        # as it is installed
(OK, ERROR, USAGE, KEY, NOT_IMAGE, OTHER_IMAGE, TRUNCATED, SIDECAR, SECTORS, STALE, UNCLEAN, FULL, KEY_FILE,
 IN_USE) = range(14)


def environment():
    # The leak checker makes the process one that can be traced, which the tool is not, for as long as it looks.
    return dict(os.environ, ASAN_OPTIONS="detect_leaks=1")


def run(*args, status=OK, says="", program=TOOL, data=None, **more):
    """Its standard output. says: what is to be on standard error."""
    if data is None:
        more.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([program, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=250, env=environment(), check=False, **more)
    err = done.stderr.decode(errors="replace")
    if done.returncode != status or says not in err:
        sys.exit("%s\nstatus %d, not %d, or not '%s':\n%s" % (" ".join(args), done.returncode, status, says, err))
    return done.stdout


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, content, mode=0o600):
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, mode)


def patch(path, offset, content):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(content)


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1]))


def same(a, b, what):
    if a != b:
        sys.exit("%s: %s, not %s" % (what, str(a)[:200], str(b)[:200]))


def used(path):
    """Bytes that a file takes on its disk."""
    return os.stat(path).st_blocks * 512


def noise(n, seed=1):
    return random.Random(seed).randbytes(n)


def sparse(path, size, pieces):
    """A file with these bytes at these offsets, and holes."""
    with open(path, "wb") as f:
        f.truncate(size)
        for offset, content in pieces.items():
            f.seek(offset)
            f.write(content)


def receipt(path):
    """Its fields."""
    return dict(word.split("=") for word in read(path).decode().split())


def skip(what, why):
    print("skip %s: %s" % (what, why))


def main(tests):
    """Runs the functions whose names begin with test_."""
    work = os.path.join(TOP, "build/test/image-" + os.path.basename(sys.argv[0]))
    for name, test in list(tests.items()):
        if not name.startswith("test_"):
            continue
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        os.chdir(work)
        run("key", "new", "key")
        test()
        print("ok   " + name, flush=True)
    os.chdir(TOP)
    shutil.rmtree(work)
