/* SPDX-License-Identifier: Apache-2.0 */
/* crash-load IMAGE SEED MIB: has Xen start crash.c's image when dom0 crashes, to search MIB of RAM. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xen/kexec.h>

#define PAGE 4096u
#define CONFIG_AT 16u /* crash.c */
#define BSS (64u * 1024)
#define MIB (1ull << 20)
#define MACHINE_64 62 /* EM_X86_64 */

int main(int argc, char **argv)
{
	static uint8_t image[MIB];
	xc_interface *xc = xc_interface_open(NULL, NULL, 0);
	FILE *f = argc == 4 ? fopen(argv[1], "rb") : NULL;
	xen_kexec_segment_t segment = {0};
	uint64_t size, start, config[2];
	DECLARE_HYPERCALL_BUFFER(void, buffer);
	size_t n;

	if (!f || !xc) {
		(void)fprintf(stderr, "usage: crash-load IMAGE SEED MIB\n");
		return 2;
	}
	n = fread(image, 1, sizeof(image) - BSS, f);
	config[0] = strtoull(argv[2], NULL, 16);
	config[1] = strtoull(argv[3], NULL, 10) * MIB;
	memcpy(image + CONFIG_AT, config, sizeof(config));
	n = (n + PAGE - 1) / PAGE * PAGE + BSS;
	buffer = xc_hypercall_buffer_alloc_pages(xc, buffer, n / PAGE);
	if (!buffer || xc_kexec_get_range(xc, KEXEC_RANGE_MA_CRASH, 0, &size, &start) || size < n) {
		perror("crash-load: no room: Xen's crashkernel=");
		return 1;
	}
	memcpy(buffer, image, n);
	segment.buf_size = segment.dest_size = n;
	segment.dest_maddr = start;
	set_xen_guest_handle(segment.buf.h, buffer);
	if (xc_kexec_load(xc, KEXEC_TYPE_CRASH, MACHINE_64, start, 1, &segment)) {
		perror("crash-load: Xen does not take it");
		return 1;
	}
	printf("crash-load: %zu bytes at %#llx\n", n, (unsigned long long)start);
	return 0;
}
