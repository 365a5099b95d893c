/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/console.h"

#include "monitor/arch.h"
#include "monitor/lib.h"

#include <stdbool.h>

#define COM1 0x3f8
#define UART_DATA 0
#define UART_IER 1
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define LSR_THR_EMPTY 0x20

#define VGA_TEXT 0xb8000
#define VGA_COLUMNS 80
#define VGA_ROWS 25
#define VGA_GREY_ON_BLACK 0x0700

static volatile uint16_t *screen = (volatile uint16_t *)VGA_TEXT;
static unsigned int column;

void console_init(void)
{
	arch_outb(COM1 + UART_IER, 0);
	arch_outb(COM1 + UART_LCR, 0x80); /* the next two set the divisor: 115200 / 1 */
	arch_outb(COM1 + UART_DATA, 1);
	arch_outb(COM1 + UART_IER, 0);
	arch_outb(COM1 + UART_LCR, 0x03);
	arch_outb(COM1 + UART_FCR, 0x07);
	arch_outb(COM1 + UART_MCR, 0x03);
}

void console_screen(void *vga_text)
{
	screen = vga_text;
}

static void serial_put(char c)
{
	for (int spin = 0; spin < 100000; spin++)
		if (arch_inb(COM1 + UART_LSR) & LSR_THR_EMPTY)
			break;
	arch_outb(COM1 + UART_DATA, (uint8_t)c);
}

static void screen_scroll(void)
{
	for (unsigned int i = 0; i < VGA_COLUMNS * (VGA_ROWS - 1); i++)
		screen[i] = screen[i + VGA_COLUMNS];
	for (unsigned int i = 0; i < VGA_COLUMNS; i++)
		screen[VGA_COLUMNS * (VGA_ROWS - 1) + i] = VGA_GREY_ON_BLACK | ' ';
	column = 0;
}

static void screen_put(char c)
{
	if (c == '\n' || column == VGA_COLUMNS)
		screen_scroll();
	if (c != '\n')
		screen[VGA_COLUMNS * (VGA_ROWS - 1) + column++] =
			(uint16_t)(VGA_GREY_ON_BLACK | (unsigned char)c);
}

void console_write(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\n')
			serial_put('\r');
		serial_put(text[i]);
		screen_put(text[i]);
	}
}
