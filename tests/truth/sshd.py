"""What sshd makes of its settings.

Measured with OpenSSH 9.2p1 (Debian 12) in a chroot: `sshd -t`, and `sshd -T -C user=root` with an
address of nobody; tests/real/test_truth.py measures it again. ``real`` is ``starts`` (and root's
key is accepted), ``ends`` (sshd refuses its settings), or the setting of `sshd -T` that refuses
root.
"""

from __future__ import annotations

from tests.support.faults import Fault, both, write
from tests.truth.row import Row

MAIN = "etc/ssh/sshd_config"
INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"


def main(lines: str) -> Fault:
    """sshd_config with these lines behind what Debian has."""
    return write(MAIN, f"{INCLUDE}UsePAM yes\n{lines}\n".encode())


def included(**files: str) -> Fault:
    return both(*(write(f"etc/ssh/sshd_config.d/{name}.conf", text.encode())
                  for name, text in files.items()))  # fmt: skip


def starts(name: str, breaks: Fault) -> tuple[Row, Row]:
    return (Row(name, breaks, "starts", "ssh-starts"),
            Row(name, breaks, "starts", "ssh-key-login"))  # fmt: skip


def ends(name: str, breaks: Fault) -> tuple[Row]:
    return (Row(name, breaks, "ends", "ssh-starts", "should"),)


def refuses(name: str, setting: str, breaks: Fault) -> tuple[Row]:
    return (Row(name, breaks, setting, "ssh-key-login", "should"),)


ROWS = (
    *starts("as-debian", main("")),
    *starts("upper-case", main("PERMITROOTLOGIN Yes")),
    *starts("equals-sign", main("PermitRootLogin=yes")),
    *starts("quoted", main('PermitRootLogin "yes"')),
    *starts("comment-behind", main("PermitRootLogin yes # don't ask")),
    *starts("first-value-wins", main("PermitRootLogin yes\nPermitRootLogin no")),
    *starts("include-comes-first",
            both(main("PermitRootLogin no"), included(a="PermitRootLogin yes\n"))),
    *starts("include-of-nothing", main("Include /etc/ssh/none/*.conf")),
    *starts("deprecated", main("UsePrivilegeSeparation sandbox\nProtocol 2\nServerKeyBits 768")),
    *starts("only-this-sshd-knows", main("DebianBanner no\nPerSourceMaxStartups 3")),
    *starts("match-someone-else", main("Match User git\n  PermitRootLogin no")),
    *starts("match-all-but-root", main("Match User *,!root\n  PubkeyAuthentication no")),
    *starts("match-lets-root-in",
            main("PermitRootLogin no\nMatch User root\nPermitRootLogin yes")),
    *starts("match-in-include-ends-there",
            both(included(a="Match User git\n  X11Forwarding no\n"), main("PrintMotd no"))),
    *starts("match-group", main("Match Group git\n  PubkeyAuthentication no")),
    *starts("allow-with-others", main("AllowUsers admin\nAllowUsers ro?t")),
    *starts("allow-root-group", main("AllowGroups wheel root")),
    *starts("deny-others", main("DenyUsers git\nDenyGroups nobody")),
    *starts("methods-key-is-enough", main("AuthenticationMethods publickey,password publickey")),
    *starts("methods-any", main("AuthenticationMethods any")),
    *starts("ciphers", main("Ciphers aes256-gcm@openssh.com,aes128-ctr\nMACs -hmac-sha1*")),
    *starts("rare-cipher", main("Ciphers +3des-cbc")),
    *ends("unknown-option", main("GarbageOption yes")),
    *ends("unknown-in-include", included(z="PermitRotLogin yes\n")),
    *ends("unknown-below-match", main("Match User git\n  Nothing yes")),
    *ends("client-option", main("StrictHostKeyChecking no")),
    *ends("newer-option", main("RefuseConnection yes")),
    *ends("no-argument", main("PermitRootLogin")),
    *ends("bad-value", main("PermitRootLogin maybe")),
    *ends("bad-flag", main("PasswordAuthentication false")),
    *ends("bad-port", main("Port ssh22")),
    *ends("two-arguments", main("PubkeyAuthentication yes no")),
    *ends("open-quote", main('Banner "/etc/issue')),
    *ends("global-below-match", main("Match User git\n  ForceCommand x\nUsePAM yes")),
    *ends("include-below-match-with-global",
          both(main("Match User git\nInclude /etc/ssh/m"), write("etc/ssh/m", b"Port 22\n"))),
    *ends("match-unknown", main("Match Home x")),
    *ends("match-without-value", main("Match User")),
    *ends("removed-cipher", main("Ciphers aes256-ctr,arcfour")),
    *ends("removed-mac", main("MACs hmac-ripemd160")),
    *ends("unknown-kex", main("KexAlgorithms curve25519")),
    *refuses("no", "permitrootlogin no", included(own="PermitRootLogin no\n")),
    *refuses("forced-commands", "permitrootlogin forced-commands-only",
             main("PermitRootLogin forced-commands-only")),
    *refuses("match-root", "permitrootlogin no", main("Match User root\n  PermitRootLogin no")),
    *refuses("match-all", "permitrootlogin no", main("Match all\nPermitRootLogin no")),
    *refuses("match-list", "permitrootlogin no", main("Match User git,r*\nPermitRootLogin no")),
    *refuses("match-group-root", "pubkeyauthentication no",
             main("Match Group root\nPubkeyAuthentication no")),
    *refuses("match-first-wins", "permitrootlogin no",
             main("Match User root\nPermitRootLogin no\nMatch all\nPermitRootLogin yes")),
    *refuses("match-beats-global", "permitrootlogin no",
             main("PermitRootLogin yes\nMatch User root\nPermitRootLogin no")),
    *refuses("match-in-include", "permitrootlogin no",
             included(a="Match User root\n  PermitRootLogin no\n")),
    *refuses("key-off", "pubkeyauthentication no", main("PubkeyAuthentication no")),
    *refuses("methods", "authenticationmethods publickey,password",
             main("AuthenticationMethods publickey,password")),
    *refuses("methods-two-keys", "authenticationmethods publickey,publickey",
             main("AuthenticationMethods publickey,publickey")),
    *refuses("allow-others", "allowusers admin", main("AllowUsers admin")),
    *refuses("allow-other-groups", "allowgroups ssh-users", main("AllowGroups ssh-users")),
    *refuses("deny-root", "denyusers ro*", main("DenyUsers ro*")),
    *refuses("deny-root-group", "denygroups root", main("DenyGroups root")),
    *refuses("no-key-file", "authorizedkeysfile none", main("AuthorizedKeysFile none")),
    *refuses("other-key-file", "authorizedkeysfile /etc/keys/%u",
             included(k="AuthorizedKeysFile /etc/keys/%u\n")),
    *refuses("no-shell", "forcecommand internal-sftp", main("ForceCommand internal-sftp")),
    *refuses("no-session", "maxsessions 0", main("MaxSessions 0")),
    *refuses("no-pam", "usepam no", included(p="UsePAM no\n")),
)  # fmt: skip
