"""The rule no-secrets: each place of credentials, with a secret and nearly with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from zwizard.checks.context import CheckContext
from zwizard.checks.rules.secrets import no_secrets
from zwizard.checks.verdict import Mode, Outcome
from zwizard.image.directory import DirectoryTree

S = "c4n4ryS3cr3t"
PEM = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{S}\n-----END OPENSSH PRIVATE KEY-----\n"
PUBLIC = "-----BEGIN PUBLIC KEY-----\nMFkwEwYH\n-----END PUBLIC KEY-----\n"

# Where, what has a secret, and what has none.
PLACES = (
    ("etc/apt/sources.list", f"deb http://ada:{S}@m.example/debian bookworm main",
     "deb http://m.example:8080/debian bookworm main\n# by ada@example.com"),
    ("etc/apt/sources.list.d/x.sources", f"URIs: https://ada:{S}@m.example/debian",
     "URIs: https://m.example/debian\nSigned-By: /usr/share/keyrings/x.gpg"),
    ("etc/apt/auth.conf", f"machine m.example login ada password {S}", "# machine, login"),
    ("etc/apt/auth.conf.d/x.conf", f"machine m.example\nlogin ada\npassword {S}", ""),
    ("etc/pacman.d/mirrorlist", f"Server = https://ada:{S}@m.example/$repo/os/$arch",
     "Server = https://m.example/$repo/os/$arch"),
    ("etc/apk/repositories", f"https://ada:{S}@m.example/main", "https://m.example/main"),
    ("etc/yum.repos.d/x.repo", f"[x]\npassword={S}", "[x]\ngpgcheck=1\npassword="),
    ("root/.netrc", f"machine x login ada password {S}", "machine x login ada password <p>"),
    ("etc/pip.conf", f"[global]\nindex-url = https://ada:{S}@pypi.example/simple",
     "[global]\nindex-url = https://pypi.example/simple"),
    ("root/.config/pip/pip.conf", f"[global]\nextra-index-url=https://__token__:{S}@x/simple",
     "[global]\nextra-index-url=https://${USER}:${TOKEN}@x/simple"),
    ("root/.pypirc", f"[pypi]\nusername = __token__\npassword = {S}", "[pypi]\nusername = ada"),
    ("root/.npmrc", f"//registry.npmjs.org/:_authToken={S}",
     "registry=https://registry.npmjs.org/\nalways-auth=true\n//r/:_authToken=${NPM_TOKEN}"),
    ("home/joe/.yarnrc.yml", f'npmAuthToken: "{S}"', 'npmAuthToken: "${NPM_TOKEN}"'),
    ("root/.cargo/credentials.toml", f'[registry]\ntoken = "{S}"', "[registry]\n"),
    ("root/.gem/credentials", f":rubygems_api_key: {S}", "---\n"),
    ("root/.composer/auth.json", f'{{"github-oauth": {{"github.com": "{S}"}}}}',
     '{"github-oauth": {}}'),
    ("root/.docker/config.json", f'{{"auths": {{"r.example": {{"auth": "{S}"}}}}}}',
     '{"auths": {"r.example": {}}, "credsStore": "pass"}'),
    ("etc/containers/auth.json", f'{{"auths": {{"r": {{"identitytoken": "{S}"}}}}}}',
     '{"auths": {"r": {"auth": ""}}}'),
    ("root/.git-credentials", f"https://ada:{S}@git.example", "https://ada@git.example"),
    ("etc/gitconfig", f'[url "https://ada:{S}@git.example/"]', "[user]\nemail = ada@example.com"),
    ("root/.gitconfig", f"[http]\nextraheader = Authorization: Basic {S}",
     "[url \"ssh://git@git.example\"]\ninsteadOf = https://git.example"),
    ("root/.curlrc", f'user = "ada:{S}"', 'user-agent = "x:y"\nurl = "https://x"'),
    ("home/joe/.curlrc", f'--header "X-Api-Key: {S}"', '--header "Accept: text/html"'),
    ("etc/wgetrc", f"http_password = {S}", "# http_password = x\nuse_proxy = on"),
    ("root/.aws/credentials", f"[default]\naws_secret_access_key = {S}",
     "[default]\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("root/.kube/config", f"users:\n- user:\n    token: {S}", "users:\n- user:\n    token: \"\""),
    ("etc/kubernetes/admin.conf", f"    client-key-data: {S}", "    client-key: /etc/x.key"),
    ("root/.config/gh/hosts.yml", f"github.com:\n    oauth_token: {S}", "github.com:\n  user: a"),
    ("root/.config/rclone/rclone.conf", f"[x]\npass = {S}", "[x]\ntype = local"),
    ("root/.config/gcloud/application_default_credentials.json", f'{{"refresh_token": "{S}"}}',
     '{"type": "authorized_user"}'),
    ("root/.terraform.d/credentials.tfrc.json", f'{{"x": {{"token": "{S}"}}}}', '{"x": {}}'),
    ("root/.vault-token", S, "\n"),
    ("root/.cache/huggingface/token", S, ""),
    ("root/.pgpass", f"db:5432:*:ada:{S}", "# host:port:database:user:password"),
    ("root/.my.cnf", f"[client]\npassword={S}", "[client]\nuser=root"),
    ("etc/NetworkManager/system-connections/x", f"[wifi-security]\npsk={S}", "[wifi]\nssid=x"),
    ("etc/wpa_supplicant/x.conf", f'network={{\n  psk="{S}"\n}}', "ctrl_interface=/run/x"),
    ("etc/wireguard/wg0.conf", f"[Interface]\nPrivateKey = {S}", "PrivateKey = <key>"),
    ("etc/ssl/private/x.key", PEM, PUBLIC),
    ("root/.ssh/id_ed25519", PEM, ""),
    ("home/joe/.ssh/own", PEM, "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
    ("root/.ssh/id_rsa.pub", PEM, "ssh-rsa AAAAB3Nza ada@example.com"),
    ("root/.ssh/authorized_keys", "ssh-ed25519 AAAAC3Nza ada@example.com", "# no key\n\n"),
    ("root/.gnupg/private-keys-v1.d/x.key", "(21:protected-private-key(3:rsa", ""),
    ("app/.env", f"DB_PASSWORD={S}", "DB_PASSWORD=changeme\nDB_HOST=db\nSECRET=xxxxxx"),
    ("etc/environment", f"API_TOKEN={S}", "PATH=/bin\nAPI_TOKEN=your-token"),
    ("root/.bash_history", "ls", ""),
    ("home/joe/.python_history", "print()", ""),
)  # fmt: skip


def judged(root: Path, name: str, text: str) -> tuple[Outcome, str]:
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with DirectoryTree(root) as tree:
        verdict = no_secrets.judge(CheckContext(tree, Mode.VM, stated=True, name="x.tar.gz"))
    return verdict.outcome, verdict.evidence


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, text, _ in PLACES])
def test_a_secret_is_found(tmp_path: Path, name: str, text: str) -> None:
    outcome, evidence = judged(tmp_path / "root", name, f"{text}\n")
    assert (outcome, evidence) == (Outcome.FAIL, f"/{name}")
    assert S not in evidence


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, _, text in PLACES])
def test_a_near_miss_is_none(tmp_path: Path, name: str, text: str) -> None:
    outcome, evidence = judged(tmp_path / "root", name, text)
    assert outcome is Outcome.PASS, evidence
