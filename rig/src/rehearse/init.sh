#!/bin/sh
# The first PID 1 of the emulated KVM host: modules, the host's root read-only below a tmpfs, and then rig itself takes over.
# It says on the console what it cannot do:    rig: failed <reason>    and powers off.
export PATH=/bin:/sbin

fail() {
    echo "rig: failed $*" >/dev/console
    poweroff -f
    sleep 5
    reboot -f
}

run() {
    said=$("$@" 2>&1) || fail "$*: $said"
}

/bin/busybox --install -s
mount -t proc -o nosuid,nodev,noexec proc /proc || fail "cannot mount /proc"
run mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
run mount -t devtmpfs -o mode=0755,nosuid devtmpfs /dev
for module in /lib/rig/modules/*.ko; do
    run insmod "$module"
done
run ip link set lo up

run mkdir /lower /upper /host
run mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose root /lower
run mount -t tmpfs -o mode=0755 tmpfs /upper
run mkdir /upper/files /upper/work
run mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /host
for folder in proc sys dev; do
    run mkdir -p /host/$folder
    run mount --move /$folder /host/$folder
done
# switch_root frees the initramfs and calls chroot only after the root is moved: a real pivot, so user namespaces work too.
program=$(cat /rehearsal/program)
[ -x "/host$program" ] || echo "rig: failed $program is not there: is it on a file system that root cannot see?" >/host/dev/console
exec switch_root -c /dev/console /host "$program" rehearse --as-init
