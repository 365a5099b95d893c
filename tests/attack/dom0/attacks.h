/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attacks that dom0 can make with Xen's own interfaces. X(name, function, needs). What each is
 * expected to meet is in tests/attack/expect.py.
 */
#ifndef ATTACK_ATTACKS_H
#define ATTACK_ATTACKS_H

#include "tests/attack/dom0/world.h"

#define ATTACKS(X)                                                \
	X("foreign-read", foreign_read, 0)                        \
	X("foreign-search", foreign_search, 0)                    \
	X("search-all", search_all, 0)                            \
	X("old-mapping-read", old_mapping_read, UNSTARTED)        \
	X("dump-core", dump_core, 0)                              \
	X("save-stream", save_stream, 0)                          \
	X("page-walk", page_walk, 0)                              \
	X("ballooned-out-read", ballooned_out_read, 0)            \
	X("freed-page-search", freed_page_search, ACCOMPLICE)     \
	X("write-log", write_log, 0)                              \
	X("mmio-listen", mmio_listen, 0)                          \
	X("foreign-write", foreign_write, 0)                      \
	X("old-mapping-write", old_mapping_write, UNSTARTED)      \
	X("code-write", code_write, 0)                            \
	X("page-table-write", page_table_write, 0)                \
	X("replay-page", replay_page, 0)                          \
	X("copy-page", copy_page, 0)                              \
	X("balloon-replace", balloon_replace, 0)                  \
	X("balloon-replay", balloon_replay, 0)                    \
	X("balloon-take", balloon_take, 0)                        \
	X("unmap-page", unmap_private, 0)                         \
	X("populate-over", populate_over, 0)                      \
	X("swap-pages", swap_pages, 0)                            \
	X("swap-while-running", swap_while_running, 0)            \
	X("move-page", move_page, 0)                              \
	X("shared-info-over", shared_info_over, 0)                \
	X("grant-frame-over", grant_frame_over, 0)                \
	X("ioreq-page-over", ioreq_page_over, 0)                  \
	X("host-frame-over", host_frame_over, 0)                  \
	X("declare-mmio", declare_mmio, 0)                        \
	X("declare-read-only", declare_read_only, 0)              \
	X("grant-forged-read", grant_forged_read, 0)              \
	X("grant-forged-write", grant_forged_write, 0)            \
	X("two-guests-read", two_guests_read, ACCOMPLICE)         \
	X("two-guests-write", two_guests_write, ACCOMPLICE)       \
	X("all-ram-search", all_ram_search, ACCOMPLICE)           \
	X("xenctx", xenctx_read, HOLD)                            \
	X("hvmctx", hvmctx_read, HOLD)                            \
	X("registers-read", registers_read, HOLD)                 \
	X("system-read", system_read, HOLD)                       \
	X("vectors-read", vectors_read, HOLD_ALL)                 \
	X("registers-write", registers_write, HOLD)               \
	X("system-write", system_write, HOLD)                     \
	X("vectors-write", vectors_write, HOLD_ALL)               \
	X("steer", steer, 0)                                      \
	X("clock-back", clock_back, 0)                            \
	X("clock-emulated", clock_emulated, 0)                    \
	X("single-step", single_step, EVENTS)                     \
	X("processor-added", processor_added, TWO)                \
	X("processor-reset", processor_reset, 0)                  \
	X("inject-page-fault", inject_page_fault, EVENTS)         \
	X("inject-double-fault", inject_double_fault, EVENTS)     \
	X("inject-machine-check", inject_machine_check, EVENTS)   \
	X("inject-system-call", inject_system_call, EVENTS)       \
	X("message-system-call", message_system_call, EVENTS)     \
	X("message-machine-check", message_machine_check, EVENTS) \
	X("trigger-nmi", trigger_nmi, EVENTS)

#define X(name, function, needs) void function(struct world *w);
ATTACKS(X)
#undef X

#endif
