# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # dom0.sh has what is used here
# The attacks, and the two guests' lives.

# --- the data file ------------------------------------------------------------------------------------------

attack_flip_data() {
	at=$(area 0)
	flip data $((at * 512 + 100))
	ask read "$at" 2
	judge "$at" 2 1
	flip data $((at * 512 + 100))
	control "$at" 2 1
}

attack_swap_sectors() {
	at=$(area 1)
	copy data $((at * 512)) sector 0 512
	copy data $((at * 512 + 512)) data $((at * 512)) 512
	copy sector 0 data $((at * 512 + 512)) 512
	ask read "$at" 2
	judge "$at" 2 1
	copy data $((at * 512 + 512)) sector 0 512
	copy data $((at * 512)) data $((at * 512 + 512)) 512
	copy sector 0 data $((at * 512)) 512
	control "$at" 2 1
}

attack_replay_sector() {
	at=$(area 2)
	copy data $((at * 512)) sector 0 1024
	write "$at" 8 2
	copy data $((at * 512)) sector 1024 1024
	copy sector 0 data $((at * 512)) 1024
	ask read "$at" 2
	judge "$at" 2 2
	copy sector 1024 data $((at * 512)) 1024
	control "$at" 2 2
}

# The last 64 KiB of the file, while the device model has it open.
attack_truncate() {
	bytes=$(wc -c <data)
	at=$((bytes / 512 - 128))
	copy data $((at * 512)) sector 0 65536
	truncate -s $((at * 512)) data
	ask read "$at" 2
	judge "$at" 2 1
	copy sector 0 data $((at * 512)) 65536
	control "$at" 2 1
}

# --- the device model ---------------------------------------------------------------------------------------

read_of_a_liar() { # AREA LIE
	at=$(area "$1")
	lying "$2" read "$at" 2
	judge "$at" 2 1
	control "$at" 2 1
}

attack_short_read() { read_of_a_liar 3 short; }
attack_withhold() { read_of_a_liar 4 withhold; }
attack_dma_flip() { read_of_a_liar 5 flip; }
attack_dma_exchange() { read_of_a_liar 6 exchange; }

# Changed again and again, also after it was looked at. Several commands in a row have the same buffer, and the first alone
# begins a race: what a race changes after the command is still that buffer.
attack_dma_race() {
	at=$(area 7) wrong=0 errors=0 reads=0 right=$(sum "$(area 7)" 16 1)
	# As the moment has it, a read meets no change, or an even number of them.
	while [ $reads -lt 8 ] || { [ $((wrong + errors)) = 0 ] && [ $reads -lt 80 ]; }; do
		reads=$((reads + 1))
		lying "race $((at * 512))" read "$at" 2 8
		case $reply in
		error) errors=$((errors + 1)) ;;
		"$right") ;;
		nothing) break ;;
		*) wrong=$((wrong + 1)) ;;
		esac
	done
	control "$at" 2 1
	if [ $wrong -gt 0 ]; then
		verdict succeeded "$wrong of $reads reads have wrong bytes, and no error"
	elif [ $errors -gt 0 ]; then
		verdict failed "of $reads reads $errors have errors, the others the right bytes"
	else
		verdict untried "none of $reads reads has met a change"
	fi
}

# The guest must not take its write for lost, or changed, without being told.
write_of_a_liar() { # AREA LIE
	at=$(area "$1")
	lying "$2" write "$at" 8 2
	[ "$reply" = "done" ] || verdict untried "the guest was told at once: $reply"
	ask read "$at" 2
	judge "$at" 2 2
	write "$at" 8 3
	control "$at" 2 3
}

attack_drop_write() { write_of_a_liar 8 drop; }
attack_change_write() { write_of_a_liar 9 change; }

# --- the sidecar --------------------------------------------------------------------------------------------

leaf_of() { # SECTOR: where its two slots are
	echo $((8192 + 2 * journal + 8192 * ($1 / 256)))
}

nodes_refused() { netherctl disks | sed -n 's/.*: live, .* sectors, \([0-9]*\) nodes.*/\1/p'; }

counted() { # BEFORE
	[ "$(nodes_refused)" -gt "$1" ] || verdict untried "the monitor has refused no node"
}

flip_node() { # SECTOR BYTE, in both slots
	flip sidecar $(($(leaf_of "$1") + $2))
	flip sidecar $(($(leaf_of "$1") + 4096 + $2))
}

spoil_node() { # AREA BYTE
	at=$(area "$1") before=$(nodes_refused)
	flip_node "$at" "$2"
	ask read "$at" 2
	must_fail
	counted "$before"
	flip_node "$at" "$2"
	control "$at" 2 1
	verdict failed "$outcome"
}

attack_flip_tag() { spoil_node 10 3; }
attack_flip_node() { spoil_node 11 4000; }

swap_nodes() { # SECTOR, and the next leaf
	leaf=$(leaf_of "$1")
	copy sidecar "$leaf" sector 0 8192
	copy sidecar $((leaf + 8192)) sidecar "$leaf" 8192
	copy sector 0 sidecar $((leaf + 8192)) 8192
}

