/** What a node's root holds beside its packages, and the script that puts it there. No I/O. */

/** A file of the root. */
export interface RootFile {
  /** Absolute. */
  readonly path: string
  readonly mode: '0644' | '0600'
  readonly text: string
}

/** What the operator decides about the root. */
export interface ContentOptions {
  /** Public keys that may log in as root, one a line. */
  readonly sshKeys: readonly string[]
  readonly consoleLogin: boolean
  /** Seconds since 1970: no clock of a node is before this. */
  readonly epochS: number
  /** Release of the kernel whose modules lie in `modules/` beside the script; undefined: none do. */
  readonly kernelRelease: string | undefined
}

/**
 * The packages of every root. systemd, because plugins bring services for it (Coinboot's do); udev loads drivers and
 * makes the serial console known to systemd; resolved gives the names that a pool has; usr-is-merged keeps Perl out.
 */
export const basePackages = [
  'dbus',
  'iproute2',
  'iputils-ping',
  'kmod',
  'openssh-server',
  'systemd-resolved',
  'systemd-sysv',
  'systemd-timesyncd',
  'udev',
  'usr-is-merged',
] as const

/** What dpkg leaves out: manuals are useless on a rig. Copyright files stay. */
export const dpkgOptions = [
  // The tree is thrown away if the machine dies, and lies in memory on a node.
  'force-unsafe-io',
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/lintian/*',
] as const

/** Services that are of use on a machine with disks only, or that would make every boot longer. */
const masked = [
  'apt-daily-upgrade.timer',
  'apt-daily.timer',
  'dpkg-db-backup.timer',
  'fstrim.timer',
  'systemd-firstboot.service',
  'systemd-hwdb-update.service',
  'systemd-pstore.service',
  'systemd-random-seed.service',
  'systemd-repart.service',
] as const

/** The files of the root that no package brings. */
function rootFiles({ sshKeys, consoleLogin }: ContentOptions): readonly RootFile[] {
  const files: RootFile[] = [
    plain('/etc/fstab', '# No disks: the root lies in memory.'),
    plain('/etc/hosts', '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback'),
    plain('/etc/default/locale', 'LANG=C.UTF-8'),
    plain('/etc/locale.conf', 'LANG=C.UTF-8'),
    plain('/etc/systemd/network/20-wired.network', network),
    plain('/etc/systemd/system/systemd-networkd-wait-online.service.d/bootswarm.conf', waitOnline),
    plain('/etc/systemd/system/ssh-host-keys.service', hostKeys),
    plain('/etc/systemd/journald.conf.d/bootswarm.conf', '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M'),
    plain('/etc/ssh/sshd_config.d/bootswarm.conf', sshd),
  ]
  if (sshKeys.length > 0) {
    files.push({ path: '/root/.ssh/authorized_keys', mode: '0600', text: `${sshKeys.join('\n')}\n` })
  }
  if (consoleLogin) {
    for (const getty of ['getty@', 'serial-getty@']) {
      files.push(plain(`/etc/systemd/system/${getty}.service.d/bootswarm.conf`, autologin(getty)))
    }
  }
  return files
}

/** A shell script whose first argument is the root; it runs as root, or as root of a user namespace. */
export function customizeScript(options: ContentOptions): string {
  const date = `@${options.epochS}`
  return [
    '#!/bin/sh',
    'set -eu',
    'umask 022',
    'root=$1',
    'put() { mkdir -p "$(dirname "$root$1")"; rm -f "$root$1"; cat > "$root$1"; chmod "$2" "$root$1"; }',
    ...rootFiles(options).map(({ path, mode, text }) => `put ${path} ${mode} <<'${end}'\n${text}${end}`),
    'if [ -d "$root/root/.ssh" ]; then chmod 0700 "$root/root/.ssh"; fi',
    // As the kernel calls them, so in stage 1 and in the root alike.
    'ln -sf /dev/null "$root/etc/systemd/network/99-default.link"',
    'cp "$root/usr/share/systemd/tmp.mount" "$root/etc/systemd/system/tmp.mount"',
    `chroot "$root" systemctl --quiet enable ${enabled.join(' ')}`,
    `chroot "$root" systemctl --quiet mask ${masked.join(' ')}`,
    ...(options.kernelRelease === undefined ? [] : modules(options.kernelRelease)),
    'ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"',
    // Each node makes its own keys, host name and identity.
    'rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/var/lib/dbus/machine-id" "$root/etc/ssh/moduli"',
    ': > "$root/etc/machine-id"',
    'chroot "$root" usermod --password "*" root',
    'rm -f "$root"/etc/passwd- "$root"/etc/shadow- "$root"/etc/group- "$root"/etc/gshadow- "$root"/etc/subuid- "$root"/etc/subgid-',
    'rm -rf "$root"/var/log/journal "$root"/var/log/apt "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/var/lib/systemd/random-seed',
    // systemd sets a clock that is before this file's time forward to it.
    `touch -d ${date} "$root/usr/lib/clock-epoch"`,
    // Nothing under /usr is newer than these: systemd has nothing to bring up to date in each boot.
    `touch -d ${date} "$root/etc/.updated" "$root/var/.updated"`,
    '',
  ].join('\n')
}

const end = 'BOOTSWARM_END'

function modules(release: string): string[] {
  return [
    'mkdir -p "$root/usr/lib/modules"',
    'cp -R "$(dirname "$0")/modules/." "$root/usr/lib/modules/"',
    `chroot "$root" depmod ${release}`,
  ]
}

const enabled = [
  'ssh-host-keys.service',
  'systemd-networkd.service',
  'systemd-resolved.service',
  'systemd-timesyncd.service',
  'tmp.mount',
] as const

/** Stage 1 has set an address and the agent serves peers over it: kept, then renewed as the same DHCP client. */
const network = `[Match]
Type=ether
Kind=!*

[Network]
DHCP=ipv4
KeepConfiguration=yes

[DHCPv4]
ClientIdentifier=mac
UseHostname=no`

const waitOnline = `[Service]
ExecStart=
ExecStart=/lib/systemd/systemd-networkd-wait-online --any --timeout=30`

/** One key, quick to make on a slow processor; every ssh since 2014 takes it. */
const hostKeys = `[Unit]
Description=SSH host key of this boot
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
RequiredBy=ssh.service`

const sshd = `HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no`

function autologin(getty: string): string {
  const line = getty === 'getty@' ? '--noclear - $TERM' : '--keep-baud 115200,57600,38400,9600 - $TERM'
  return `[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root ${line}`
}

function plain(path: string, text: string): RootFile {
  return { path, mode: '0644', text: `${text}\n` }
}
