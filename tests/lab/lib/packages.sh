# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Debian packages, without touching the machine's own set-up: a private apt with sources, state and cache of
# its own fetches them, and dpkg-deb unpacks them into the cache.  Nothing is installed.
#
# A group of packages is resolved once: $CACHE/resolved/GROUP lists its .deb files, which are kept in
# $CACHE/debs.  The newest versions are asked for again only when a file is gone, or with --update.

SUITE=trixie
DEBIAN_KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
APT_TOOLS="apt-get apt-cache apt-config dpkg-deb keyring"
OLDEST_SOURCE=6.15 # VFIO's PASID attach

# What the hermetic root holds: QEMU, what builds the images, and what is good to have in the host.
ROOT_PACKAGES="qemu-system-x86 busybox-static e2fsprogs xz-utils fio strace pciutils acpica-tools
	device-tree-compiler"

# The Debian mirror this machine uses.
packages__mirror() {
	local uri
	# shellcheck disable=SC2016 # for apt
	uri=${LAB_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 2>/dev/null |
		grep -v -- '-security/*$' | head -n 1)}
	# Without package lists apt says nothing: read the sources themselves.
	[ -n "$uri" ] || uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources 2>/dev/null |
		sed -nE 's/^(deb|URIs:)([ \t]+\[[^]]*\])?[ \t]+([^ \t]+\/debian)\/?([ \t].*)?$/\3/p' | head -n 1)
	[ -n "$uri" ] || lab__die "no Debian mirror among this machine's apt sources: set LAB_MIRROR to one's URL"
	echo "${uri%/}"
}

# The private apt, with its package lists up to date; once per run.
packages__apt() {
	local apt=$CACHE/apt mirror
	[ -z "${APT_CONFIG:-}" ] || [ "$APT_CONFIG" != "$apt/apt.conf" ] || return 0
	# shellcheck disable=SC2086 # words
	lab__need "fetching packages" $APT_TOOLS
	mirror=$(packages__mirror) || exit 125
	mkdir -p "$apt"/state/lists/partial "$apt"/cache "$apt"/none/partial "$CACHE"/debs/partial
	: >"$apt/status"
	printf "deb [arch=amd64 signed-by=$DEBIAN_KEYS] $mirror %s main\n" $SUITE $SUITE-backports \
		>"$apt/sources.list"
	{
		# How this machine reaches the network is the one thing taken over from its set-up.
		apt-config dump | grep -E '^Acquire::(https?|Retries|ForceIPv[46])\b'
		cat <<-EOF
			Dir::Etc::main "/dev/null";
			Dir::Etc::parts "/dev/null";
			Dir::Etc::sourcelist "$apt/sources.list";
			Dir::Etc::sourceparts "/dev/null";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "/dev/null";
			Dir::State "$apt/state";
			Dir::State::status "$apt/status";
			Dir::Cache "$apt/cache";
			Dir::Cache::archives "$CACHE/debs";
			APT::Architecture "amd64";
			APT::Architectures { "amd64"; };
			APT::Install-Recommends "false";
			APT::Sandbox::User "root";
			Acquire::Languages "none";
		EOF
	} >"$apt/apt.conf"
	export APT_CONFIG=$apt/apt.conf
	lab__note "reading the package lists of $mirror"
	apt-get -qq -o APT::Update::Error-Mode=any update >&2 || lab__die "$mirror: cannot read $SUITE's package lists: check the network, or" \
		"set LAB_MIRROR to a Debian mirror that has $SUITE and $SUITE-backports"
}

# The newest package whose name matches the pattern $1.
packages__newest() {
	apt-cache search --names-only "$1" | cut -d ' ' -f 1 | sort -V | tail -n 1
}

