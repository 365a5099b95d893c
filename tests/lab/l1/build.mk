# SPDX-License-Identifier: Apache-2.0
# Programs that run as L1. Included by the top-level Makefile, with B (the build directory) set;
# gives L1_ELFS and the rules that make them. svm-NAME.c is linked with lib/ and svm/, vmx-NAME.c with
# lib/ and vmx/; any other program is built for both, as NAME.elf (SVM) and vmx-NAME.elf.
B ?= build

L1_DIR := tests/lab/l1
L1_SOURCES := $(basename $(notdir $(wildcard $(L1_DIR)/*.c)))
L1_BOTH := $(filter-out svm-% vmx-%,$(L1_SOURCES))
L1_SVM := $(filter svm-%,$(L1_SOURCES)) $(L1_BOTH)
L1_VMX := $(filter vmx-%,$(L1_SOURCES))
L1_ELFS := $(L1_SVM:%=$(B)/l1/%.elf) $(L1_VMX:%=$(B)/l1/%.elf) $(L1_BOTH:%=$(B)/l1/vmx-%.elf)
L1_FLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -mgeneral-regs-only -mno-red-zone \
	-fno-omit-frame-pointer -I. -I$(L1_DIR) -MMD -MP

# $(1) = svm or vmx: its library, and the objects of both it and lib/, in a tree of their own.
l1_objects = $(patsubst $(L1_DIR)/%,$(B)/l1/obj-$(1)/%.o,$(wildcard $(L1_DIR)/lib/*.c $(L1_DIR)/lib/*.S \
	$(L1_DIR)/$(1)/*.c $(L1_DIR)/$(1)/*.S))
L1_SVM_OBJECTS := $(call l1_objects,svm)
L1_VMX_OBJECTS := $(call l1_objects,vmx)

# An archive, so that a program has of lib/ what it uses: tests for both vendors need functions that only
# the programs which run them have.
define l1_link
	$(LD) -nostdlib -static -z max-page-size=4096 --no-warn-rwx-segments -T $(L1_DIR)/lib/link.ld -o $@.64 $(filter %.o %.a,$^)
	objcopy -O elf32-i386 $@.64 $@
endef

.PHONY: l1
l1: $(L1_ELFS)

$(B)/l1/obj-svm/%.o: $(L1_DIR)/%
	@mkdir -p $(@D)
	$(CC) $(L1_FLAGS) -I$(L1_DIR)/svm -c -o $@ $<

$(B)/l1/obj-vmx/%.o: $(L1_DIR)/%
	@mkdir -p $(@D)
	$(CC) $(L1_FLAGS) -I$(L1_DIR)/vmx -c -o $@ $<

$(B)/l1/obj-svm/lib.a: $(L1_SVM_OBJECTS)
$(B)/l1/obj-vmx/lib.a: $(L1_VMX_OBJECTS)
$(B)/l1/obj-%/lib.a:
	@rm -f $@
	$(AR) rcs $@ $^

$(L1_SVM:%=$(B)/l1/%.elf): $(B)/l1/%.elf: $(B)/l1/obj-svm/%.c.o $(B)/l1/obj-svm/lib.a $(L1_DIR)/lib/link.ld
	$(l1_link)

$(L1_VMX:%=$(B)/l1/%.elf): $(B)/l1/%.elf: $(B)/l1/obj-vmx/%.c.o $(B)/l1/obj-vmx/lib.a $(L1_DIR)/lib/link.ld
	$(l1_link)

$(L1_BOTH:%=$(B)/l1/vmx-%.elf): $(B)/l1/vmx-%.elf: $(B)/l1/obj-vmx/%.c.o $(B)/l1/obj-vmx/lib.a $(L1_DIR)/lib/link.ld
	$(l1_link)

.SECONDARY: $(L1_SVM_OBJECTS) $(L1_VMX_OBJECTS) $(L1_SVM:%=$(B)/l1/obj-svm/%.c.o) \
	$(L1_VMX:%=$(B)/l1/obj-vmx/%.c.o) $(L1_BOTH:%=$(B)/l1/obj-vmx/%.c.o)
-include $(wildcard $(B)/l1/obj-*/*.d $(B)/l1/obj-*/*/*.d)
