"""The command lines of QEMU and virtiofsd."""

from __future__ import annotations

from zwizard.boottest.machine.qemu import Direct, Firmware, Machine, virtiofsd

VM = Machine("tcg", Direct("root/boot/vmlinuz-6.1", "root/boot/initrd.img-6.1"))
IMAGE = Machine("kvm", Firmware("/usr/share/a,b/CODE.fd"))


def after(argv: tuple[str, ...], option: str) -> list[str]:
    return [argv[i + 1] for i, word in enumerate(argv) if word == option]


def test_the_kernel_gets_the_command_line_of_zero_os() -> None:
    assert after(VM.qemu("qemu"), "-append") == [
        "rw console=ttyS0 reboot=k panic=1 boot.shell_on_fail"
        " root=vroot rootfstype=virtiofs rootdelay=30"
    ]


def test_the_entrypoint_becomes_init_with_its_arguments() -> None:
    direct = Direct("k", "", "/sbin/zinit init")
    assert direct.cmdline().endswith(" rootdelay=30 init=/sbin/zinit init")


def test_a_vm_boots_its_kernel_with_a_virtiofs_root_and_only_the_seed_disk() -> None:
    argv = VM.qemu("qemu")
    assert after(argv, "-kernel") == ["root/boot/vmlinuz-6.1"]
    assert after(argv, "-initrd") == ["root/boot/initrd.img-6.1"]
    assert "vhost-user-fs-pci,chardev=root,tag=vroot" in after(argv, "-device")
    assert after(argv, "-drive") == ["if=none,id=seed,format=raw,file=seed.img,readonly=on"]
    assert any("share=on" in item for item in after(argv, "-object"))  # or virtiofs cannot work


def test_without_an_initrd_qemu_gets_no_option() -> None:
    assert "-initrd" not in Machine("tcg", Direct("k", "")).qemu("qemu")


def test_an_image_is_a_disk_that_the_firmware_boots_with_the_seed_last() -> None:
    argv = IMAGE.qemu("qemu")
    assert not {"-kernel", "-append", "-initrd"} & set(argv)
    drives = after(argv, "-drive")
    assert drives[0].endswith("readonly=on,file=/usr/share/a,,b/CODE.fd")
    disks = [item for item in after(argv, "-device") if item.startswith("virtio-blk-pci")]
    assert disks == ["virtio-blk-pci,drive=disk", "virtio-blk-pci,drive=seed"]


def test_the_guest_is_reached_at_the_seeds_address_through_a_free_port() -> None:
    (net,) = after(VM.qemu("qemu"), "-netdev")
    assert "hostfwd=tcp:127.0.0.1:0-10.1.3.77:22" in net
    assert "ipv6=off,net=10.1.3.0/24,host=10.1.3.1" in net


def test_qemu_ends_at_a_reset_and_kvm_uses_the_hosts_processor() -> None:
    assert "-no-reboot" in VM.qemu("qemu")
    assert after(VM.qemu("qemu"), "-cpu") == ["max,erms=off,fsrm=off"]
    assert after(IMAGE.qemu("qemu"), "-cpu") == ["host"]


def test_both_kinds_of_virtiofsd_get_their_own_options() -> None:
    old, new = virtiofsd("v", "/w/root", rust=False), virtiofsd("v", "/w/root", rust=True)
    assert after(old, "-o") == ["source=/w/root", "xattr", "sandbox=chroot"]
    assert after(new, "--shared-dir") == ["/w/root"]
    for argv in (old, new):
        assert {"--socket-path=root.sock", "--rlimit-nofile=0"} <= set(argv)


def test_differences_from_a_node_are_reported() -> None:
    assert "cloud-hypervisor" in VM.differs()[0]
    assert "rust-hypervisor-firmware" in IMAGE.differs()[0]
