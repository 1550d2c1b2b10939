#!/bin/sh
# SPDX-License-Identifier: MIT
# disk1.img.sh: makes a virtual disk image of random bytes.

set -eu

max_mib=500 # the course's limit: more only with --force

usage() {
    cat <<USAGE
usage: disk1.img.sh [MiB] [PATH] [--force]
  MiB      size, 1..$max_mib; default 100
  PATH     the image; default disk1.img
  --force  allow more than $max_mib MiB
USAGE
}

refuse() {
    echo "disk1.img.sh: $*" >&2
    usage >&2
    exit 2
}

force=
mib=
path=
for argument in "$@"; do
    case $argument in
    --force) force=yes ;;
    -h | --help) usage && exit 0 ;;
    -*) refuse "unknown option '$argument'" ;;
    '') refuse "an argument is empty" ;;
    *)
        if [ -z "$mib" ]; then
            mib=$argument
        elif [ -z "$path" ]; then
            path=$argument
        else
            refuse "too many arguments, from '$argument' on"
        fi
        ;;
    esac
done
mib=${mib:-100}
path=${path:-disk1.img}

case $mib in
*[!0-9]*) refuse "the size must be a number of MiB, not '$mib'" ;;
????????*) refuse "the size '$mib' is too large" ;;
esac
while [ "${mib#0}" != "$mib" ]; do # the shell would read 010 as 8
    mib=${mib#0}
done
[ -n "$mib" ] || refuse "the size must not be 0"
if [ "$mib" -gt "$max_mib" ] && [ -z "$force" ]; then
    refuse "at most $max_mib MiB, not $mib; --force allows more"
fi
if [ -e "$path" ] && [ ! -f "$path" ]; then
    refuse "'$path' is there and not a file"
fi

# Written beside its place and then moved there: an image is whole or not there at all, and one that
# a service has open stays as it is.
part=$path.part.$$
trap 'rm -f "$part"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if ! dd if=/dev/urandom of="$part" bs=1M count="$mib" iflag=fullblock conv=fsync status=none; then
    echo "disk1.img.sh: cannot write $mib MiB to '$path': is there room?" >&2
    exit 1
fi
mv -f "$part" "$path"
echo "disk1.img.sh: $path has $mib MiB, $((mib * 2048)) sectors"
