"""The type of a file by its first bytes, never by its name."""

# How much of a file `file_type` wants to see: an ISO 9660 names itself after 32 KiB.
HEAD = 36 << 10

_MAGIC = (
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"\xfd7zXZ\x00", "an xz file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file"),
    (0, b"\x02\x21\x4c\x18", "an lz4 file (legacy frame)"),
    (0, b"\x04\x22\x4d\x18", "an lz4 file"),
    (0, b"\x89LZO", "an lzo file"),
    (0, b"LZIP", "an lzip file"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a rar archive"),
    (0, b"070701", "a cpio archive"),
    (0, b"070702", "a cpio archive"),
    (0, b"!<arch>\n", "an ar archive or Debian package"),
    (0, b"\xed\xab\xee\xdb", "an rpm package"),
    (0, b"QFI\xfb", "a qcow2 disk image"),
    (0, b"KDMV", "a vmdk disk image"),
    (0, b"# Disk DescriptorFile", "a vmdk disk image"),
    (64, b"\x7f\x10\xda\xbe", "a vdi disk image"),
    (0, b"vhdxfile", "a vhdx disk image"),
    (0, b"conectix", "a vhd disk image"),
    (32769, b"CD001", "an ISO 9660 image"),
    (0, b"hsqs", "a squashfs file system"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"\x7fELF", "an ELF program"),
    (514, b"HdrS", "a Linux kernel (bzImage)"),
    (257, b"ustar", "a tar archive that is not compressed"),
    (512, b"EFI PART", "a raw disk image (GPT)"),
    (0, b"#!", "a script"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (510, b"\x55\xaa", "a raw disk image (MBR)"),
    (1080, b"\x53\xef", "an ext2, ext3 or ext4 file system"),
    (0, b"MZ", "an EFI or Windows program"),
    # LZMA has no magic of its own: properties, and the dictionary size every tool writes.
    (0, b"\x5d\x00\x00", "an lzma file"),
)


def file_type(head: bytes) -> str:
    r"""What the file beginning with ``head`` (up to HEAD bytes) is, with its article.

    >>> file_type(b"QFI\xfb...")
    'a qcow2 disk image'
    """
    if not head:
        return "an empty file"
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    if not head.strip(b"\x00"):
        return "a file of zeros"
    if _is_text(head[:512]):
        return "a text file"
    return "a file of an unknown kind"


def _is_text(head: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\n\r\x0c" for byte in head)
