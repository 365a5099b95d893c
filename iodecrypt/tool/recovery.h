/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's recovery of an image that was not closed. */
#ifndef IODECRYPT_TOOL_RECOVERY_H
#define IODECRYPT_TOOL_RECOVERY_H

#include "iodecrypt/tool/image.h"

/*
 * Opens the image by the engine and closes it again, in its overlay if it has one. What recovery had to do is said. A
 * status.
 */
int recovery_run(struct image *img, struct disk_receipt *receipt);

#endif
