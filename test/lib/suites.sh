# Part of ./run: tests on a PostgreSQL that this machine does not have.  The Debian
# suite that has it is fetched with debootstrap, from the mirror that this machine's
# apt uses, and the tests run in there.  Processes and mounts are in namespaces of
# their own, so that nothing is left when they end.
#
# BACKORDER_SUITES=DIR keeps what was fetched in DIR, for the next time.

# Where this machine's own suite comes from.
debian_mirror() {
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		sed -n "s/^$own_suite main //p" | head -n 1
}

# The first suite with this major, oldest suite first.
suite_with() {
	local suite name
	for suite in oldstable stable testing unstable experimental; do
		name=$(wget -qO- "${mirror%/}/dists/$suite/main/binary-$(dpkg --print-architecture)/Packages.xz" |
			xz -dc | grep -x "Package: postgresql-$1") || continue
		[[ -z $name ]] || { say "$suite"; return; }
	done
}

# Some packages cannot be configured without /proc.
in_tree() {
	unshare --mount -- sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$tree" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

# A minimal system with the server, a compiler and what the tests use.  (Within a
# condition, as here, set -e does nothing.)
fetch_suite() {
	local packages=(build-essential libipc-run-perl mount perl python3-django python3-psycopg2)
	local servers=("$major") base=$suite
	[[ $suite != experimental ]] || base=unstable
	debootstrap --variant=minbase "$base" "$tree" "$mirror" || return
	apt-config dump | grep -E '^Acquire::(Check|http|https)' >"$tree/etc/apt/apt.conf.d/90-this-machine" || true
	printf 'force-unsafe-io\n' >"$tree/etc/dpkg/dpkg.cfg.d/unsafe-io"
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod +x "$tree/usr/sbin/policy-rc.d"
	mkdir -p "$tree/etc/postgresql-common"
	printf 'create_main_cluster = false\n' >"$tree/etc/postgresql-common/createcluster.conf"
	if [[ $suite == experimental ]]; then
		printf 'deb %s experimental main\n' "$mirror" >>"$tree/etc/apt/sources.list"
		packages+=(libpq5/experimental)
	fi
	# this machine's own version, to upgrade from
	if [[ -n $own_major ]] && (( own_major < major )); then
		printf 'deb %s %s main\n' "$mirror" "$own_suite" >>"$tree/etc/apt/sources.list"
		servers+=("$own_major")
	fi
	in_tree apt-get -q update || return
	in_tree apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
		install "${packages[@]}" "${servers[@]/#/postgresql-}" || return
	# The packages with the headers depend on clang and llvm, 1.2 GB that nothing here needs.
	mkdir "$tree/srv/headers"
	in_tree bash -c 'cd /srv/headers && apt-get -q download "$@" && for package in *.deb; do dpkg -x "$package" /; done' - \
		"${servers[@]/#/postgresql-server-dev-}" || return
	in_tree apt-get clean
	: >"$tree/ready"
}

# The tests in there: $1 the major, then names.
test_in_suite() {
	local major=$1 suite mirror own_suite own_major tree variable status=0 variables=()
	shift
	(( EUID == 0 )) ||
		die "--pg $major: this machine has no complete PostgreSQL $major, and fetching it into a chroot takes root"
	command -v apt-get >/dev/null || die "--pg $major: there is no apt-get here to say where packages come from"
	command -v debootstrap >/dev/null || want debootstrap "fetches a Debian suite with PostgreSQL $major"
	command -v wget >/dev/null || want wget "looks for the suite"
	command -v xz >/dev/null || want xz-utils "looks for the suite"
	if (( ${#missing[@]} > 0 )); then
		pg_config=none install_packages
	fi
	own_suite=$(. /etc/os-release && say "${VERSION_CODENAME:-}")
	mirror=$(debian_mirror)
	[[ -n $mirror ]] || die "--pg $major: apt names no mirror of $own_suite"
	own_major=$(major_to_install)
	work=$(mktemp -d "${TMPDIR:-/tmp}/backorder.XXXXXX")
	tree=${BACKORDER_SUITES:-$work}/$major
	if [[ ! -e $tree/ready ]]; then
		suite=$(suite_with "$major")
		[[ -n $suite ]] || die "--pg $major: PostgreSQL $major is in no suite of $mirror"
		rm -rf --one-file-system "$tree"
		mkdir -p "$tree"
		if ! job "Fetching PostgreSQL $major: Debian $suite, with debootstrap" "$work/log" fetch_suite; then
			say " failed"
			tail -n 30 "$work/log" >&2
			die "PostgreSQL $major could not be fetched"
		fi
		say " done"
	fi
	rm -rf "$tree/srv/backorder" "$tree/srv/results" "$tree/srv/orders.csv"
	mkdir "$tree/srv/backorder"
	tar -C "$here" --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf - . |
		tar -C "$tree/srv/backorder" --no-same-owner -xf -
	if [[ -r ${BACKORDER_ORDERS_CSV:-$here/../shared/data/superstore_orders.csv} ]]; then
		cp "${BACKORDER_ORDERS_CSV:-$here/../shared/data/superstore_orders.csv}" "$tree/srv/orders.csv"
	fi
	for variable in "${!BACKORDER_@}"; do
		variables+=("$variable=${!variable}")
	done
	[[ ! -e $tree/srv/orders.csv ]] || variables+=(BACKORDER_ORDERS_CSV=/srv/orders.csv)
	variables+=(BACKORDER_RESULTS=/srv/results
		"PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config" "CI=${CI:-}")
	set -m
	unshare --mount --pid --fork --kill-child -- sh -c '
		mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev/shm" || exit 3
		cd / && exec chroot "$0" "$@"' "$tree" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "${variables[@]}" bash /srv/backorder/run test "$@" </dev/null &
	child=$!
	set +m
	wait "$child" || status=$?
	child=
	if [[ -n ${BACKORDER_RESULTS:-} && -d $tree/srv/results ]]; then
		mkdir -p "$BACKORDER_RESULTS"
		cp -r "$tree/srv/results/." "$BACKORDER_RESULTS"
	fi
	return "$status"
}
