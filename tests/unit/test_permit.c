/* SPDX-License-Identifier: Apache-2.0 */
/* Permission maps: what is opened for a guest, and closed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/machine.h"
#include "monitor/permit.h"

#define PORTS 65536u
#define MAP_PAGES 2u /* a bit for each port */
#define MAP_BYTES (MAP_PAGES * (unsigned int)PAGE_SIZE)

/* L1's pages, not side by side. */
static const uint64_t l1_page[PERMIT_PAGES] = {0x20000, 0x10000, 0x30000};

static uint8_t bits[PERMIT_PAGES * PAGE_SIZE];
static struct permit_map m;

/* L1's map leaves everything open, and is in use. */
static int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	memset(bits, 0, sizeof(bits));
	m = (struct permit_map){.bits = bits, .size = MAP_BYTES};
	for (unsigned int i = 0; i < PERMIT_PAGES; i++)
		m.l1[i] = HPA(l1_page[i]);
	permit_reset(&m);
	return 0;
}

static int tear_down(void **state)
{
	fake_reset();
	return 0;
}

static void l1_sets(unsigned int bit, bool on)
{
	uint64_t hpa = l1_page[bit / 8 / PAGE_SIZE] + page_offset(bit / 8);
	uint8_t *byte = fake_at(HPA(hpa), 1);

	*byte = (uint8_t)((*byte & ~(1u << bit % 8)) | (unsigned int)on << bit % 8);
}

static void l1_sets_all(uint8_t byte)
{
	for (unsigned int i = 0; i < PERMIT_PAGES; i++)
		memset(fake_at(HPA(l1_page[i]), PAGE_SIZE), byte, PAGE_SIZE);
}

static bool closed(unsigned int bit)
{
	return bits[bit / 8] >> bit % 8 & 1;
}

/* How many bits are open in all. */
static unsigned int open_bits(void)
{
	unsigned int n = 0;

	for (unsigned int bit = 0; bit < m.size * 8; bit++)
		n += !closed(bit);
	return n;
}

static void nothing_is_open_at_first(void **state)
{
	assert_int_equal(open_bits(), 0);
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
	m.l1_open = true;
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
}

static void a_reset_closes_everything(void **state)
{
	for (uint16_t port = 0; port < 100; port += 9)
		assert_true(permit_port(&m, false, port, 4));
	permit_reset(&m);
	assert_int_equal(open_bits(), 0);
	assert_int_equal(m.count, 0);
}

/* Each bit of a mask counts, and none beside it; in each page. */
static void what_l1_allows(void **state)
{
	const uint16_t byte[] = {0, 1, 0xfff, 0x1000, 0x1fff};

	for (size_t i = 0; i < ARRAY_SIZE(byte); i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			l1_sets(byte[i] * 8u + bit, true);
			assert_false(permit_l1_allows(&m, byte[i], (uint8_t)(1u << bit)));
			assert_false(permit_l1_allows(&m, byte[i], 0xff));
			assert_true(permit_l1_allows(&m, byte[i], (uint8_t) ~(1u << bit)));
			l1_sets(byte[i] * 8u + bit, false);
		}
		assert_true(permit_l1_allows(&m, byte[i], 0xff));
	}
}

static void l1_without_a_map(void **state)
{
	l1_sets_all(0xff);
	m.l1_open = true;
	assert_true(permit_l1_allows(&m, 0, 0xff));
	l1_sets_all(0);
	m.l1_open = false;
	m.l1_closed = true;
	assert_false(permit_l1_allows(&m, 0, 1));
	m.l1_open = true; /* a contradiction: the safe way */
	assert_false(permit_l1_allows(&m, 0, 1));
}