attack_swap_nodes() {
	at=$(area 12) before=$(nodes_refused)
	swap_nodes "$at"
	ask read "$at" 2
	must_fail
	ask read $((at + 256)) 2
	must_fail
	counted $((before + 1))
	swap_nodes "$at"
	control "$at" 2 1
	control $((at + 256)) 2 1
	verdict failed "$outcome"
}

# --- netherd ------------------------------------------------------------------------------------------------

attack_netherd_stalls() {
	at=$(area 14)
	kill -STOP "$(netherd_pid)"
	send read "$at" 2
	answer 3
	kill -CONT "$(netherd_pid)"
	[ "$reply" = nothing ] || verdict untried "it was not needed: $reply"
	answer
	[ "$reply" != error ] || verdict succeeded "the guest that waited has a disk error"
	judge "$at" 2 1
}

attack_netherd_lies() {
	at=$(area 15) before=$(nodes_refused)
	kill_netherd
	start_netherd /disk/lying/netherd
	lying "node $(leaf_of "$at")" read "$at" 2
	must_fail
	counted "$before"
	control "$at" 2 1
	verdict failed "$outcome"
	kill_netherd
	start_netherd /usr/bin/netherd
}

# It dies with half of a record written; the next one does all of it.
attack_netherd_dies() {
	at=$(area 17)
	kill_netherd
	start_netherd /disk/lying/netherd
	echo die >"$lie"
	send write "$at" 8 2
	await 30 gone || verdict untried "it does not die"
	rm -f "$lie"
	answer 1
	[ "$reply" = nothing ] || verdict untried "it was not needed: $reply"
	start_netherd /usr/bin/netherd
	answer
	[ "$reply" = "done" ] || verdict succeeded "the write is lost: $reply"
	echo "$at 8 2" >>flushed
	ask read "$at" 2
	[ "$reply" != error ] || verdict succeeded "the write is lost"
	judge "$at" 2 2
}

# A copy of all of it, for a second guest.
attack_second_guest() {
	mkdir fork
	cp data sidecar fork
	refused "in use by another guest" fork/data fork/sidecar ",receipt=/disk/receipt.1,consent"
	rm -r fork
	verdict failed "$outcome"
}

# --- the end of the first guest, in the middle of writes -------------------------------------------------------

# A list is with netherd, and so a write under way, when the guest ends.
cut_off() {
	at=$(area 18)
	write "$at" 8 2
	echo "$at 8 2" >>flushed
	ask unflushed $((at + 8)) 8 2
	kill -STOP "$(netherd_pid)"
	send unflushed $((at + 16)) 8 2
	answer 3
	[ "$reply" = nothing ] || cut_off="it was not needed: $reply"
	xl destroy disk
	kill -CONT "$(netherd_pid)"
	await 60 gone || die "netherd does not end"
	guest-destroy-all
	mkdir cut
	cp data sidecar cut
}

recover() { # FOLDER: its disk, in FOLDER/disk
	rm -f "$1/disk" "$1/receipt"
	(
		cd "$1" &&
			/disk/nether-image recover --key /disk/key --receipt /disk/receipt.1 --receipt-out receipt data sidecar &&
			/disk/nether-image decrypt --quiet --key /disk/key --receipt receipt data sidecar disk
	) >recover.log 2>&1
}

# Sectors of the file that have another version than they must have.
lost() { # FILE
	while read -r at count version; do
		[ "$(dd if="$1" bs=512 skip="$at" count="$count" 2>/dev/null | md5sum | cut -c 1-32)" = \
			"$(sum "$at" "$count" "$version")" ] || echo "$at"
	done <flushed
}

# Any of the versions 1 and 2.
neither() { # FILE FIRST COUNT
	for at in $(seq "$2" $(($2 + $3 - 1))); do
		is=$(dd if="$1" bs=512 skip="$at" count=1 2>/dev/null | md5sum | cut -c 1-32)
		[ "$is" = "$(sum "$at" 1 1)" ] || [ "$is" = "$(sum "$at" 1 2)" ] || echo "$at"
	done
}

attack_destroy_writing() {
	[ -z "$cut_off" ] || verdict untried "$cut_off"
	refused "not closed" cut/data cut/sidecar ",receipt=/disk/receipt.1"
	if ! recover cut; then
		verdict succeeded "it cannot be recovered: $(tail -n 1 recover.log)"
	elif [ -n "$(lost cut/disk)" ]; then
		verdict succeeded "flushed writes are lost"
	elif [ -n "$(neither cut/disk $(($(area 18) + 8)) 16)" ]; then
		verdict succeeded "a sector is neither old nor new"
	fi
	verdict failed "recovered: what was flushed is new, the rest old or new"
}

