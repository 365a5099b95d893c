# SPDX-License-Identifier: Apache-2.0
"""Charts."""

import re
import subprocess


TERMINAL = "set terminal svg size %s font 'sans,12' background 'white'\nset output '%s'\n"


def draw(script, svg, size="1000,460"):
    """What gnuplot draws by script is in the file svg; without its trailing blanks, which the tree does not have."""
    subprocess.run(["gnuplot"], input=TERMINAL % (size, svg) + script, text=True, check=True)
    with open(svg, encoding="utf-8") as f:
        text = re.sub(r"[ \t]+$", "", f.read(), flags=re.M)
    with open(svg, "w", encoding="utf-8") as f:
        f.write(text)
