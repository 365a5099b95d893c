# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# A tenant on this machine, and a host in the lab whose guest `demo` is the tenant's: what `make run` and the tests of attestation share.
# Sourced, in the top folder. Everything is in the folder $story: tenant/ is the tenant's, host/ goes over dom0's root.

# story_prepare DIR: keys, certificate, an encrypted image of the test guest hvm-disk
story_prepare() {
	story=$1
	rm -rf "$story"
	mkdir -p "$story/tenant" "$story/host/etc/nethervisor/vms"
	tests/lab/lab images
	story_tenant
	story_operator
}

story_tenant() {
	show build/nether-image key new "$story/tenant/disk.key"
	show build/nether-image encrypt --quiet --key "$story/tenant/disk.key" --receipt-out "$story/tenant/receipt" \
		build/lab/guests/disk.img "$story/tenant/data" "$story/tenant/sidecar"
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

# Those that the lab's TPMs' certificates lead to.
ek_roots() {
	cat build/lab/tpm-ca/issuercert.pem build/lab/tpm-ca/swtpm-localca-rootca-cert.pem
}

# host_start NAME SECONDS COMMAND OPTIONS..: boots it; dom0 runs COMMAND once its agent is there. The lab is a process of this one's.
host_start() {
	local name=$1 seconds=$2 command=$3

	shift 3
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	host=127.0.0.1:$port
	tests/lab/lab run --boot uefi --tpm tis --tpm-state "$story/tpm" --iommu amdvi --forward "$port:8443" --overlay "$story/host" \
		--name "$name" --timeout "$seconds" --exec "api-up || exit 1; echo 'the agent is there'; $command" "$@" \
		>"$story/$name.log" 2>&1 &
	lab=$!
	host_says 'the agent is there'
}

# host_says REGEX: waits until dom0 has; the line is $line
host_says() {
	until line=$(grep -aEm 1 -- "$1" "$story"/*.log); do
		if ! kill -0 "$lab" 2>/dev/null; then
			tail -n 40 "$story"/*.log
			return 1
		fi
		sleep 0.5
	done
}

# host_end: its status
host_end() {
	wait "$lab"
}

# at_host COMMAND..: nether-attest, or nether-image upload, with how to reach the host
at_host() {
	local program=$1 verb=$2

	shift 2
	"$program" "$verb" --tls-pin "$pin" --token-file "$story/tenant/token" "$@"
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
