# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Messages, the cache and its lock.  Everything the lab keeps is an item: a directory of the cache named
# by a hash of what made it, built under another name and renamed when complete.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/lkvm-lab

# 125 is the lab's own failure; a command's status never is confused with it by accident.
lab__die() {
	echo "lab: $*" >&2
	exit 125
}

lab__note() {
	echo "lab: $*" >&2
}

# The Debian packages behind the tools of $@ that are missing, one line of words; nothing when all are there.
lab__missing() {
	local tool
	for tool in "$@"; do
		case $tool in
		libelf) [ -e /usr/include/libelf.h ] || echo libelf-dev ;;
		libcap) [ -e /usr/include/sys/capability.h ] || echo libcap-dev ;;
		libuuid) [ -e /usr/include/uuid/uuid.h ] || echo uuid-dev ;;
		keyring) [ -e "$DEBIAN_KEYS" ] || echo debian-archive-keyring ;;
		*) command -v "$tool" >/dev/null || case $tool in
			apt-get | apt-cache | apt-config) echo apt ;;
			dpkg-deb) echo dpkg ;;
			flock) echo util-linux ;;
			strip) echo binutils ;;
			*) echo "$tool" ;;
			esac ;;
		esac
	done | sort -u | xargs
}

# lab__need WHAT TOOL...: dies unless the machine has them all.
lab__need() {
	local what=$1 missing
	shift
	missing=$(lab__missing "$@")
	[ -z "$missing" ] ||
		lab__die "$what: missing on this machine: install $missing (lab prepare --install-deps does)"
}

# One preparation at a time: a second run waits here, and then finds everything made.  Held until exit or
# cache__unlock.
cache__lock() {
	[ -z "${LOCK_FD:-}" ] || return 0
	mkdir -p "$CACHE" || lab__die "cannot make the cache: $CACHE: check its permissions or set XDG_CACHE_HOME"
	lab__need "locking the cache" flock
	exec {LOCK_FD}>"$CACHE/lock"
	flock -n "$LOCK_FD" || {
		lab__note "another run is preparing the lab; waiting for it"
		flock "$LOCK_FD"
	}
	# With the lock held, whatever is half made is of a run that died.
	rm -rf "$CACHE"/tmp.*
}

cache__unlock() {
	[ -n "${LOCK_FD:-}" ] || return 0
	exec {LOCK_FD}>&-
	LOCK_FD=
}

# The first 12 digits of the hash of standard input.
cache__hash() {
	sha256sum | cut -c 1-12
}

# cache__make DIR MAKER [ARG]...: makes DIR, which is in the cache, by running MAKER with ARGs in an empty
# directory.  Lock held.
cache__make() {
	local dir=$1 tmp
	shift
	tmp=$CACHE/tmp.${dir##*/}
	mkdir -p "$tmp" || lab__die "cannot write to the cache: $CACHE: check its permissions and its room"
	# In a process group of its own, so that a kernel build ends with the run that started it.
	set -m
	(cd "$tmp" && "$@") </dev/null &
	MAKER=$!
	set +m
	trap 'kill -- -$MAKER; exit 143' INT TERM HUP
	wait "$MAKER" || exit 125
	trap - INT TERM HUP
	mv "$tmp" "$dir" || lab__die "cannot write to the cache: $CACHE: check its permissions and its room"
}