# The packages of group $1 by the newest lists.
packages__of() {
	local name
	case $1 in
	tools)
		echo "$ROOT_PACKAGES"
		return
		;;
	source)
		name=$(packages__newest '^linux-source-[0-9.]+$')
		printf '%s\n' "$OLDEST_SOURCE" "${name#linux-source-}" | sort -VC ||
			lab__die "newest kernel source is ${name:-none}: the lab needs $OLDEST_SOURCE or newer"
		;;
	stock) name=$(packages__newest '^linux-image-6\.12\.[^-]*-cloud-amd64$') ;;
	esac
	[ -n "$name" ] || lab__die "no package for $1 in $SUITE: set LAB_MIRROR to a complete Debian mirror"
	echo "$name"
}

# Fetches the newest of group $1 and records what that is.  Lock held.
packages__fetch() {
	local names list get=download
	packages__apt
	names=$(packages__of "$1") || exit 125
	# With dependencies; none is installed, by the empty status file.  Newer than stable, for QEMU 11: the
	# interrupts of its emulated processors are free of the races that 10 has.
	[ "$1" = tools ] && get="install -t $SUITE-backports"
	# --print-uris leaves out what is there already, so it is shown an empty directory.
	# shellcheck disable=SC2086 # words
	list=$(apt-get -y -qq -o Dir::Cache::archives="$CACHE/apt/none" --print-uris $get $names |
		sed -n "s/^'[^']*' \([^ ]*\.deb\) .*/\1/p") || list=
	[ -n "$list" ] || lab__die "cannot resolve $(xargs <<<"$names"): see apt's message above"
	lab__note "fetching $(wc -w <<<"$list") package(s) for $1: $(xargs <<<"$names")"
	# shellcheck disable=SC2086 # words
	(cd "$CACHE/debs" && apt-get -y -qq --download-only $get $names >&2) ||
		lab__die "cannot fetch $(xargs <<<"$names"): check the network and the room in $CACHE"
	mkdir -p "$CACHE/resolved"
	echo "$list" >"$CACHE/resolved/.$1"
	mv "$CACHE/resolved/.$1" "$CACHE/resolved/$1"
}

packages__here() {
	local deb
	while read -r deb; do
		[ -e "$CACHE/debs/$deb" ] || return 1
	done <"$CACHE/resolved/$1"
}

# packages__item VAR GROUP MAKER [WHAT]: sets VAR to the item, named like VAR, that MAKER makes of GROUP's
# packages (and of WHAT else, text that its hash shall cover), making it when missing.
packages__item() {
	local -n result=$1
	local group=$2 maker=$3 what=${4:-} dir
	result=
	for _ in 1 2; do
		if [ -e "$CACHE/resolved/$group" ]; then
			# The maker is hashed as the shell understands it: comments do not count.
			dir=$CACHE/${1,,}-$({ cat "$CACHE/resolved/$group" && declare -f "$maker" &&
				echo "$what"; } | cache__hash)
			result=$dir
			[ ! -d "$dir" ] || return 0
		fi
		# Missing: make it, after anyone else who is at it.
		if [ -z "${LOCK_FD:-}" ]; then
			cache__lock
			continue
		fi
		break
	done
	[ ! -d "$result" ] || return 0
	if [ -z "$result" ] || ! packages__here "$group"; then
		packages__fetch "$group"
		packages__item "$@"
		return
	fi
	cache__make "$dir" "$maker"
}

packages__unpack() {
	local deb
	lab__need "unpacking packages" dpkg-deb
	while read -r deb; do
		dpkg-deb -x "$CACHE/debs/$deb" . ||
			lab__die "cannot unpack $CACHE/debs/$deb: check the room there, or remove it to fetch it again"
	done <"$CACHE/resolved/$1"
}

root__make() {
	lab__note "unpacking QEMU and tools"
	packages__unpack tools
	# What only a person reads.
	rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info
}

# Makes the hermetic root: $ROOT.
root__prepare() {
	packages__item ROOT tools root__make
	local libs=$ROOT/usr/lib/x86_64-linux-gnu
	ROOT_LD=("$libs/ld-linux-x86-64.so.2" --library-path "$libs:$libs/ceph") # ceph: of fio
}

# Runs a program of the root by the root's own loader: its libraries are newer than the machine's may be.
root__run() {
	local prog=$1
	shift
	"${ROOT_LD[@]}" "$ROOT/usr/$prog" "$@"
}
