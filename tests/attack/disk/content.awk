# SPDX-License-Identifier: Apache-2.0
# What sectors hold: their own number and a version. awk -v first=N -v count=N -v version=V -f content.awk
BEGIN {
	for (i = 0; i < count; i++) {
		text = sprintf("sector %d version %s. ", first + i, version)
		while (length(text) < 512)
			text = text text
		printf "%s", substr(text, 1, 512)
	}
}
