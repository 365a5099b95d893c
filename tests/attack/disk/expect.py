# SPDX-License-Identifier: Apache-2.0
"""
What each attack must meet: on a plain disk, without the monitor, it succeeds; on an encrypted one, above it, it
fails, and the guest goes on, or was ended by the attack itself. What has no counterpart on a plain disk is made on the
encrypted one alone: dom0.sh then shows that it is the attack which the error comes from, since all is right again
without it. OPEN says that there is no defence: it must succeed.
"""

import collections

Attack = collections.namedtuple("Attack", "what plain then open", defaults=(True, "goes on", False))

ATTACKS = {
    # The data file.
    "flip-data": Attack("flip a bit of the data file"),
    "swap-sectors": Attack("swap two sectors"),
    "replay-sector": Attack("put back what two sectors had before the guest's last write"),
    "truncate": Attack("cut the data file off, while the device model has it open"),
    # The device model.
    "short-read": Attack("bring half of a read, and call it whole"),
    "withhold": Attack("bring nothing of a read, and call it whole"),
    "dma-flip": Attack("change the guest's memory behind the transfer, before the command ends"),
    "dma-exchange": Attack("put the data elsewhere than the PRD list says"),
    "dma-race": Attack("change the guest's memory all the time, until after the command's end"),
    "drop-write": Attack("drop a write, and call it done"),
    "change-write": Attack("change what the guest writes, on its way"),
    # The sidecar.
    "flip-tag": Attack("flip a bit of a sector's tag", False),
    "flip-node": Attack("flip a bit of the node elsewhere", False),
    "swap-nodes": Attack("swap two nodes", False),
    # netherd. The first is denial of service, which is not defended against; nothing wrong comes of it.
    "netherd-stalls": Attack("stop netherd for a time", False),
    "netherd-lies": Attack("have netherd bring another node than was asked for", False),
    "netherd-dies": Attack("have netherd die with half of a record written", False),
    "second-guest": Attack("give a copy of the image to another guest meanwhile", False),
    # The first guest's end.
    "destroy-writing": Attack("destroy the guest with writes under way, recover", False, "ended"),
    "cut-journal": Attack("cut the journal off before it is recovered", False, "ended", True),
    # Between two guests.
    "replay-image": Attack("put back all of an older image"),
    "replay-sidecar": Attack("put back the older sidecar", False, "ended"),
    "size": Attack("make the data file longer before the guest starts"),
    "replay-node": Attack("put back an older node, with the older data", False),
    "netherd-forgets": Attack("have netherd say that all is durable, and write nothing", False, "ended"),
}
# The plain disk's older image is met by a guest, the encrypted one's is refused before there is one.
THEN = {"replay-image": "ended"}
