#!/bin/sh
# PID 1 of a guest: mounts, modules, sysctls, the NICs that the kernel command line names, dropbear; then one line on the console:
#   rig: ready <kernel release>      or      rig: failed <reason>   (and power off)
# after `rig: init`, which says that it has begun.
# It reads
#   rig.control=<mac>,<address>/<prefix>[,<gateway>]     the control link: SSH listens on its address only; the gateway is
#                                                        used for answers from that address and for nothing else
#   rig.data=<mac>,<address>/<prefix>,<mtu>[,<gateway>]  the measured link; its gateway becomes the default route
#   rig.hostname=<name>
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux

fail() {
    echo "rig: failed $*" >/dev/console
    poweroff -f
    sleep 5
    reboot -f
}

lower() {
    echo "$1" | tr A-F a-f
}

run() {
    said=$("$@" 2>&1) || fail "$*: $said"
}

set_sysctl() {
    # A kernel without this one is no reason to stop: the record keeps the values that matter.
    [ -e "/proc/sys/$1" ] && echo "$2" >"/proc/sys/$1" 2>/dev/null
}

# The interface with MAC address $1, given it has come up within two seconds.
find_nic() {
    tries=0
    while [ $tries -lt 100 ]; do
        for folder in /sys/class/net/*; do
            if [ -e "$folder/address" ] && [ "$(cat "$folder/address")" = "$1" ]; then
                nic=${folder##*/}
                return
            fi
        done
        usleep 20000
        tries=$((tries + 1))
    done
    fail "no interface with MAC $1"
}

# Gives the interface with MAC $2 the name $1, address $3, MTU $4 ("" keeps it).
configure_nic() {
    find_nic "$2"
    run ip link set "$nic" name "$1"
    [ -n "$4" ] && run ip link set "$1" mtu "$4"
    run ip address add "$3" dev "$1"
    run ip link set "$1" up
}

# What follows may start before the link has a carrier; a first SYN that is lost costs a second.
await_carrier() {
    tries=0
    while [ $tries -lt 100 ]; do
        [ "$(cat "/sys/class/net/$1/carrier")" = 1 ] && return
        usleep 20000
        tries=$((tries + 1))
    done
}

configure_control() {
    [ -n "$2" ] || fail "rig.control=$1,...: no address"
    configure_nic control "$1" "$2" ""
    listen=${2%/*}
    if [ -n "$3" ]; then
        run ip route add default via "$3" dev control table 100
        run ip rule add from "$listen" table 100
    fi
}

configure_data() {
    [ -n "$3" ] || fail "rig.data=$1,...: no address or no MTU"
    configure_nic data "$1" "$2" "$3"
    [ -n "$4" ] && run ip route add default via "$4" dev data
}

echo "rig: init" >/dev/console
/bin/busybox --install -s
mount -t proc -o nosuid,nodev,noexec proc /proc || fail "cannot mount /proc"
run mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
run mount -t devtmpfs -o mode=0755,nosuid devtmpfs /dev
mkdir -p /dev/pts /dev/shm
run mount -t devpts -o mode=0620,ptmxmode=0666,gid=5 devpts /dev/pts
run mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm
run mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs /run
run mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /tmp
# For people and witnesses; a kernel without it serves as well.
mount -t tracefs -o nosuid,nodev,noexec tracefs /sys/kernel/tracing 2>/dev/null
ln -s /proc/self/fd /dev/fd

for module in /lib/rig/modules/*.ko; do
    [ -e "$module" ] && run insmod "$module"
done

# Thousands of client threads (Linux: kernel/fork.c, Documentation/admin-guide/sysctl): the defaults follow the memory's size.
set_sysctl kernel/pid_max 262144
set_sysctl kernel/threads-max 131072
set_sysctl vm/max_map_count 1048576
set_sysctl net/core/somaxconn 65535
# No router solicitations and no duplicate address detection among the counted packets.
set_sysctl net/ipv6/conf/all/disable_ipv6 1
set_sysctl net/ipv6/conf/default/disable_ipv6 1
ulimit -H -n 1048576
ulimit -u unlimited

# A kernel of one's own says all on its way here; from now on the console has errors alone, as with `quiet`.
set_sysctl kernel/printk "4 4 1 7"

run ip link set lo up
name=guest control= data= listen=
for word in $(cat /proc/cmdline); do
    case $word in
    rig.control=*) control=${word#*=} ;;
    rig.data=*) data=${word#*=} ;;
    rig.hostname=*) name=${word#*=} ;;
    esac
done
hostname "$name"
if [ -n "$control" ]; then
    IFS=, read -r mac address gateway <<END
$control
END
    configure_control "$(lower "$mac")" "$address" "$gateway"
fi
if [ -n "$data" ]; then
    IFS=, read -r mac address mtu gateway <<END
$data
END
    configure_data "$(lower "$mac")" "$address" "$mtu" "$gateway"
fi
[ -n "$control" ] && await_carrier control
[ -n "$data" ] && await_carrier data

# dropbear returns when it listens. Keys only, no forwarding, no message of the day; its log stays in the guest.
if [ -n "$listen" ]; then
    [ -s /etc/dropbear/host_ed25519 ] || fail "no host key: the overlay is not there"
    dropbear -E -s -j -k -m -r /etc/dropbear/host_ed25519 -p "$listen:22" -P /run/dropbear.pid 2>/run/dropbear.log ||
        fail "dropbear: $(tail -n 1 /run/dropbear.log)"
fi

echo "rig: ready $(uname -r)" >/dev/console
# Orphans end here; `wait` takes them.
while :; do
    sleep 86400 &
    wait $!
done
