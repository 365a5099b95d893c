# SPDX-License-Identifier: Apache-2.0
# build/attack/l1-svm.elf and l1-vmx.elf: the attacks of a hostile L1, linked with the library of
# tests/lab/l1. One object tree for each vendor, as there.
ATTACK_L1_DIR := tests/attack/l1
ATTACK_L1_COMMON := $(filter-out $(ATTACK_L1_DIR)/svm% $(ATTACK_L1_DIR)/vmx%,$(wildcard $(ATTACK_L1_DIR)/*.c))
attack_l1_objects = $(patsubst $(ATTACK_L1_DIR)/%,$(B)/attack/l1-$(1)/%.o,\
	$(ATTACK_L1_COMMON) $(wildcard $(ATTACK_L1_DIR)/$(1)*.c))
ATTACK_L1_ELFS := $(B)/attack/l1-svm.elf $(B)/attack/l1-vmx.elf
TOOLS += $(ATTACK_L1_ELFS)

define attack_l1
$(B)/attack/l1-$(1)/%.c.o: $(ATTACK_L1_DIR)/%.c
	@mkdir -p $$(@D)
	$$(say) CC $$<
	$$(Q)$$(CC) $$(L1_FLAGS) -fno-jump-tables -fno-tree-loop-distribute-patterns -I$(L1_DIR)/$(1) -c -o $$@ $$<
$(B)/attack/l1-$(1).elf: $(call attack_l1_objects,$(1)) $(B)/l1/obj-$(1)/lib.a $(ATTACK_L1_DIR)/link.ld
	$$(say) LD $$@
	$$(Q)$$(LD) -nostdlib -static -z max-page-size=4096 --no-warn-rwx-segments -T $(ATTACK_L1_DIR)/link.ld \
		-o $$@.64 $$(filter %.o %.a,$$^)
	$$(Q)objcopy -O elf32-i386 $$@.64 $$@
-include $(patsubst %.o,%.d,$(call attack_l1_objects,$(1)))
endef
$(eval $(call attack_l1,svm))
$(eval $(call attack_l1,vmx))

.PHONY: attack-l1
attack-l1: $(ATTACK_L1_ELFS) all
	@tests/attack/l1/run $(if $(HW),--hw $(HW)) $(T)