static void beyond_the_map(void **state)
{
	assert_false(permit_l1_allows(&m, MAP_BYTES, 1));
	assert_false(permit_l1_allows(&m, UINT16_MAX, 1));
	m.l1_open = true;
	assert_false(permit_l1_allows(&m, MAP_BYTES, 1));
	m.size = MAP_BYTES + PAGE_SIZE;
	assert_true(permit_l1_allows(&m, MAP_BYTES, 1));
	m.size = 100; /* also if it is no whole page */
	assert_true(permit_l1_allows(&m, 99, 1));
	assert_false(permit_l1_allows(&m, 100, 1));
}

static void what_l1_closes_is_closed(void **state)
{
	static const uint16_t port[] = {0, 1, 0x80, 0x82, 0x8000, 0x8100};

	for (size_t i = 0; i < ARRAY_SIZE(port); i++)
		assert_true(permit_port(&m, false, port[i], 1));
	permit_sync(&m);
	assert_int_equal(open_bits(), 6);
	l1_sets(0x80, true);
	l1_sets(0x8100, true);
	permit_sync(&m);
	assert_int_equal(open_bits(), 4);
	assert_true(closed(0x80) && closed(0x8100));
	l1_sets_all(0xff);
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
	assert_int_equal(m.count, 0);
	l1_sets_all(0);
	permit_sync(&m);
	assert_int_equal(open_bits(), 0); /* opened again only when asked */
}

/* One page of L1's map in no RAM, or one that is L1's no more. */
static void a_map_that_is_gone_is_closed(void **state)
{
	assert_true(permit_port(&m, false, 0x80, 1));
	assert_true(permit_port(&m, false, 0x8080, 1));
	m.l1[1] = HPA(MIB);
	assert_false(permit_port(&m, false, 0x8081, 1));
	permit_sync(&m);
	assert_true(closed(0x8080));
	assert_false(closed(0x80));
	m.l1[0] = HPA(UINT64_MAX & PAGE_MASK);
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
}

static void l1_switches_its_map_off_and_on(void **state)
{
	permit_port(&m, false, 0x80, 4);
	l1_sets_all(0xff);
	m.l1_open = true;
	permit_sync(&m);
	assert_int_equal(open_bits(), 4); /* all that was opened may stay */
	m.l1_open = false;
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
	l1_sets_all(0);
	permit_port(&m, false, 0x80, 4);
	m.l1_closed = true;
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
}

/* --- ports ------------------------------------------------------------------------------------ */

static const unsigned int sizes[] = {1, 2, 4};

/* Ports at every place in a byte, at the end of a page, and the last ones. */
static const uint16_t ports[] = {0,      1,      2,      3,      4,      5,      6,
				 7,      0x3f,   0xcf8,  0x7ffd, 0x7ffe, 0x7fff, 0x8000,
				 0xfff8, 0xfffc, 0xfffd, 0xfffe, 0xffff};

static void an_open_port_is_opened_alone(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			set_up(NULL);
			m.size = sizeof(bits);
			permit_reset(&m);
			assert_true(permit_port(&m, false, ports[i], sizes[s]));
			for (unsigned int n = 0; n < sizes[s]; n++)
				assert_false(closed(ports[i] + n));
			assert_int_equal(open_bits(), sizes[s]);
		}
	}
}

/* Whatever L1's map says: devices are not to be the hardware's. */
static void an_isolated_guests_ports(void **state)
{
	for (unsigned int port = 0; port <= UINT16_MAX; port++)
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
			assert_int_equal(permit_port(&m, true, (uint16_t)port, sizes[s]),
					 (port == 0x80 || port == 0xed) && sizes[s] == 1);
	assert_int_equal(open_bits(), 2);
	l1_sets(0x80, true);
	assert_false(permit_port(&m, true, 0x80, 1));
}

/* One bit of L1's map is enough to close an access, and its neighbours do not count. */
static void try_bit(uint16_t port, unsigned int size, unsigned int bit)
{
	bool inside = bit >= port && bit < port + size;

	set_up(NULL);
	m.size = sizeof(bits);
	permit_reset(&m);
	l1_sets(bit, true);
	assert_int_equal(permit_port(&m, false, port, size), !inside);
	assert_int_equal(open_bits(), inside ? 0 : size);
	m.l1_closed = true;
	assert_false(permit_port(&m, false, port, size));
	m.l1_closed = false;
	m.l1_open = true;
	assert_true(permit_port(&m, false, port, size));
	assert_int_equal(open_bits(), size);
}

