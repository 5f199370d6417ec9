"""The rules about the guest and the file tree: one fault for each, and correct variants."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.checks.rules.test_rules import BROKEN as BROKEN_KERNEL
from tests.support.executables import dynamic, program
from tests.support.faults import (
    Fault,
    both,
    directory,
    executable,
    link,
    mode,
    remove,
    replaced,
    write,
)
from tests.support.trees import CLOUD, CLOUD_CONFIG, PACKAGE, STAGES, packed, vm_tree
from zwizard.checks import Mode, Outcome, Severity, all_rules, check
from zwizard.image.tarball import TarballTree

UNITS = "usr/lib/systemd/system"
DEFAULT = "etc/systemd/system/default.target"
WANTED = "etc/systemd/system/cloud-init.target.wants"
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nx\n"
ID = b"0123456789abcdef0123456789abcdef\n"
LSB = "/lib64/ld-lsb-x86-64.so.3"  # the loader of LSB programs, which Debian has no longer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return vm_tree(tmp_path / "image")


def setting(key: str, value: str) -> Fault:
    """A later file of cloud-init's that says otherwise."""
    return write("etc/cloud/cloud.cfg.d/zz-own.cfg", f"{key}: {value}\n".encode())


def netplan(ethernets: str) -> Fault:
    return write("etc/netplan/01.yaml", f"network: {{ethernets: {ethernets}}}".encode())


def sshd(line: str) -> Fault:
    return write("etc/ssh/sshd_config.d/own.conf", f"{line}\n".encode())


def shadow(password: str) -> Fault:
    return write("etc/shadow", f"root:{password}:19518:0:99999:7:::\n".encode())


def unit(name: str, wanted: str = "") -> Fault:
    breaks = write(f"{UNITS}/{name}", b"[Service]\nExecStart=/bin/true\n")
    if not wanted:
        return breaks
    return both(breaks, link_in(f"etc/systemd/system/{wanted}/{name}", f"/{UNITS}/{name}"))


