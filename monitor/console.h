/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_CONSOLE_H
#define MONITOR_CONSOLE_H

#include <stddef.h>

/* Writes n bytes to com1 (115200 8n1) and the text screen. Waits for the UART, but not for ever. */
void console_write(const char *text, size_t n);

/* Sets com1 up. The screen is used as the firmware left it. */
void console_init(void);

/* Once the monitor's own mapping is in place, the screen is found there. */
void console_screen(void *vga_text);

#endif
