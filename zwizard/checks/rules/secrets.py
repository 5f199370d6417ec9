"""The rule about what the image keeps of its builder's: keys, passwords, tokens, histories."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import texts
from zwizard.checks.rule import EVERY, should
from zwizard.checks.verdict import Verdict, failed, passed
from zwizard.image.examples import Examples
from zwizard.image.tree import EntryType, FileTree


@dataclass(frozen=True)
class _Place:
    """Files (shell patterns; ``~`` is a home) and what in them is secret: a pattern's group."""

    files: tuple[str, ...]
    secret: re.Pattern[str]


def _files(words: str) -> tuple[str, ...]:
    names = words.split()
    homes = (f"{home}{name[1:]}" for name in names if name[0] == "~" for home in _HOMES)
    return (*(name for name in names if name[0] == "/"), *homes)


def _place(files: str, *secrets: str) -> _Place:
    return _Place(_files(files), re.compile("|".join(secrets), re.MULTILINE | re.IGNORECASE))


def _setting(names: str) -> str:
    """A line that gives one of these names (a pattern) a value: in INI, YAML, JSON, as options."""
    return rf"^[ \t{{,-]*[\"']?(?:{names})[\"']?[ \t]*[:= \t][ \t]*[\"']?([^\s\"',]+)"


_HOMES = ("/root", "/home/*")
_IN_URL = r"://[^\s/@:\"']*:([^\s/@\"']+)@"
_PEM = r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----\s+(?!-----END)(\S+)"
_MACHINE = r"\bpassword\s+(\S+)"  # netrc(5), apt_auth.conf(5)
_WORD = r"[\w.-]*(?:password|passwd|secret|token|api_?key|access_?key|private_?key|mnemonic)[\w-]*"

_PLACES = (
    # keys
    _place(
        "/etc/ssl/private/* /etc/pki/tls/private/* /etc/wireguard/* ~/.ssh/*"
        " ~/.gnupg/private-keys-v1.d/*",
        _PEM, r"^PrivateKey\s*=\s*(\S+)", r"\((?:\d+:)?((?:protected-)?private-key)",
    ),
    _place("~/.ssh/authorized_keys ~/.ssh/authorized_keys2", r"^[ \t]*([^#\s]\S*)"),
    # package managers
    _place(
        "/etc/apt/sources.list /etc/apt/sources.list.d/* /etc/pacman.conf /etc/pacman.d/mirrorlist"
        " /etc/apk/repositories /etc/yum.repos.d/* /etc/zypp/repos.d/*",
        _IN_URL, _setting("password"),
    ),
    _place("/etc/apt/auth.conf /etc/apt/auth.conf.d/* ~/.netrc /.netrc", _MACHINE),
    _place(
        "/etc/pip.conf ~/.pip/pip.conf ~/.config/pip/pip.conf ~/.pypirc ~/.config/uv/uv.toml",
        _IN_URL, _setting("password"),
    ),
    _place(
        "~/.npmrc /.npmrc /etc/npmrc /app/.npmrc ~/.yarnrc ~/.yarnrc.yml", _IN_URL,
        r"(?:^|:)_?(?:authToken|auth|password)[ \t]*[=:][ \t]*\"?([^\s\"]+)",
        _setting("npmAuthToken|npmAuthIdent"),
    ),
    _place(
        "~/.cargo/credentials ~/.cargo/credentials.toml ~/.gem/credentials ~/.composer/auth.json"
        " ~/.config/composer/auth.json",
        _setting(rf":?{_WORD}"), r"\"[\w.-]+\.\w+\":\s*\"([^\"]+)\"",
    ),
    # clouds, registries, hosts of code
    _place("~/.git-credentials ~/.config/git/credentials", _IN_URL),
    _place(
        "/etc/gitconfig ~/.gitconfig ~/.config/git/config", _IN_URL,
        r"extraheader\s*=\s*\"?Authorization:\s*\S+\s+(\S+)",
    ),
    _place(
        "~/.docker/config.json ~/.config/containers/auth.json /etc/containers/auth.json",
        r"\"(?:auth|identitytoken|registrytoken|password)\"\s*:\s*\"([^\"]+)\"",
    ),
    _place("~/.aws/credentials ~/.aws/config ~/.s3cfg", _setting(_WORD)),
    _place(
        "~/.kube/config /etc/kubernetes/admin.conf /etc/rancher/k3s/k3s.yaml",
        _setting("client-key-data|token|password"),
    ),
    _place(
        "~/.config/gh/hosts.yml ~/.config/hub ~/.config/glab-cli/config.yml"
        " ~/.config/doctl/config.yaml ~/.config/rclone/rclone.conf",
        _setting("oauth_token|token|access-token|pass"),
    ),
    _place(
        "~/.config/gcloud/application_default_credentials.json ~/.azure/msal_token_cache.json"
        " ~/.azure/accessTokens.json ~/.terraform.d/credentials.tfrc.json",
        r"\"(?:refresh_?token|access_?token|private_key|secret|token)\"\s*:\s*\"([^\"]+)\"",
    ),
    _place("~/.vault-token ~/.cache/huggingface/token ~/.huggingface/token", r"\A\s*(\S+)"),
    # programs
    _place(
        "/etc/curlrc ~/.curlrc /etc/wgetrc ~/.wgetrc", _IN_URL,
        r"^[ \t]*-?-?(?:user|proxy-user|u|U)[ \t=:]+\"?[^\s:\"]+:([^\s\"]+)",
        r"^[ \t]*-?-?(?:header|H)[ \t=:]+\"?(?:authorization|[\w-]+-(?:token|key)):\s*([^\"\n]+)",
        _setting(r"(?:http_|ftp_|proxy_)?password|oauth2-bearer"),
    ),
    _place("~/.pgpass", r"^[^#\s:]*:[^:\n]*:[^:\n]*:[^:\n]*:(\S+)"),
    _place("~/.my.cnf ~/.mylogin.cnf /etc/mysql/debian.cnf", _setting("password")),
    _place(
        "/etc/NetworkManager/system-connections/* /etc/wpa_supplicant/*.conf",
        _setting("psk|password"),
    ),
    _place(
        "/.env /app/.env /etc/environment /etc/environment.d/*",
        _setting(rf"(?:export )?{_WORD}"),
    ),
)  # fmt: skip

