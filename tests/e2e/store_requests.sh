# SPDX-License-Identifier: MIT
# Each request type, asked by a domain over its ring: answered, refused, or unknown.
. "$(dirname "$0")/functions.sh"

image disk1.img 1
start_service
"$TEST_BIN/store_raw" types || die "the requests of a domain"
client 1 10 --no-record >/dev/null || die "a client fails afterwards"