# The journal away, and the data of before: back to the last checkpoint, which the owner consents to.
attack_cut_journal() {
	mkdir older
	cp data.1 older/data
	cp sidecar older
	dd if=/dev/zero of=older/sidecar bs=4096 seek=2 count=$((2 * journal / 4096)) conv=notrunc 2>/dev/null
	if ! recover older; then
		verdict failed "$(tail -n 1 recover.log)"
	elif [ -n "$(lost older/disk)" ]; then
		verdict succeeded "flushed writes are lost, by the owner's consent"
	fi
	verdict failed "what was flushed is there"
	rm -r older
}

# --- what comes before the second guest --------------------------------------------------------------------------

attack_replay_image() {
	if [ "$world" = plain ]; then
		at=$(area 2)
		ask read "$at" 2 # of replay-sector, or prepare(): version 2 before
		judge "$at" 2 2
		return
	fi
	cp data.1 old.data
	cp sidecar.1 old.sidecar
	refused "older than the receipt" old.data old.sidecar ",receipt=/disk/receipt"
	attach old.data old.sidecar ,consent || verdict untried "not even by consent: $(tail -n 1 attach.log)"
	rm old.data old.sidecar
	verdict failed "$outcome"
}

attack_replay_sidecar() {
	cp data new.data
	cp sidecar.1 old.sidecar
	refused "older than the receipt" new.data old.sidecar ",receipt=/disk/receipt"
	rm new.data old.sidecar
	verdict failed "$outcome"
}

# An old leaf, in both slots, with the data that it had: done before the guest's start, seen by it.
replay_node() {
	at=$(area 19)
	from=$(leaf_of "$at")
	[ "$(od -An -tx8 -j "$from" -N 4096 sidecar.1 | sort -u | wc -l)" -gt 1 ] || from=$((from + 4096))
	copy sidecar.1 "$from" sidecar "$(leaf_of "$at")" 4096
	copy sidecar.1 "$from" sidecar $(($(leaf_of "$at") + 4096)) 4096
	copy data.1 $((at * 512)) data $((at * 512)) 1024
}

attack_replay_node() {
	at=$(area 19) before=$(nodes_refused)
	ask read "$at" 2
	must_fail
	counted "$before"
	copy sidecar.2 "$(leaf_of "$at")" sidecar "$(leaf_of "$at")" 8192
	copy data.2 $((at * 512)) data $((at * 512)) 1024
	control "$at" 2 2
	verdict failed "$outcome"
}

attack_size() {
	ask size
	if [ "$reply" = "$sectors" ]; then
		verdict failed "the guest sees the image's size"
	else
		verdict succeeded "the guest sees $reply sectors instead of $sectors"
	fi
}

# Forgets all that it is to write, from a flush to the end; then the image is another guest's.
attack_netherd_forgets() {
	at=$(area 20)
	kill_netherd
	start_netherd /disk/lying/netherd
	lying drop write "$at" 8 2
	[ "$reply" = "done" ] || verdict untried "the guest was told at once: $reply"
	before=$(told)
	echo drop >"$lie"
	xl destroy disk
	await 60 gone || die "netherd does not end"
	rm "$lie"
	[ "$(told)" -gt "$before" ] || verdict untried "nobody lied"
	guest-destroy-all
	refused "older than the receipt" data sidecar ",receipt=/disk/receipt"
	verdict failed "$outcome"
}

# --- the two guests ------------------------------------------------------------------------------------------

prepare() { # what attacks on the second guest rely on
	write "$(area 2)" 8 2
	[ "$world" = plain ] || write "$(area 19)" 8 2
}

first_guest() {
	sectors=$(($(wc -c <data) / 512))
	: >/run/lies-told
	cp data data.1
	[ "$world" = plain ] || {
		cp sidecar sidecar.1
		cp receipt receipt.1
	}
	guest_up
	for each in flip_data swap_sectors replay_sector truncate short_read withhold dma_flip dma_exchange dma_race \
		drop_write change_write; do
		attack attack_$each
	done
	[ "$world" = plain ] || for each in flip_tag flip_node swap_nodes netherd_stalls netherd_lies netherd_dies second_guest; do
		attack attack_$each
	done
	prepare
}

second_plain() {
	guest-destroy-all
	cp data.1 data
	truncate -s $(((sectors + 2048) * 512)) data
	guest_up
	attack attack_size
	attack attack_replay_image
	guest-destroy-all
}

second_encrypted() {
	cut_off
	attack attack_destroy_writing over
	attack attack_cut_journal over
	recover . || die "$(cat recover.log)"
	rm -rf disk cut
	attack attack_replay_image over
	attack attack_replay_sidecar over
	guest-destroy-all
	cp data data.2
	cp sidecar sidecar.2
	replay_node
	truncate -s $(((sectors + 2048) * 512)) data
	guest_up
	attack attack_size
	attack attack_replay_node
	attack attack_netherd_forgets over
	guest-destroy-all
}

journal=0
[ "$world" = plain ] || journal=$(od -An -tu4 -j $((4096 + 76)) -N 4 sidecar | tr -d ' ')
first_guest
second_"$world"
echo "dom0.sh: all done"
