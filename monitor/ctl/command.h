/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of netherctl have in common. */
#ifndef MONITOR_CTL_COMMAND_H
#define MONITOR_CTL_COMMAND_H

#include "monitor/ctl/ask.h"

enum status { STATUS_OK = 0, STATUS_ERROR = 1, STATUS_NO_MONITOR = 2, STATUS_ABI = 3 };

/* netherctl launch DOMID; netherctl declare DOMID sealed|open. argv begins behind the command. */
int cmd_launch(int argc, char **argv);
int cmd_declare(int argc, char **argv);

/* netherctl disks */
int cmd_disks(int argc);

/* netherctl channels */
int cmd_channels(int argc);

/* netherctl evidence NONCE FILE */
int cmd_evidence(int argc, char **argv);
/* netherctl eventlog [--txt] [FILE] */
int cmd_eventlog(int argc, char **argv);

/* "sealed" (and protected), "protected", or "unprotected". */
const char *launch_kind(const struct monitor_launch *launch);

/* The first `bytes` of the digest (at most all) in hexadecimal. */
void launch_digest(const struct monitor_launch *launch, unsigned int bytes);

#endif
