#!/bin/sh
# Install the servers that the tests start for themselves, and leave none of them running.
#
# Does nothing when all are there. Needs apt-get, and root or a sudo that does not ask;
# without these it says so and ends well: tests that need a missing server are skipped.
set -eu

# One a line: package, and a program that only it brings, in whatever version.
PACKAGES="
dovecot-imapd /usr/sbin/dovecot
exim4-daemon-light /usr/sbin/exim4
postgresql /usr/lib/postgresql/*/bin/postgres
pgbouncer /usr/sbin/pgbouncer
iproute2 /sbin/ip
prosody /usr/bin/prosodyctl
ngircd /usr/sbin/ngircd
"

# What Debian lets nobody have beside another one, or what wants to be set up for this machine when it
# is installed, is only unpacked, under build/, from where tests/servers/*.py run it.
servers=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)/build/servers
unpack() {
    name=$1 program=$2
    shift 2
    if [ -x "$servers/$name/$program" ] || ! command -v apt-get >/dev/null; then return 0; fi
    fresh=$(mktemp -d)
    (
        cd "$fresh"
        for package in "$@"; do
            apt-get -q -o APT::Sandbox::User=root download "$package" >/dev/null && dpkg -x "$package"_*.deb unpacked
        done
        mkdir -p "$servers/$name" && cp -R unpacked/. "$servers/$name"
    ) || echo "install.sh: $name cannot be unpacked; its tests are skipped"
    rm -rf "$fresh"
}
unpack courier usr/bin/imapd courier-imap courier-authlib libcourier-unicode4 libgamin0
unpack inn usr/lib/news/bin/innd inn2 inn2-inews libcanlock3
unpack inspircd usr/sbin/inspircd inspircd libhttp-parser2.9 libmariadb3 libmaxminddb0 libre2-9 libtre5

# The Matrix homeserver needs fifty Python packages, none of them ours: an environment of its own, from
# where tests/servers/synapse.py runs it. What a broken attempt left is made anew.
synapse=$servers/synapse
if ! "$synapse/bin/python" -c 'import synapse' 2>/dev/null; then
    rm -rf "$synapse"
    { "$servers/../../.ci/venv" "$synapse" &&
        "$synapse/bin/python" -m pip install --disable-pip-version-check --quiet matrix-synapse; } ||
        echo "install.sh: synapse cannot be installed; its tests are skipped"
fi

missing=$(echo "$PACKAGES" | while read -r package program; do
    # shellcheck disable=SC2086
    [ -z "$package" ] || ls $program >/dev/null 2>&1 || echo "$package"
done)
missing=$(echo $missing)
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "install.sh: no apt-get here; please install: $missing"
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then exec sudo -n sh "$0"; fi
    echo "install.sh: not root, nothing installed; missing: $missing"
    exit 0
fi

# While packages are set up, policy-rc.d answers 101 ("not allowed") to every start of a
# service. One that was there before comes back afterwards, whatever happens. And PostgreSQL
# makes no cluster: the tests make their own.
clusters=/etc/postgresql-common/createcluster.d
policy=/usr/sbin/policy-rc.d
kept=$(mktemp -d)
if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$kept/policy-rc.d"; fi
restore() {
    rm -f "$policy"
    if [ -e "$kept/policy-rc.d" ] || [ -L "$kept/policy-rc.d" ]; then mv "$kept/policy-rc.d" "$policy"; fi
    rmdir "$kept"
    rm -f "$clusters/deskhand.conf"
    rmdir "$clusters" 2>/dev/null || true
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
mkdir -p "$clusters"
echo "create_main_cluster = false" >"$clusters/deskhand.conf"

export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing || {
    apt-get update -q
    apt-get install -y -q --no-install-recommends $missing
}

# Installed is not enabled: neither now nor after the next boot. Only units of what was
# installed just now; a server that the owner of this machine runs is none of our business.
for package in $missing; do
    dpkg -L "$package" "${package%%-*}-core" "${package%%-*}-base" "${package%%-*}-common" 2>/dev/null |
        sed -n 's,.*/systemd/system/\([^/]*\.\(service\|socket\|timer\)\)$,\1,p; s,^/etc/init\.d/\([^/]*\)$,\1.service,p' |
        sort -u | while read -r unit; do
            if command -v systemctl >/dev/null; then systemctl disable "$unit" >/dev/null 2>&1 || true; fi
            if command -v update-rc.d >/dev/null; then update-rc.d "${unit%.*}" disable >/dev/null 2>&1 || true; fi
        done
done