def link_in(name: str, target: str) -> Fault:
    def breaks(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        link(name, target)(root)

    return breaks


def absent(name: str) -> Fault:
    return both(link_in(name, "gone"), remove(name))


def renderers(*names: str) -> Fault:
    return replaced(CLOUD_CONFIG, "[netplan, networkd, eni]", f"[{', '.join(names)}]")


def programs(*names: str) -> Fault:
    return both(*(executable(f"usr/sbin/{name}", "#!/bin/sh\n") for name in names))


def special(name: str) -> Fault:
    return lambda root: os.mkfifo(root / name)


IFUPDOWN = both(
    programs("ifup", "ifdown", "ifquery"), write("etc/network/interfaces", b"auto lo\n")
)
OLD = write(f"{PACKAGE}/version.py", b'__VERSION__ = "22.1"\n')

FIRSTBOOT = both(
    write(f"{UNITS}/systemd-firstboot.service",
          b"[Service]\nExecStart=systemd-firstboot --prompt-locale --prompt-timezone"
          b" --prompt-root-password\n"),
    link_in(f"{UNITS}/sysinit.target.wants/systemd-firstboot.service",
            "../systemd-firstboot.service"),
)  # fmt: skip

BROKEN: list[tuple[str, str, Fault]] = [
    ("cloud-init-installed", "cloud-init is not installed", remove("usr/bin/cloud-init")),
    ("cloud-init-installed", "its Python package cloudinit is missing", remove(PACKAGE)),
    ("cloud-init-installed", "the service cloud-config is missing",
     remove(f"{UNITS}/cloud-config.service")),
    ("cloud-init-enabled", "/etc/cloud/cloud-init.disabled disables it",
     write("etc/cloud/cloud-init.disabled", b"")),
    ("cloud-init-enabled", "has network: {config: disabled}",
     setting("network", "{config: disabled}")),
    ("cloud-init-enabled", "has network: {config: disabled}",
     setting("network", "\n  config: disabled")),
    ("cloud-init-enabled", "has a network of its own", setting("network", "{version: 2}")),
    ("cloud-init-enabled", "has policy: disabled",
     write("etc/cloud/ds-identify.cfg", b"policy: disabled\n")),
    ("cloud-init-enabled", "masked: cloud-init",
     link("etc/systemd/system/cloud-init.service", "/dev/null")),
    ("cloud-init-enabled", "nothing starts cloud-init-local, cloud-init or cloud-init-network",
     remove(WANTED)),
    ("cloud-init-enabled", "nothing starts cloud-final", remove(f"{WANTED}/cloud-final.service")),
    ("cloud-init-enabled", "nothing starts cloud-init-main", unit("cloud-init-main.service")),
    ("cloud-init-enabled", "wanted by cloud-init.target, which nothing starts",
     remove("usr/lib/systemd/system-generators")),
    ("cloud-init-nocloud", "has datasource_list Ec2, None",
     setting("datasource_list", "[Ec2, None]")),
    ("cloud-init-nocloud", "has datasource_list Ec2", setting("datasource_list", "\n- Ec2")),
    ("cloud-init-nocloud", "has datasource_list empty", setting("datasource_list", "[]")),
    ("cloud-init-nocloud", "allows only Ec2",
     write("etc/cloud/ds-identify.cfg", b"datasource: Ec2\n")),
    ("cloud-init-nocloud", "look for the label own instead of cidata",
     setting("datasource", "{NoCloud: {fs_label: own}}")),
    ("cloud-init-clean", "left from an earlier boot: /var/lib/cloud/instance",
     link_in("var/lib/cloud/instance", "/var/lib/cloud/instances/i-1")),
    ("cloud-init-clean", "/var/lib/cloud/sem/config_scripts_per_once.once",
     write("var/lib/cloud/sem/config_scripts_per_once.once", b"1")),
    ("cloud-init-clean", "a seed that cloud-init uses instead of",
     write("var/lib/cloud/seed/nocloud/user-data", b"x")),
    ("cloud-init-network-clean", "written for another machine: /etc/netplan/50-cloud-init.yaml",
     write("etc/netplan/50-cloud-init.yaml", b"network: {version: 2}\n")),
    ("cloud-init-network-clean", "/etc/netplan/01.yaml has 52:54:00:12:34:56",
     netplan("{eth0: {match: {macaddress: '52:54:00:12:34:56'}}}")),
    ("cloud-init-network-clean", "/etc/netplan/01.yaml has 192.168.1.10/24",
     netplan("{all: {match: {name: 'e*'}, addresses: [192.168.1.10/24]}}")),
    ("cloud-init-network-clean", "10-e.network has 10.0.0.5/8",
     write("etc/systemd/network/10-e.network", b"[Network]\nAddress=10.0.0.5/8\n")),
    ("cloud-init-network-clean", "/etc/network/interfaces has 10.0.0.5",
     write("etc/network/interfaces", b"iface eth0 inet static\n  address 10.0.0.5\n")),
    ("network-configured", "netplan refuses /etc/netplan/01.yaml: eth0: unknown key dhcp",
     netplan("{eth0: {dhcp: true}}")),
    ("network-configured", "choose NetworkManager, which is not enabled",
     write("etc/netplan/01.yaml", b"network: {version: 2, renderer: NetworkManager}")),
    ("network-configured", "netplan uses systemd-networkd, which is not installed",
     both(remove(f"{UNITS}/systemd-networkd.service"), unit("NetworkManager.service"))),
    ("cloud-init-network-clean", "/etc/udev/rules.d/70-persistent-net.rules",
     write("etc/udev/rules.d/70-persistent-net.rules", b"x")),
    ("network-renderer", "none of netplan, networkd, eni is installed",
     remove("usr/sbin/netplan")),
    ("network-renderer", "neither systemd-networkd nor NetworkManager is installed",
     remove(f"{UNITS}/systemd-networkd.service")),
    ("network-renderer", "uses networkd, and systemd-networkd is not enabled",
     both(renderers("networkd"), programs("ip", "systemctl"))),
    ("network-renderer", "uses eni, and version 22.1 cannot",
     both(renderers("eni"), IFUPDOWN, OLD)),
    ("network-renderer", "uses eni, and networking is not enabled",
     both(renderers("eni"), IFUPDOWN)),
    ("network-renderer", "NetworkManager is not enabled",
     both(renderers("network-manager"), programs("nmcli"))),
    ("ssh-server", "sshd is not installed", remove("usr/sbin/sshd")),
    ("ssh-server", "nothing starts it", remove("etc/systemd/system/multi-user.target.wants")),
    ("ssh-server", "ConditionPathExists=!/etc/ssh/sshd_not_to_be_run never holds", both(
        write(f"{UNITS}/ssh.service", b"ConditionPathExists=!/etc/ssh/sshd_not_to_be_run"),
        write("etc/ssh/sshd_not_to_be_run", b""))),
    ("cloud-init-enabled", "is not started: ConditionPathExists=/usr/bin/none never holds",
     write("etc/systemd/system/cloud-init-local.service.d/x.conf",
           b"[Unit]\nConditionPathExists = /usr/bin/none\n")),
    ("cloud-init-enabled", "default.target leads to rescue.target",
     both(unit("rescue.target"), link(DEFAULT, "/lib/systemd/system/rescue.target"))),
    ("cloud-init-enabled", "default.target leads to none.target",
     link(DEFAULT, "/lib/systemd/system/none.target")),
    ("cloud-init-enabled", "default.target leads to default.target", link(DEFAULT, "/dev/null")),
    ("ssh-key-login", "PermitRootLogin no", sshd("PermitRootLogin no")),
    ("ssh-key-login", "PubkeyAuthentication no", sshd("PubkeyAuthentication=no")),
    ("ssh-key-login", "AuthorizedKeysFile none", sshd("AuthorizedKeysFile none")),
    ("ssh-key-login", "allowusers excludes root: admin", sshd("AllowUsers admin")),
    ("ssh-key-login", "denyusers names root", sshd("DenyUsers ro*")),
    ("ssh-key-login", "root's shell is /usr/sbin/nologin",
     replaced("etc/passwd", "/bin/bash", "/usr/sbin/nologin")),
    ("ssh-key-login", "refuses root once cloud-init has locked", sshd("UsePAM no")),
    ("ssh-key-login", "root's password has expired", write("etc/shadow", b"root::0:0:99999:7:::")),
    ("ssh-key-login", "root's account has expired", write("etc/shadow", b"root:*:9:0:9:7::1:")),
    ("ssh-starts", "bad configuration option", write("etc/ssh/sshd_config", b"\x80 yes\n")),
    ("ssh-starts", "bad port 222", sshd(f"Port {'2' * 5000}")),
    ("ssh-starts", "own.conf line 1: bad configuration option: ownoption", sshd("OwnOption yes")),
    ("ssh-starts", "sshd's own user", write("etc/passwd", b"root:x:0:0::/root:/bin/bash\n")),
    ("ssh-starts", "listens only to 192.168.1.10:22", sshd("ListenAddress 192.168.1.10:22")),
    ("ssh-starts", "cloud-init makes none", setting("ssh_genkeytypes", "[]")),
    ("ssh-starts", "sshd wants /etc/ssh/own_key", sshd("HostKey /etc/ssh/own_key")),
    ("cloud-init-runs", "it does not run users_groups: root's key is not installed; /etc/cloud/"
     "cloud.cfg is not YAML (line 2: ", write("etc/cloud/cloud.cfg", b"a:\n\tc: d")),
    ("cloud-init-runs", "has allow_userdata: false", setting("allow_userdata", "false")),
    ("cloud-init-runs", "has distro: gentoo2", setting("system_info", "{distro: gentoo2}")),
    ("cloud-init-runs", "settings are ignored; /etc/cloud/cloud.cfg.d/zz-own.cfg is not YAML",
     setting("ntp", "[")),
    ("cloud-init-runs", "has preserve_hostname", setting("preserve_hostname", "true")),
    ("cloud-init-runs", "does not run set_hostname",
     setting("cloud_init_modules", "[mounts, users-groups, ssh]")),
    ("cloud-init-nocloud", "has seedfrom: http://x/",
     setting("datasource", "{NoCloud: {seedfrom: 'http://x/'}}")),
    ("cloud-init-nocloud", "look for the label None",
     setting("datasource", "{NoCloud: {fs_label: null}}")),
    ("network-renderer", "does not know the renderer nm",
     setting("system_info", "{network: {renderers: [nm]}}")),
    ("ssh-host-keys", "/etc/ssh/ssh_host_rsa_key", write("etc/ssh/ssh_host_rsa_key", KEY)),
    ("root-password", "is a hash", shadow("$y$j9T$abc$def")),
    ("root-password", "locked, but its hash is still in the file", shadow("!$6$abc$def")),
    ("no-secrets", "/root/.ssh/authorized_keys",
     write("root/.ssh/authorized_keys", b"ssh-ed25519 AAAA builder@host\n")),
    ("no-secrets", "/home/joe/.ssh/own", write("home/joe/.ssh/own", KEY)),
    ("no-secrets", "/root/.bash_history", write("root/.bash_history", b"mysql -psecret\n")),
    ("no-secrets", "/etc/apt/apt.conf.d/01proxy (a proxy)",
     write("etc/apt/apt.conf.d/01proxy", b'Acquire::http::Proxy "http://10.0.0.1:3142";\n')),
    ("no-secrets", "/etc/environment (a proxy)",
     write("etc/environment", b"HTTPS_PROXY=http://10.0.0.1:3128\n")),
    ("machine-id", "/etc/machine-id has 0123456789", write("etc/machine-id", ID)),
    ("machine-id", "/var/lib/dbus/machine-id has 0123", write("var/lib/dbus/machine-id", ID)),
    ("hostname", "/etc/hostname is buildbox", write("etc/hostname", b"buildbox\n")),
    ("hostname", "(the name of this host)",
     write("etc/hostname", f"{socket.gethostname()}\n".encode())),
    ("resolv-conf", "leads to /run/nowhere, which does not exist",
     link("etc/resolv.conf", "../run/nowhere")),
    ("resolv-conf", "names no name server", write("etc/resolv.conf", b"# none\n")),
    ("resolv-conf", "a file of systemd-resolved, which is not enabled",
     link("etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")),
    ("fstab", "UUID=1234-ABCD /boot/efi vfat", write("etc/fstab", b"UUID=1234-ABCD /boot/efi vfat defaults 0 1\n")),  # noqa: E501
    ("fstab-mounts", "UUID=1234-ABCD /boot/efi vfat",
     write("etc/fstab", b"UUID=1234-ABCD /boot/efi vfat defaults 0 1\n")),
    ("fstab-mounts", "data /data virtiofs", write("etc/fstab", b"data /data virtiofs\n")),
    ("fstab-mounts", "/srv/a /mnt none bind", write("etc/fstab", b"/srv/a /mnt none bind\n")),
    ("first-boot-asks", "asks for timezone", both(
        remove("etc/machine-id"), FIRSTBOOT, absent("etc/localtime"),
        write("usr/share/zoneinfo/UTC", b""))),
    ("first-boot-asks", "asks for root-password", both(
        write("etc/machine-id", b"uninitialized\n"), FIRSTBOOT, shadow("!unprovisioned"))),
    ("first-boot-asks", "asks for locale", both(
        write("etc/machine-id", b"uninitialized\n"), FIRSTBOOT,
        absent("etc/default/locale"), write("usr/lib/locale/locale-archive", b""))),
    ("fstab", "/dev/loop0p3", write("etc/fstab", b"/dev/loop0p3 / ext4 nofail 0 1\n")),
    ("package-cache", "1 packages, 0 MiB, such as /var/cache/apt/archives/vim.deb",
     write("var/cache/apt/archives/vim.deb", b"x")),
    ("tree-mountpoints", "/proc does not exist, /run is a file",
     both(remove("proc", "run"), write("run", b""))),
    ("dev-empty", "1: /dev/null", write("dev/null", b"")),
    ("special-files", "/etc/pipe (fifo)", special("etc/pipe")),
    ("setuid-files", "2 files lose setuid or setgid: /usr/sbin/sudo (4755), /usr/sbin/at (2755)",
     both(programs("sudo", "at"), mode("usr/sbin/sudo", 0o4755), mode("usr/sbin/at", 0o2755))),
    ("build-leftovers", "/proc/1 exists, but /proc must be empty", directory("proc/1")),
    ("build-leftovers", "/sys/class exists", directory("sys/class")),
    ("build-leftovers", "/usr/sbin/policy-rc.d prevents services",
     executable("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")),
    ("build-leftovers", "second stage did not run", directory("debootstrap")),
    ("userland-arch", "/sbin/init: ELF64, ARM64",
     write("usr/lib/systemd/systemd", program(machine=183))),
    ("tree-owners", "1: /root can be written to by others (770)",
     both(directory("root"), mode("root", 0o770))),
    ("tree-modes", "only some users can search /usr (700)", mode("usr", 0o700)),
    ("tree-modes", "systemd-network cannot start /usr/lib/systemd/systemd-networkd: "
     "/usr/lib/systemd cannot be searched by user 998 (750)",
     both(write("etc/passwd", b"root:x:0:0::/root:/bin/bash\nsystemd-network:x:998:998::/:/no\n"),
          write("usr/lib/systemd/systemd-networkd", program()),
          mode("usr/lib/systemd/systemd-networkd", 0o755), mode("usr/lib/systemd", 0o750))),
    ("init-starts", f"/sbin/init needs {LSB} does not exist",
     write("usr/lib/systemd/systemd", dynamic("libc.so.6", interpreter=LSB))),
    ("init-starts", "/sbin/init needs /bin/no does not exist",
     write("usr/lib/systemd/systemd", b"#!/bin/no\n")),
    ("ssh-starts", f"/usr/sbin/sshd needs {LSB} does not exist",
     write("usr/sbin/sshd", dynamic("libc.so.6", interpreter=LSB))),
    ("ssh-starts", "/bin/zsh does not exist",
     write("etc/passwd", b"root:x:0:0:root:/root:/bin/zsh\n")),
    ("cloud-init-runs", "/usr/bin/cloud-init needs /usr/local/bin/python3 does not exist",
     write("usr/bin/cloud-init", b"#!/usr/local/bin/python3\n")),
    ("cloud-init-runs", "/usr/bin/python3.14 does not find the modules os, encodings, json",
     both(write("usr/bin/cloud-init", b"#!/usr/bin/python3\n"),
          write("usr/bin/python3.14", program()), mode("usr/bin/python3.14", 0o755),
          link("usr/bin/python3", "python3.14"))),
    ("userland-arch", "/sbin/init: a text file", write("usr/lib/systemd/systemd", b"hello\n")),
    ("userland-arch", "a script for /bin/sh does not exist",
     write("usr/lib/systemd/systemd", b"#!/bin/sh\n")),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "evidence", "breaks"), BROKEN)
