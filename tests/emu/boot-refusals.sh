#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the monitor can not start from, it says in one line, on serial and on the screen.
# timeout: 420
# shellcheck disable=SC2154 # lib.sh sets run_name
. "$(dirname "$0")/lib.sh"

monitor=build/nethervisor-svm.elf
dir=build/lab/runs/$run_name
svm_cpu=max,-smap,-rdtscp
tests/lab/lab images || fail "the images cannot be built"
rm -rf "$dir"
mkdir -p "$dir"
head -c 100000 build/lab/xen >"$dir/truncated"
gzip -1 <build/lab/xen >"$dir/xen.gz"

# ask_screen LOG: commands for QEMU's monitor, after a FATAL line or 60 s; the text screen's words
ask_screen() {
	i=0
	while [ $i -lt 600 ] && ! grep -q "FATAL: .*$(printf '\r')" "$1" 2>/dev/null; do
		sleep 0.1
		i=$((i + 1))
	done
	sleep 0.3
	echo 'xp /2000hx 0xb8000'
	echo quit
}

# screen_text FILE: the characters in QEMU's dump of the screen, in one line
screen_text() {
	sed -n 's/^0*b[89a-f][0-9a-f]*: //p' "$1" | tr -d '\r' | tr ' ' '\n' | sed -n 's/^0x..//p' |
		while read -r byte; do printf '%b' "\\0$(printf %o "0x$byte")"; done
}

# refused NAME REGEX CPU MB [MODULE]: exactly one FATAL line, which matches, here and on the screen
refused() {
	name=$1 regex=$2 log=$dir/$1.log
	ask_screen "$log" | qemu-system-x86_64 -nodefaults -no-user-config -display none -vga std \
		-accel tcg -machine q35 -no-reboot -cpu "$3" -m "$4" -smp 2 -serial "file:$log" \
		-monitor stdio -kernel $monitor ${5:+-initrd "$5"} >"$dir/$name.screen" 2>&1 ||
		fail "$name: QEMU: $(cat "$dir/$name.screen")"
	line=$(tr -d '\r' <"$log" | grep '^nethervisor: FATAL: ') ||
		fail "$name: no FATAL line: $(tail -n 3 "$log")"
	echo "$name: $line"
	printf '%s\n' "$line" | grep -Eqx "nethervisor: FATAL: .*($regex).*" || fail "$name: unclear"
	[ "$(tr -d '\r' <"$log" | tail -n 1)" = "$line" ] || fail "$name: it is not the last line"
	screen_text "$dir/$name.screen" | grep -qF "$line" || fail "$name: not on the screen"
}

refused no-module "add a 'module' line for Xen" $svm_cpu 512
refused gzip 'gzip-compressed.*run gunzip' $svm_cpu 512 "$dir/xen.gz"
refused elf64 '64-bit ELF.*give the 32-bit' $svm_cpu 512 build/nethervisor-svm.elf64
refused truncated 'cut off|ends within' $svm_cpu 512 "$dir/truncated"
refused not-elf 'not an ELF file: it must be' $svm_cpu 512 README.md
refused memory 'not enough free memory.*needs' $svm_cpu 24 build/lab/xen
refused no-svm 'no SVM: this image needs' qemu64,-svm 512 build/lab/xen
refused no-aes 'cryptography: this CPU lacks AES-NI' $svm_cpu,-aes 512 build/lab/xen
refused no-random 'cryptography: .*neither RDSEED nor RDRAND' $svm_cpu,-rdrand 512 build/lab/xen
refused no-npt 'no nested paging' max,-npt 512 build/lab/xen
