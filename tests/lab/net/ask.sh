# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For commands in dom0 that use guests with net/init: `. ask.sh`. It waits by blocking reads only: polling would take the CPU
# that the guests need in an emulator.

cr=$(printf '\r')

# guest_start CFG: starts it, and waits until it is up. It must have been paused by nobody.
guest_start() {
	guest=$(sed -n 's/^ *name *= *"\(.*\)".*/\1/p' "$1")
	xl create -q -p "$1" || return 1
	until tty=$(xenstore-read "/local/domain/$(xl domid "$guest")/console/tty" 2>/dev/null) && [ -c "$tty" ]; do
		usleep 10000
	done
	stty -F "$tty" raw -echo
	xl unpause "$guest" || return 1
	answer "$guest" "NET-GUEST up"
}

# answer GUEST WORD: prints what it says, until a line that begins with WORD, whose rest is $rest.
answer() {
	tty=$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty") || return 1
	exec 4<>"$tty"
	answer_line "$1" "$2"
}

answer_line() {
	while IFS= read -r line <&4; do
		line=${line%"$cr"}
		case $line in
		"NET-GUEST gives up"*) echo "$1: $line" && return 1 ;;
		"$2"*) rest=${line#"$2"} && return 0 ;;
		esac
		[ -z "$line" ] || echo "$1: $line"
	done
	echo "$1: its console ended"
	return 1
}

# ask GUEST COMMAND: it runs there; its output has the guest's name before each line, the status is its own
ask() {
	tty=$(xenstore-read "/local/domain/$(xl domid "$1")/console/tty") || return 1
	exec 4<>"$tty"
	echo "$2" >&4
	answer_line "$1" "NET-DONE" || return 1
	return "${rest# }"
}
