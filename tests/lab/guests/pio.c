/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pio DISK START FILE: reads the first sector of FILE by a PIO command to the DISK, where its partition begins at
 * sector START, and compares it with what the file system says. A device model keeps such a sector in a
 * buffer of its own; of DMA it has none.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <scsi/sg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR 512
#define BLOCK_SECTORS 8 /* of the file system */

/* READ SECTORS EXT (ATA8-ACS 7.29) in ATA PASS-THROUGH (16) (SAT-3 12.2.2). */
static int read_sector(int disk, uint32_t lba, void *sector)
{
	uint8_t command[16] = {0x85, 4 << 1 | 1 /* PIO in, 48 bits */, 0x0e /* sectors, to us */};
	uint8_t sense[32];
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(command),
		.mx_sb_len = sizeof(sense),
		.dxfer_len = SECTOR,
		.dxferp = sector,
		.cmdp = command,
		.sbp = sense,
		.timeout = 60000,
	};

	command[6] = 1; /* sectors */
	command[8] = lba & 0xff;
	command[10] = lba >> 8 & 0xff;
	command[12] = lba >> 16 & 0xff;
	command[7] = lba >> 24;
	command[13] = 0x40; /* LBA */
	command[14] = 0x24;
	return ioctl(disk, SG_IO, &io) || io.status || io.host_status || io.driver_status;
}

int main(int argc, char **argv)
{
	static uint8_t expected[SECTOR], found[SECTOR] __attribute__((aligned(4096)));
	int disk = argc == 4 ? open(argv[1], O_RDONLY) : -1,
	    file = argc == 4 ? open(argv[3], O_RDONLY) : -1;
	int block = 0;

	if (disk < 0 || file < 0 || read(file, expected, SECTOR) <= 0 ||
	    ioctl(file, FIBMAP, &block) || !block) {
		perror("pio");
		return 2;
	}
	if (read_sector(disk, (uint32_t)(atoi(argv[2]) + block * BLOCK_SECTORS), found)) {
		fprintf(stderr, "pio: the command failed\n");
		return 2;
	}
	return memcmp(expected, found, SECTOR) != 0;
}
