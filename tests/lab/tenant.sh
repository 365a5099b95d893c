# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# A tenant on this machine, and a host in the lab whose guest `demo` is the tenant's: what `make run` and the tests of attestation share.
# Sourced, in the top folder. Everything is in the folder $story: tenant/ is the tenant's, host/ goes over dom0's root.
lab= # the process of the host that runs

# story_new DIR: an empty one
story_new() {
	story=$1
	rm -rf "$story"
	mkdir -p "$story/tenant" "$story/host/etc/nethervisor/vms"
	tests/lab/lab images
}

# story_prepare DIR: keys, certificate, an encrypted image of the test guest hvm-disk
story_prepare() {
	story_new "$1"
	story_tenant
	story_operator
}

# The disk has 64 bytes beside its label that are this story's alone: the guest has them in its cache, and prints them nowhere.
story_tenant() {
	marker=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
	cp --sparse=always build/lab/guests/disk.img "$story/tenant/plain"
	printf %s "$marker" | dd of="$story/tenant/plain" bs=1 seek=$((1024 * 512 + 64)) conv=notrunc status=none
	show build/nether-image key new "$story/tenant/disk.key"
	show build/nether-image encrypt --quiet --key "$story/tenant/disk.key" --receipt-out "$story/tenant/receipt" \
		"$story/tenant/plain" "$story/tenant/data" "$story/tenant/sidecar"
	show build/nether-attest key new "$story/tenant/identity"
}

# What the host's operator does, and what he tells the tenant: a token, the hash of the server's key.
story_operator() {
	local etc=$story/host/etc/nethervisor

	build/netherd-api --make-certificate "$etc" >/dev/null
	(umask 077; build/netherd-api --new-token tenant >"$story/new-token")
	(umask 077; head -n 1 "$story/new-token" >"$story/tenant/token")
	tail -n 1 "$story/new-token" >"$etc/tokens"
	rm "$story/new-token"
	pin=$(openssl x509 -noout -pubkey -in "$etc/cert.pem" | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1)
	chmod 644 "$etc/cert.pem"
	cat >"$etc/netherd-api.conf" <<-END
		listen = 0.0.0.0:8443
		certificate = /etc/nethervisor/cert.pem
		key = /etc/nethervisor/key.pem
		reserve_mib = 8
	END
	sed -e 's#hvm-disk#demo#g' -e "s#^disk = .*#disk = [ '/var/lib/nethervisor/vms/demo/data,raw,hda,rw,backendtype=qdisk' ]#" \
		tests/lab/guests/hvm-disk.cfg >"$etc/vms/demo.cfg"
	echo 'on_reboot = "destroy"' >>"$etc/vms/demo.cfg"
	echo tenant >"$etc/vms/demo.tenant"
}

# What dom0 looks for in guest-attack: inverted, or it would find what it has brought along.
story_attacker() {
	mkdir -p "$story/host/attack"
	cp build/attack/disk-search "$story/host/attack/search"
	printf %s "$marker" | python3 -c 'import sys
sys.stdout.buffer.write(bytes(b ^ 0xff for b in sys.stdin.buffer.read()))' >"$story/host/attack/markers"
}

# Those that the lab's TPMs' certificates lead to.
ek_roots() {
	cat build/lab/tpm-ca/issuercert.pem build/lab/tpm-ca/swtpm-localca-rootca-cert.pem
}

# story_trust NAME: the tenant asks the host, the run NAME, for the first time, and makes his policy of that and of what was foretold.
story_trust() {
	local ek

	build/nether-attest evidence save --tls-pin "$pin" --token-file "$story/tenant/token" --known "$story/tenant/known" "$host" \
		"$story/tenant/first.json" >"$story/first.txt" || return 1
	ek=$(sed -En 's/^endorsement key +ok +([0-9a-f]{64})$/\1/p' "$story/first.txt")
	ek_roots >"$story/tenant/ek-roots.pem"
	show build/nether-attest policy init --from "$story/tenant/first.json" --known "$story/tenant/known" --ek "$ek" --ek-root "$story/tenant/ek-roots.pem" \
		--release "build/lab/runs/$1/foretold.yaml" --out "$story/tenant/policy" || return 1
	echo "an emulated IOMMU does not filter interrupts, nor does emulated firmware wipe memory at a reset: for this once he takes it so"
	show sed -i -e 's/dma: \[blocked, interrupts\]/dma: [blocked]/' -e 's/may-be-open: \[\]/may-be-open: [memory]/' "$story/tenant/policy"
}

