# SPDX-License-Identifier: Apache-2.0
# Programs that run as L1. Included by the top-level Makefile, with B (the build directory) set;
# gives L1_ELFS and the rules that make them.
B ?= build

L1_DIR := tests/lab/l1
L1_PROGRAMS := $(basename $(notdir $(wildcard $(L1_DIR)/*.c)))
L1_ELFS := $(L1_PROGRAMS:%=$(B)/l1/%.elf)
L1_LIB := $(wildcard $(L1_DIR)/lib/*.c $(L1_DIR)/lib/*.S $(L1_DIR)/svm/*.c $(L1_DIR)/svm/*.S)
L1_OBJECTS := $(patsubst $(L1_DIR)/%,$(B)/l1/obj/%.o,$(L1_LIB))
L1_FLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -mgeneral-regs-only -mno-red-zone \
	-fno-omit-frame-pointer -I. -I$(L1_DIR) -MMD -MP

.PHONY: l1
l1: $(L1_ELFS)

$(B)/l1/obj/%.o: $(L1_DIR)/%
	@mkdir -p $(@D)
	$(CC) $(L1_FLAGS) -c -o $@ $<

$(B)/l1/%.elf: $(B)/l1/obj/%.c.o $(L1_OBJECTS) $(L1_DIR)/lib/link.ld
	$(LD) -nostdlib -static -z max-page-size=4096 --no-warn-rwx-segments -T $(L1_DIR)/lib/link.ld -o $@.64 $(filter %.o,$^)
	objcopy -O elf32-i386 $@.64 $@

.SECONDARY: $(L1_OBJECTS) $(L1_PROGRAMS:%=$(B)/l1/obj/%.c.o)
-include $(wildcard $(B)/l1/obj/*.d $(B)/l1/obj/*/*.d)