def test_a_broken_guest_fails_in_its_rule_as_directory_and_as_tarball(
    root: Path, tmp_path: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    breaks(root)
    one = check(root, mode="vm")
    two = check(packed(root, tmp_path / "image.tar.gz"), mode="vm")
    finding = one.finding(slug)
    assert finding.outcome is Outcome.FAIL
    assert evidence in finding.evidence
    assert finding.fix
    assert finding.blocks is (finding.severity is Severity.MUST)
    assert not (finding.blocks and one.ready)
    assert [(f.slug, f.outcome, f.severity) for f in one.findings] == [
        (f.slug, f.outcome, f.severity) for f in two.findings
    ]
    assert two.finding(slug).evidence == finding.evidence


def test_every_rule_on_a_vm_is_broken_and_every_must_twice() -> None:
    single = {"kernel-whole"}  # a must with one way
    elsewhere = {"path-colon"}  # on names, below
    broken_rules = [slug for slug, _, _ in (*BROKEN_KERNEL, *BROKEN)]
    for rule in all_rules():
        if Mode.VM in rule.modes and not rule.slug.startswith(("archive", "flist")):
            wanted = 2 if rule.severity is Severity.MUST and rule.slug not in single else 1
            assert broken_rules.count(rule.slug) >= wanted or rule.slug in elsewhere, rule.slug


ARCH = both(
    remove(WANTED, "usr/lib/systemd/system-generators"),
    write(f"{UNITS}/cloud-init.service", b"[Unit]\nWants=cloud-init-local.service\n"),
    write(f"{UNITS}/cloud-final.service", b"[Unit]\nWants=cloud-config.service\n"),
    link_in("etc/systemd/system/multi-user.target.wants/cloud-init.service",
            f"/{UNITS}/cloud-init.service"),
    link_in("etc/systemd/system/multi-user.target.wants/cloud-final.service",
            f"/{UNITS}/cloud-final.service"),
)  # fmt: skip
OPENRC = both(
    remove("usr/sbin/init"), executable("usr/sbin/init", "x"), programs("openrc"),
    *(link_in(f"etc/runlevels/default/{name}", f"/etc/init.d/{name}") for name in STAGES),
    *(executable(f"etc/init.d/{name}", "#!/sbin/openrc-run\n") for name in STAGES),
)  # fmt: skip


@pytest.mark.parametrize(
    ("slug", "breaks"),
    [
        ("cloud-init-enabled", ARCH),
        ("cloud-init-enabled", OPENRC),
        ("cloud-init-enabled", both(
            remove("usr/lib/systemd/system-generators"),
            link_in("etc/systemd/system/multi-user.target.wants/cloud-init.target",
                    f"/{UNITS}/cloud-init.target"))),
        ("cloud-init-enabled", setting("network", "{}  # config: disabled")),
        ("ssh-server", write(f"{UNITS}/ssh.service",
                             b"ConditionPathExists=!/etc/ssh/sshd_not_to_be_run")),
        *(("cloud-init-enabled",
           write("etc/systemd/system/cloud-init-local.service.d/x.conf", condition))
          for condition in (
              b"ConditionPathExists=/run/x\nConditionPathExists=/etc/x", b"X=/usr/none",
              b"ConditionPathExists=/usr/none\nConditionPathExists=",
              b"ConditionPathExists=|/usr/none\nConditionPathExists=/usr/%i")),
        ("cloud-init-nocloud", write(CLOUD_CONFIG, b"x: [Ec2]\n# datasource_list: [Ec2]\n")),
        ("cloud-init-nocloud", setting("datasource_list", "\n  - ConfigDrive\n  - NoCloud\n")),
        ("cloud-init-clean", write("var/lib/cloud/scripts/per-boot/own", b"#!/bin/sh\n")),
        ("cloud-init-clean", lambda root: (root / "var/lib/cloud/instances").mkdir(parents=True)),
        ("cloud-init-network-clean", write("etc/netplan/01.yaml", b"network: {version: 2}\n")),
        ("cloud-init-network-clean",
         write("etc/network/interfaces", b"iface lo inet static\n  address 127.0.0.1\n")),
        ("network-configured", both(
            write("etc/netplan/01.yaml", b"network: {version: 2, renderer: NetworkManager}"),
            unit("NetworkManager.service", "multi-user.target.wants"))),
        ("network-renderer", both(
            renderers("networkd"), programs("ip", "systemctl"),
            unit("systemd-networkd.service", "multi-user.target.wants"))),
        ("network-renderer", both(
            renderers("eni"), IFUPDOWN, unit("networking.service", "multi-user.target.wants"))),
        ("network-renderer", replaced(
            CLOUD_CONFIG, "[netplan, networkd, eni]", "\n      - eni\n      - netplan")),
        ("network-renderer", both(OLD, renderers("netplan"))),
        ("network-renderer", both(
            renderers("network-manager"), programs("nmcli"),
            unit("NetworkManager.service", "multi-user.target.wants"))),
        ("ssh-key-login", sshd("AllowUsers admin\nAllowUsers root@10.0.0.1")),
        ("ssh-key-login", sshd("PermitRootLogin no\nMatch Address 10.*\nPermitRootLogin yes")),
        ("ssh-key-login", sshd("DenyUsers root@10.0.0.1")),
        ("ssh-starts", sshd("ListenAddress 0.0.0.0:22\nListenAddress 10.0.0.1")),
        ("ssh-starts", both(sshd("HostKey /etc/ssh/own_key"), write("etc/ssh/own_key", b""))),
        ("ssh-starts", both(
            setting("ssh_genkeytypes", "[]"),
            write("etc/systemd/system/ssh.service.d/k.conf", b"ExecStartPre=ssh-keygen -A"))),
        ("ssh-starts", both(
            write("etc/passwd", b"root:x:0:0::/root:/bin/bash\n"),
            write("usr/lib/sysusers.d/sshd.conf", b"u  sshd - -\n"))),
        ("cloud-init-runs", setting("x", "&a [*a]")),
        ("ssh-server", both(
            remove("etc/systemd/system/multi-user.target.wants"),
            unit("ssh.socket", "sockets.target.wants"))),
        ("cloud-init-enabled", both(
            unit("graphical.target"), link(f"{UNITS}/default.target", "graphical.target"))),
        ("cloud-init-enabled", both(unit("runlevel3.target"), link(DEFAULT, "runlevel3.target"))),
        ("cloud-init-enabled", both(
            unit("default.target"), link(DEFAULT, f"/{UNITS}/default.target"))),
        ("root-password", shadow("")),
        ("root-password", shadow("!*")),
        ("no-secrets", write("root/.bash_history", b"")),
        ("no-secrets", write("etc/environment", b"PATH=/bin\n# HTTP_PROXY=http://x\n")),
        ("machine-id", write("etc/machine-id", b"uninitialized\n")),
        ("machine-id", remove("etc/machine-id")),
        ("hostname", write("etc/hostname", b"localhost\n")),
        ("resolv-conf", both(
            link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
            unit("systemd-resolved.service", "multi-user.target.wants"))),
        ("fstab-mounts", write("etc/fstab", b"UUID=1-2 / ext4 defaults 0 1\nvroot / virtiofs\n")),
        ("fstab-mounts", write("etc/fstab", b"tmpfs /tmp tmpfs\n/etc /mnt none bind\n")),
        ("fstab-mounts", write("etc/fstab", b"LABEL=CIDATA /seed vfat ro\n/swap none swap sw\n")),
        ("first-boot-asks", both(remove("etc/machine-id"), FIRSTBOOT)),
        ("first-boot-asks", both(
            remove("etc/machine-id"), FIRSTBOOT, write("usr/share/zoneinfo/UTC", b""),
            link("etc/systemd/system/systemd-firstboot.service", "/dev/null"))),
        ("first-boot-asks", both(
            remove("etc/machine-id"), FIRSTBOOT, write("usr/share/zoneinfo/UTC", b""),
            write("usr/lib/locale/locale-archive", b""), write("etc/locale.conf", b"LANG=C"),
            link("etc/localtime", "/usr/share/zoneinfo/UTC"))),
        ("fstab", write("etc/fstab", b"LABEL=data /data ext4 nofail 0 2\ntmpfs /tmp tmpfs\n")),
        ("package-cache", directory("var")),
        ("setuid-files", both(
            programs("sudo"), mode("usr/sbin/sudo", 0o4755),
            write("etc/tmpfiles.d/setuid.conf", b"z /usr/sbin/sudo 4755 root root\n"))),
        ("build-leftovers", executable("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n")),
        ("userland-arch", both(
            write("usr/lib/systemd/systemd", b"#! /bin/own -x\n"),
            write("bin/own", program()))),
    ],
)  # fmt: skip
def test_correct_variants_pass(root: Path, slug: str, breaks: Fault) -> None:
    breaks(root)
    finding = check(root, mode="vm").finding(slug)
    assert finding.outcome is Outcome.PASS, finding.evidence


@pytest.mark.parametrize(
    ("slug", "evidence", "breaks"),
    [
        ("cloud-init-installed", "is not an init system whose services zwizard can read",
         both(remove("usr/sbin/init"), executable("usr/sbin/init", "x"))),
        ("network-renderer", "whether cloud-init is 22.4 or newer",
         both(renderers("eni"), IFUPDOWN, remove(f"{PACKAGE}/version.py"))),
        ("ssh-server", "dropbear is installed instead",
         both(remove("usr/sbin/sshd"), programs("dropbear"))),
        ("ssh-starts", "includes itself repeatedly", sshd("Include sshd_config.d/*.conf")),
        ("root-password", "/etc/shadow has no entry for root", write("etc/shadow", b"")),
        ("no-secrets", "far too large", write("etc/environment", bytes(2 << 20))),
    ],
)  # fmt: skip
def test_undecidable_rules_are_unknown(
    root: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    breaks(root)
    report = check(root, mode="vm")
    finding = report.finding(slug)
    assert finding.outcome is Outcome.UNKNOWN
    assert evidence in finding.evidence
    assert not (finding.blocks and report.ready)


def test_a_colon_in_the_name_is_reported(root: Path, tmp_path: Path) -> None:
    assert check(root, mode="vm").finding("path-colon").outcome is Outcome.PASS
    named = check(root, mode="vm", planned_name="ubuntu:jammy.tar.gz").finding("path-colon")
    assert (named.outcome, named.evidence) == (Outcome.FAIL, "ubuntu:jammy.tar.gz")
    other = root.rename(tmp_path / "ubuntu:jammy")
    assert check(other, mode="vm").finding("path-colon").outcome is Outcome.FAIL


def test_a_mount_in_a_directory_is_a_leftover(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = check(root, mode="vm")
    assert report.finding("build-leftovers").outcome is Outcome.PASS
    monkeypatch.setattr(
        "zwizard.image.directory.DirectoryTree._enter",
        lambda view, entry, info: entry.path != "/proc" or view.mounted.add(entry.path),
    )
    finding = check(root, mode="vm").finding("build-leftovers")
    assert (finding.outcome, finding.evidence) == (Outcome.FAIL, "currently mounted: /proc")
    assert "umount -R /proc" in finding.fix


def test_a_dangling_resolv_conf_is_an_error_only_in_a_container(root: Path) -> None:
    link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")(root)
    machine = check(root, mode="vm", waive=["resolv-conf"]).finding("resolv-conf")
    assert (machine.severity, machine.blocks, machine.waived) == (Severity.SHOULD, False, True)
    container = check(root, mode="container", waive=["resolv-conf"]).finding("resolv-conf")
    assert (container.severity, container.blocks) == (Severity.MUST, True)
    (root / "etc/resolv.conf").unlink()
    missing = check(root, mode="container").finding("resolv-conf")
    assert missing.outcome is Outcome.PASS


def test_dockers_policy_is_not_a_leftover_in_a_container(root: Path) -> None:
    executable("usr/sbin/policy-rc.d", "#!/bin/sh\n# For most Docker users …\nexit 101\n")(root)
    found = check(root, mode="container").finding("build-leftovers")
    assert found.outcome is Outcome.PASS
    assert check(root, mode="vm").finding("build-leftovers").outcome is Outcome.FAIL


def test_the_archive_of_a_good_vm_is_read_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(TarballTree, "_fetch", lambda view, entry: fetched.append(entry.path))
    assert check(packed(root, tmp_path / "image.tar.gz"), mode="vm").ready
    assert fetched == []


def test_the_settings_are_read_as_cloud_init_reads_them(root: Path) -> None:
    assert CLOUD.startswith("#")
    write("etc/cloud/cloud.cfg.d/10-first.cfg", b"datasource_list: [Ec2]\n")(root)
    found = check(root, mode="vm").finding("cloud-init-nocloud")
    assert found.evidence == f"/{CLOUD_CONFIG} has NoCloud, None"