verify() {
	show build/nether-attest verify --tls-pin "$pin" --token-file "$story/tenant/token" --known "$story/tenant/known" \
		--policy "$story/tenant/policy" "$host"
}

# release DIGEST OPTION..: the keys of the tenant's image to the host's monitor, for a guest of that launch digest
release() {
	local digest=$1

	shift
	show build/nether-attest release --tls-pin "$pin" --token-file "$story/tenant/token" --known "$story/tenant/known" \
		--policy "$story/tenant/policy" --identity "$story/tenant/identity" --image "$story/tenant/receipt" \
		--key "$story/tenant/disk.key" --launch-digest "$digest" --expires 3600 "$@" "$host"
}

# failed_rows FILE: the names of the rows that failed in what `nether-attest verify` has printed
failed_rows() {
	sed -n 's/ *  FAILED  .*$//p' "$1"
}

# host_start NAME SECONDS COMMAND OPTIONS..: boots it; dom0 runs COMMAND once its agent is there. The lab is a process of this one's,
# which has to end it: host_stop, in a trap. Every host has the same initrd, with the first one's COMMAND.
host_start() {
	local name=$1 seconds=$2 command=$3

	shift 3
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	host=127.0.0.1:$port
	host_log=$story/$name.log
	: >"$host_log"
	tests/lab/lab run --boot uefi --tpm tis --tpm-state "$story/tpm" --iommu amdvi --forward "$port:8443" --overlay "$story/host" \
		--initrd-kept "$story/initrd" --name "$name" --timeout "$seconds" --exec "api-up || exit 1; echo 'the agent is there'; $command" "$@" \
		>"$host_log" 2>&1 &
	lab=$!
	host_says 'the agent is there'
}

# host_says REGEX: waits until dom0 has; the line is $line
# shellcheck disable=SC2034
host_says() {
	until line=$(grep -aEm 1 -- "$1" "$host_log"); do
		if ! kill -0 "$lab" 2>/dev/null; then
			tail -n 40 "$host_log"
			return 1
		fi
		sleep 0.5
	done
}

# withstood FILE: whether guest-attack's words in FILE are of a guest that has given nothing away: each place that dom0 can read was
# searched, and has not the secret; of registers there were only zeros
withstood() {
	local place

	for place in ram 'domain=[0-9]+' '/var/lib/nethervisor/vms/demo/data'; do
		[ "$(grep -aEc "^SEARCH $place: [1-9][0-9]{3,} KiB, 0(, control found)?\$" "$1")" = 1 ] || return 1
	done
	[ "$(grep -aEc '^SEARCH pid=[0-9]+: [0-9]+ KiB, 0, control found$' "$1")" = 2 ] || return 1
	# At most ten of twenty looks, with six registers each, found an instruction that L1 carries out.
	[ "$(grep -aEc '^SEARCH ' "$1")" = 5 ] && grep -aEq '^REGISTERS of ([6-9][0-9]|1[0-9][0-9]) that were printed 0 had anything; ' "$1"
}

# host_end: waits until it has ended by itself; its status
host_end() {
	local status=0

	wait "$lab" || status=$?
	lab=
	return $status
}

# host_stop: ends the one that runs, if there is one
host_stop() {
	if [ -n "$lab" ]; then
		kill "$lab" 2>/dev/null || true
		host_end || true
	fi
}

# api METHOD PATH [BODY]: a request of the tenant's by hand
api() {
	curl -sS --max-time 30 --cacert "$story/host/etc/nethervisor/cert.pem" --connect-to "::$host" -X "$1" \
		-H "Authorization: Bearer $(cat "$story/tenant/token")" ${3:+-d "$3"} "https://localhost$2"
}

show() {
	echo "\$ $*"
	"$@"
}