static void a_closed_port_stays_closed(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
			for (unsigned int bit = ports[i] ? ports[i] - 1u : 0; bit <= ports[i] + 4u;
			     bit++)
				try_bit(ports[i], sizes[s], bit);
}

/* In a map of exactly the ports, what runs over the last one is closed, also without L1's map. */
static void past_the_last_port(void **state)
{
	for (unsigned int port = PORTS - 8; port < PORTS; port++) {
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			for (int open = 0; open < 2; open++) {
				bool fits = port + sizes[s] <= PORTS;

				set_up(NULL);
				m.l1_open = open;
				assert_int_equal(permit_port(&m, false, (uint16_t)port, sizes[s]),
						 fits);
				assert_int_equal(open_bits(), fits ? sizes[s] : 0);
			}
		}
	}
}

static void closing_half_of_an_access(void **state)
{
	permit_port(&m, false, 6, 4);
	l1_sets(9, true);
	permit_sync(&m);
	assert_true(closed(9));
	assert_false(permit_port(&m, false, 6, 4));
	assert_true(permit_port(&m, false, 6, 2));
	assert_true(closed(9));
	assert_false(closed(6) || closed(7));
}

/* --- the list --------------------------------------------------------------------------------- */

/* Whatever is opened in whatever order: what L1 closes is never left open. */
static void a_full_list(void **state)
{
	for (unsigned int i = 0; i < 5 * PERMIT_OPEN_MAX; i++) {
		permit_open(&m, (uint16_t)(i * 97), (uint8_t)(1u << i % 8));
		assert_false(closed(i * 97 * 8 + i % 8));
		assert_int_equal(m.count, i % PERMIT_OPEN_MAX + 1);
		assert_int_equal(open_bits(), m.count);
	}
	for (unsigned int i = 0; i < 5 * PERMIT_OPEN_MAX; i++) {
		assert_true(permit_port(&m, false, (uint16_t)(7 + 8 * i), 2)); /* two bytes */
		assert_true(m.count <= PERMIT_OPEN_MAX);
	}
	l1_sets_all(0xff);
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
}

/* An access over two bytes of the map ends in a state where it passes, also with a full list. */
static void an_access_over_a_full_list_passes_in_the_end(void **state)
{
	for (unsigned int fill = 0; fill <= PERMIT_OPEN_MAX; fill++) {
		unsigned int tries = 0;

		set_up(NULL);
		for (unsigned int i = 0; i < fill; i++)
			permit_port(&m, false, (uint16_t)(0x1000 + 8 * i), 1);
		while (closed(0x7f) || closed(0x80)) {
			assert_true(permit_port(&m, false, 0x7f, 2));
			assert_true(++tries <= 2);
		}
	}
}

/* An access half of which is open is opened as a whole, and closed as a whole. */
static void opened_twice(void **state)
{
	permit_port(&m, false, 0x100, 1);
	permit_port(&m, false, 0x100, 4);
	assert_int_equal(open_bits(), 4);
	l1_sets_all(0xff);
	permit_sync(&m);
	assert_int_equal(open_bits(), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_is_open_at_first),
		T(a_reset_closes_everything),
		T(what_l1_allows),
		T(l1_without_a_map),
		T(beyond_the_map),
		T(what_l1_closes_is_closed),
		T(a_map_that_is_gone_is_closed),
		T(l1_switches_its_map_off_and_on),
		T(an_open_port_is_opened_alone),
		T(an_isolated_guests_ports),
		T(a_closed_port_stays_closed),
		T(past_the_last_port),
		T(closing_half_of_an_access),
		T(a_full_list),
		T(an_access_over_a_full_list_passes_in_the_end),
		T(opened_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
