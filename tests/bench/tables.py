# SPDX-License-Identifier: Apache-2.0
"""What all tables have in common."""


def table(head, rows):
    width = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]

    def line(row):
        return "| " + " | ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w)
                                 for i, (c, w) in enumerate(zip(row, width))) + " |\n"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":")
                          for i, w in enumerate(width)) + "|\n"
    return line(head) + rule + "".join(map(line, rows)) + "\n"


def verdict(goal, value, unit):
    if goal is None:
        return ""
    return "<= %g%s: %s" % (goal, unit, "met" if value <= goal else "MISSED")