# A file of these is one as soon as something is in it.
_HISTORIES = _files(
    "~/.bash_history ~/.zsh_history ~/.ash_history ~/.python_history ~/.psql_history"
    " ~/.mysql_history ~/.lesshst ~/.viminfo ~/.config/gcloud/credentials.db /etc/krb5.keytab"
    " /run/secrets /run/secrets/*"
)

# What stands where the user's own value goes.
_PLACEHOLDER = re.compile(
    r"\$\{?\w+\}?|%\w+%|%\(\w+\)s|<.*>?|\{\{.*|\[.*|(.)\1{2,}|.*(?:change[-_]?me|change[-_]?it|replace[-_]?me|example|placeholder|redacted"
    r"|your[-_]).*|null|none|true|false|password|secret|token|todo",
    re.IGNORECASE | re.DOTALL,
)

_PROXY = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?:https?|ftp|all)_proxy[ \t]*=[ \t]*[\"']?\w"
    r"|^[ \t]*Acquire::(?:https?|ftp)::Proxy[ \t]+\"(?!DIRECT|false)",
    re.MULTILINE | re.IGNORECASE,
)
_PROXIED = (
    "/etc/environment", "/etc/apt/apt.conf", "/etc/profile", "/etc/wgetrc", "/root/.bashrc",
    "/root/.profile", "/etc/apt/apt.conf.d/*", "/etc/profile.d/*", "/etc/environment.d/*",
)  # fmt: skip


@should(
    "The image contains no secrets of its builder",
    EVERY,
    source="A flist on the hub is public: everyone who knows its name can read every file in it"
    " (0-hub, GET /api/flist/…).",
    fix="Remove those files, and change the secrets in them if the image was ever uploaded.",
    example="/root/.ssh/id_ed25519 is a private key",
    # Links in /etc/profile.d lead to systemd's.
    reads=(
        *_PROXIED, "/lib/systemd/profile.d/*",
        *(pattern for place in _PLACES for pattern in place.files),
    ),
    keys=("system.run",),
)  # fmt: skip
def no_secrets(context: CheckContext) -> Verdict:
    """No private keys, authorized keys, histories, credentials or proxies."""
    found = Examples(dict.fromkeys(_secrets(context.guest)), 6)
    if not found:
        return passed("no keys, histories, credentials or proxies in the usual places")
    return failed(str(found))


def _secrets(tree: FileTree) -> Iterator[str]:
    for entry in tree.glob(*_HISTORIES):
        if entry.kind is EntryType.FILE and entry.size > 0:
            yield entry.path
    for place in _PLACES:
        for path, content in texts(tree, *place.files):
            if any(map(_is_real, place.secret.finditer(content))):
                yield path
    for path, content in texts(tree, *_PROXIED):
        if _PROXY.search(content):
            yield f"{path} (a proxy)"


def _is_real(found: re.Match[str]) -> bool:
    """Whether what was found is a secret, and not what stands in its place in a template."""
    return not _PLACEHOLDER.fullmatch(found[found.lastindex or 0])
